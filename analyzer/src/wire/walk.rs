//! The state of one walk through a frame.

use super::fast;
use super::span::Span;
use super::{Refusal, TapFormat};
use crate::packet::{Mirror, MirrorKind, Packet, Transport};

/// Tunnels and envelopes followed one in another.
const MAX_DEPTH: u8 = 4;

/// Collects the packet while walking inwards.
pub(super) struct Walk<'a, 'd> {
    /// UDP destination ports taken as RoCEv2.
    pub rdma_ports: &'d [u16],
    /// The next tag of the captured frame is the mirror's.
    pub rspan: bool,
    /// Tunnels entered.
    pub depth: u8,
    /// A mirror's envelope was found: further ones are the fabric's own tunnels.
    pub enveloped: bool,
    /// What was read so far.
    pub packet: &'d mut Packet<'a>,
}

impl<'a, 'd> Walk<'a, 'd> {
    /// At the first byte of a captured frame.
    pub fn new(rdma_ports: &'d [u16], tap: TapFormat, frame: Span<'a>, packet: &'d mut Packet<'a>) -> Self {
        *packet = Packet { wire_len: frame.len, whole: !frame.is_cut(), ..Packet::UNREAD };
        Self { rdma_ports, rspan: tap.rspan, depth: 0, enveloped: false, packet }
    }

    /// Goes one tunnel inwards.
    pub fn enter(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Refusal::TunnelsNested) } else { Ok(()) }
    }

    /// Into the frame that an envelope carries. Only the outermost envelope is a mirror's.
    pub fn envelope(&mut self, mirror: Mirror, frame: Span<'a>) -> Result<(), Refusal> {
        self.unwrap_mirror(mirror, frame)?;
        if fast::read(self.rdma_ports, frame, self.packet).is_some() {
            return Ok(());
        }
        self.ethernet(frame)
    }

    /// Notes the envelope around `inner`, which need not be Ethernet.
    pub fn unwrap_mirror(&mut self, mirror: Mirror, inner: Span<'a>) -> Result<(), Refusal> {
        self.enter()?;
        if !self.enveloped {
            self.enveloped = true;
            let hardware_ns = mirror.hardware_ns.or(self.packet.mirror.hardware_ns);
            self.packet.mirror = Mirror { hardware_ns, ..mirror };
            self.packet.wire_len = inner.len;
        }
        Ok(())
    }

    /// Takes the outermost tag as the mirror's.
    pub fn rspan_tag(&mut self, vlan: u16) {
        self.rspan = false;
        self.enveloped = true;
        self.packet.mirror.key.kind = MirrorKind::Rspan;
        self.packet.mirror.key.vlan = Some(vlan);
        self.packet.wire_len = self.packet.wire_len.saturating_sub(4);
    }

    /// Ends the walk.
    pub fn end(&mut self, transport: Transport, payload: Span<'a>) {
        self.packet.transport = transport;
        self.packet.payload = payload.bytes;
        self.packet.payload_len = payload.len;
    }
}
