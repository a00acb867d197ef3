//! GRE (RFC 2784, RFC 2890) and what mirrors and overlays put into it.

use super::Refusal;
use super::plausible;
use super::span::{Span, be16, be32};
use super::walk::Walk;
use crate::packet::{Mirror, MirrorKey, MirrorKind};

/// Optional fields of the header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gre {
    /// Key: in NVGRE the upper 24 bits are the virtual subnet.
    pub key: Option<u32>,
    /// Sequence number.
    pub sequence: Option<u32>,
}

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const VERSION: u16 = 0x0007;

impl<'a> Walk<'a, '_> {
    /// From the GRE header on.
    pub fn gre(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (&[f0, f1, p0, p1], mut rest) = span.need::<4>(Refusal::GreTooShort, Refusal::GreCut)?;
        let flags = be16(f0, f1);
        // Source routing is dead (RFC 2784); version 1 is PPTP's (RFC 2637): neither carries frames.
        if flags & (ROUTING | VERSION) != 0 {
            return self.other_ip(span);
        }
        let mut word = |present: u16| -> Result<Option<u32>, Refusal> {
            if flags & present == 0 {
                return Ok(None);
            }
            let (word, after) = rest.need::<4>(Refusal::GreTooShort, Refusal::GreCut)?;
            rest = after;
            Ok(Some(be32(word, 0)))
        };
        word(CHECKSUM)?;
        let gre = Gre { key: word(KEY)?, sequence: word(SEQUENCE)? };
        self.gre_payload(be16(p0, p1), gre, span, rest)
    }

    fn gre_payload(&mut self, protocol: u16, gre: Gre, whole: Span<'a>, inner: Span<'a>) -> Result<(), Refusal> {
        match protocol {
            0x88be if gre.sequence.is_some() => self.erspan2(gre, inner),
            0x88be => self.erspan1(gre, inner),
            0x22eb => self.erspan3(gre, inner),
            // NVIDIA Spectrum: 22 bytes whose meaning is not public.
            0x8949 => self.framed(gre, inner.after(plausible::inner_offset(inner, 22))),
            0x6558 => self.framed(gre, inner),
            0x0800 | 0x86dd | 0x8847 | 0x8848 | 0x8100 => {
                self.enter()?;
                self.ethertype(protocol, inner)
            }
            // A mirror's own number: believed if a frame is inside.
            _ if plausible::ethernet(inner.after(plausible::inner_offset(inner, 0))) => {
                self.framed(gre, inner.after(plausible::inner_offset(inner, 0)))
            }
            _ => self.other_ip(whole),
        }
    }

    /// A frame in GRE without ERSPAN header.
    fn framed(&mut self, gre: Gre, frame: Span<'a>) -> Result<(), Refusal> {
        let mirror = self.gre_mirror(MirrorKind::Gretap, gre);
        self.envelope(mirror, frame)
    }

    /// What the GRE header says of the mirror.
    pub fn gre_mirror(&self, kind: MirrorKind, gre: Gre) -> Mirror {
        let key = MirrorKey { kind, session: gre.key, source: Some(self.packet.src), ..MirrorKey::default() };
        Mirror { key, sequence: gre.sequence, ..Mirror::default() }
    }

    /// Ethernet within IP (RFC 3378).
    pub fn ether_ip(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        match span.take::<2>() {
            Some((&[0x30, 0], frame)) if plausible::ethernet(frame) => {
                self.enter()?;
                self.ethernet(frame)
            }
            _ => self.other_ip(span),
        }
    }
}
