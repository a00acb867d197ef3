//! VXLAN (RFC 7348), Geneve (RFC 8926) and GTP-U (3GPP TS 29.281).

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

    /// From the GTP-U header on (3GPP TS 29.281): user data alone is entered. Anything else to that port stays UDP.
    pub fn gtp_u(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let Some((&[flags, 0xff, ..], _)) = span.take::<8>() else { return self.plain_udp(span) };
        let mut inner = span.after(if flags & 7 == 0 { 8 } else { 12 });
        // Extension headers: their length in words, the next one's type in their last byte.
        let mut next = if flags & 4 == 0 { 0 } else { span.take::<12>().map_or(0, |(h, _)| h[11]) };
        for _ in 0..4 {
            let Some((&[words], _)) = inner.take::<1>().filter(|_| next != 0) else { break };
            let len = usize::from(words).max(1) * 4;
            next = inner.bytes.get(len - 1).copied().unwrap_or(0);
            inner = inner.after(len);
        }
        match flags & 0xf8 == 0x30 && (plausible::ipv4(inner) || plausible::ipv6(inner)) {
            true => self.geneve_ip(inner),
            false => self.plain_udp(span),
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
