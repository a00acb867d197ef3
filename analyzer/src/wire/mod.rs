//! Reads frames: link layers, mirror envelopes, tunnels, IP, transports, RDMA (facts and their sources: WIRE.md).
//!
//! A [`Decoder`] walks a frame from its first byte inwards without copying. Lengths come from headers, so a frame that the
//! capture cut is read as far as it goes; a frame that can't be read is refused by name, see [`Refusal`].

mod erspan;
mod ethernet;
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

use crate::packet::Packet;
use span::Span;
use walk::Walk;

pub use icrc::icrc_ok;
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
        let span = Span::new(bytes, wire_len);
        let mut walk = Walk::new(&self.rdma_ports, tap, span);
        walk.link(link_type, span)?;
        Ok(walk.packet)
    }
}
