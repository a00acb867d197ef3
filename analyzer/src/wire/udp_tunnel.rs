//! VXLAN (RFC 7348) and Geneve (RFC 8926).

use super::Refusal;
use super::plausible;
use super::span::{Span, be16, be24};
use super::walk::Walk;
use crate::packet::{Mirror, MirrorKey, MirrorKind};

impl<'a> Walk<'a, '_> {
    /// From the VXLAN header on. Something else to that port, or a frame cut too early, stays UDP.
    pub fn vxlan(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        match span.take::<8>() {
            Some((&[flags, _, _, _, v0, v1, v2, _], frame)) if flags & 0x08 != 0 && plausible::ethernet(frame) => {
                let mirror = self.udp_mirror(MirrorKind::Vxlan, be24(v0, v1, v2));
                self.envelope(mirror, frame)
            }
            _ => self.plain_udp(span),
        }
    }

    /// From the Geneve header on.
    pub fn geneve(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let Some((&[version, _, p0, p1, v0, v1, v2, _], _)) = span.take::<8>() else { return self.plain_udp(span) };
        let inner = span.after(8 + usize::from(version & 0x3f) * 4);
        let mirror = self.udp_mirror(MirrorKind::Geneve, be24(v0, v1, v2));
        match be16(p0, p1) {
            0x6558 if version >> 6 == 0 && plausible::ethernet(inner) => self.envelope(mirror, inner),
            0x0800 if version >> 6 == 0 && plausible::ipv4(inner) => self.geneve_ip(inner),
            0x86dd if version >> 6 == 0 && plausible::ipv6(inner) => self.geneve_ip(inner),
            _ => self.plain_udp(span),
        }
    }

    fn geneve_ip(&mut self, inner: Span<'a>) -> Result<(), Refusal> {
        self.enter()?;
        self.ip(inner)
    }

    fn udp_mirror(&self, kind: MirrorKind, vni: u32) -> Mirror {
        let key = MirrorKey { kind, session: Some(vni), source: Some(self.packet.src), ..MirrorKey::default() };
        Mirror { key, ..Mirror::default() }
    }
}
