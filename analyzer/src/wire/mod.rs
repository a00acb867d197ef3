//! Reads frames: link layers, mirror envelopes, tunnels, IP, transports, RDMA (facts and their sources: WIRE.md).
//!
//! A [`Decoder`] walks a frame from its first byte inwards without copying. Lengths come from headers, so a frame that the
//! capture cut is read as far as it goes; a frame that can't be read is refused by name, see [`Refusal`].

mod erspan;
mod ethernet;
mod fast;
mod gre;
mod icrc;
mod ip;
mod link;
mod opcode;
mod plausible;
mod psn;
mod rdma;
mod refusal;
mod span;
mod transport;
mod udp_tunnel;
mod walk;

#[cfg(test)]
mod tests;

use capture::LinkType;

use crate::packet::{Mirror, Packet};
use crate::tick::FlowKey;
pub(crate) use span::Span;
use walk::Walk;

pub use icrc::icrc_ok;
pub(crate) use icrc::icrc_ok_v2;
pub(crate) use opcode::extensions_len;
pub use opcode::{
    Operation, RdmaTransport, ends_message, is_ack, is_atomic_request, is_cnp, is_read_request, is_read_response,
    is_request, is_request_data, opcode_name, operation, starts_message, transport, transport_name,
};
pub use psn::{Psn, TcpSeq};
pub use refusal::Refusal;

/// What is known beforehand of how a tap delivers its copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TapFormat {
    /// The outermost 802.1Q tag is the mirror's (RSPAN).
    pub rspan: bool,
}

/// Reads frames.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// UDP destination ports taken as RoCEv2.
    pub rdma_ports: Vec<u16>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { rdma_ports: vec![4791] }
    }
}

impl Decoder {
    /// Reads one frame; `wire_len` is its length in bytes before the capture cut it.
    pub fn decode<'a>(
        &self,
        link_type: LinkType,
        tap: TapFormat,
        bytes: &'a [u8],
        wire_len: u32,
    ) -> Result<Packet<'a>, Refusal> {
        let mut packet = Packet::UNREAD;
        self.decode_to(link_type, tap, Span::new(bytes, wire_len), &mut packet)?;
        Ok(packet)
    }

    /// As [`Decoder::decode`], into a place that is there already: a packet is 300 bytes long, and copying them takes as long as
    /// reading them. Gives the flow that it belongs to, if it has network addresses. After a refusal the place holds anything.
    #[inline]
    pub(crate) fn decode_to<'a>(
        &self,
        link_type: LinkType,
        tap: TapFormat,
        frame: Span<'a>,
        packet: &mut Packet<'a>,
    ) -> Result<Option<FlowKey>, Refusal> {
        if link_type == LinkType::Ethernet
            && !tap.rspan
            && let Some(common) = fast::read(&self.rdma_ports, frame, packet)
        {
            packet.mirror = Mirror::NONE;
            packet.outer_vlan = common.outer_vlan;
            packet.wire_len = frame.len;
            packet.shortened = false;
            return Ok(Some(common.key));
        }
        self.walk(link_type, tap, frame, packet)?;
        Ok(FlowKey::of_packet(packet))
    }

    /// The general way, whatever the frame carries.
    #[inline(never)]
    fn walk<'a>(
        &self,
        link_type: LinkType,
        tap: TapFormat,
        frame: Span<'a>,
        packet: &mut Packet<'a>,
    ) -> Result<(), Refusal> {
        Walk::new(&self.rdma_ports, tap, frame, packet).link(link_type, frame)
    }
}
