//! ERSPAN types I, II and III (draft-foschiano-erspan-03).

use super::Refusal;
use super::gre::Gre;
use super::plausible;
use super::span::{Span, be16, be32};
use super::walk::Walk;
use crate::packet::{Mirror, MirrorKind};

/// The tag that the switch took off the mirrored frame and wrote into the ERSPAN header.
#[derive(Clone, Copy)]
struct Taken {
    vlan: u16,
    pcp: u8,
}

impl<'a> Walk<'a, '_> {
    /// No header of its own, by the draft; some switches put 12 bytes there.
    pub fn erspan1(&mut self, gre: Gre, span: Span<'a>) -> Result<(), Refusal> {
        let mirror = self.gre_mirror(MirrorKind::Erspan1, gre);
        self.envelope(mirror, span.after(plausible::inner_offset(span, 0)))
    }

    /// Eight bytes: version and VLAN, class, encapsulation, truncation, session; index.
    pub fn erspan2(&mut self, gre: Gre, span: Span<'a>) -> Result<(), Refusal> {
        let (h, _) = span.need::<8>(Refusal::ErspanTooShort, Refusal::ErspanCut)?;
        let mut mirror = self.gre_mirror(MirrorKind::Erspan2, gre);
        if h[0] >> 4 != 1 {
            return self.envelope(mirror, span.after(plausible::inner_offset(span, 8)));
        }
        let flags = be16(h[2], h[3]);
        mirror.key.session = Some(u32::from(flags & 0x03ff));
        mirror.key.port = Some(be32(h, 4) & 0x000f_ffff);
        mirror.truncated = flags & 0x0400 != 0;
        // En 1 (ISL) and 2 (802.1Q): the tag was taken off; 3: it is still in the frame.
        let taken = matches!(flags >> 11 & 3, 1 | 2).then(|| taken(h[0], h[1], flags));
        self.mirrored(mirror, span.after(plausible::inner_offset(span, 8)), taken)
    }

    /// Twelve bytes, and eight more when the last bit says so.
    pub fn erspan3(&mut self, gre: Gre, span: Span<'a>) -> Result<(), Refusal> {
        let (h, rest) = span.need::<12>(Refusal::ErspanTooShort, Refusal::ErspanCut)?;
        let mut mirror = self.gre_mirror(MirrorKind::Erspan3, gre);
        if h[0] >> 4 != 2 {
            return self.envelope(mirror, span.after(plausible::inner_offset(span, 12)));
        }
        let (flags, last) = (be16(h[2], h[3]), be16(h[10], h[11]));
        mirror.key.session = Some(u32::from(flags & 0x03ff));
        mirror.truncated = flags & 0x0400 != 0;
        mirror.bso = (flags >> 11 & 3) as u8;
        mirror.egress = Some(last >> 3 & 1 == 1);
        let mut upper = Upper::None;
        if last & 1 == 1 {
            let (platform, _) = rest.need::<8>(Refusal::ErspanTooShort, Refusal::ErspanCut)?;
            (mirror.key.port, upper) = platform_fields(platform);
        }
        mirror.hardware_ns = hardware_ns(last >> 1 & 3, be32(h, 4), upper);
        let documented = if last & 1 == 1 { 20 } else { 12 };
        // Frame type 2: an IP packet without Ethernet header.
        if last >> 10 & 0x1f == 2 {
            let packet = span.after(documented);
            self.unwrap_mirror(mirror, packet)?;
            (self.packet.src_mac, self.packet.dst_mac, self.packet.vlan) = (None, None, None);
            return self.ip(packet);
        }
        let vlan = be16(h[0], h[1]) & 0x0fff;
        let taken = (vlan != 0).then(|| taken(h[0], h[1], flags));
        self.mirrored(mirror, span.after(plausible::inner_offset(span, documented)), taken)
    }

    /// Into the mirrored frame; where it has no tag of its own, the header's is its.
    fn mirrored(&mut self, mirror: Mirror, frame: Span<'a>, taken: Option<Taken>) -> Result<(), Refusal> {
        let depth = self.depth + 1;
        self.envelope(mirror, frame)?;
        if let (Some(taken), None, true) = (taken, self.packet.vlan, self.depth == depth) {
            self.packet.vlan = (taken.vlan != 0).then_some(taken.vlan);
            self.packet.pcp = self.packet.pcp.max(taken.pcp);
        }
        Ok(())
    }
}

fn taken(h0: u8, h1: u8, flags: u16) -> Taken {
    Taken { vlan: be16(h0, h1) & 0x0fff, pcp: (flags >> 13) as u8 }
}

/// What a platform sub-header adds to the 32-bit timestamp.
#[derive(Clone, Copy)]
enum Upper {
    None,
    Bits(u32),
    Seconds(u32),
}

fn platform_fields(h: &[u8; 8]) -> (Option<u32>, Upper) {
    let (first, second) = (be32(h, 0), be32(h, 4));
    match first >> 26 {
        1 => (Some(second), Upper::None),
        3 => (Some(first & 0x3fff), Upper::Bits(second)),
        5 | 6 => (Some(first & 0xffff), Upper::Seconds(second)),
        0 | 7 => (Some(first & 0x000f_ffff), Upper::Bits(second)),
        _ => (None, Upper::None),
    }
}

/// Granularity 0: 100 us; 1: 100 ns; 2: IEEE 1588 seconds and nanoseconds; 3: the vendor's own, not read.
fn hardware_ns(granularity: u16, stamp: u32, upper: Upper) -> Option<u64> {
    let unit_ns: u64 = match granularity {
        0 => 100_000,
        1 => 100,
        2 => {
            let seconds = match upper {
                Upper::Bits(seconds) | Upper::Seconds(seconds) => seconds,
                Upper::None => 0,
            };
            return Some(u64::from(seconds) * 1_000_000_000 + u64::from(stamp));
        }
        _ => return None,
    };
    let high = if let Upper::Bits(bits) = upper { bits } else { 0 };
    (u64::from(high) << 32 | u64::from(stamp)).checked_mul(unit_ns)
}
