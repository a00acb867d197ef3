//! Link types other than Ethernet (<https://www.tcpdump.org/linktypes.html>).

use capture::LinkType;

use super::Refusal;
use super::span::{Span, be16};
use super::walk::Walk;
use crate::packet::{Addr, Transport};

const SHORT: Refusal = Refusal::LinkHeaderTooShort;
const CUT: Refusal = Refusal::LinkHeaderCut;
/// Link type of Cisco's HDLC.
const C_HDLC: u16 = 104;
/// ERF extension headers followed one after another.
const MAX_ERF_EXTENSIONS: usize = 8;

impl<'a> Walk<'a, '_> {
    /// From the first captured byte on.
    pub fn link(&mut self, link_type: LinkType, span: Span<'a>) -> Result<(), Refusal> {
        match link_type {
            LinkType::Ethernet => self.ethernet(span),
            LinkType::LinuxSll => self.cooked(span),
            LinkType::LinuxSll2 => self.cooked2(span),
            LinkType::RawIp => self.ip(span),
            LinkType::RawIpv4 => self.ipv4(span),
            LinkType::RawIpv6 => self.ipv6(span),
            LinkType::Null | LinkType::Loop => self.loopback(span),
            LinkType::Infiniband => self.infiniband(span),
            LinkType::Erf => self.erf(span),
            LinkType::Other(C_HDLC) => self.cisco_hdlc(span),
            LinkType::Other(_) => Err(Refusal::LinkTypeUnsupported),
        }
    }

    /// Address (unicast or multicast), control, then an Ethertype (RFC 1547 2; Cisco's form of HDLC).
    fn cisco_hdlc(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        match span.need::<4>(SHORT, CUT)? {
            (&[0x0f | 0x8f, 0, t0, t1], rest) => self.ethertype(be16(t0, t1), rest),
            _ => Err(Refusal::LinkTypeUnsupported),
        }
    }

    fn cooked(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (h, rest) = span.need::<16>(SHORT, CUT)?;
        let [_, _, k0, k1, n0, n1, a0, a1, a2, a3, a4, a5, _, _, p0, p1] = *h;
        self.cooked_source(be16(n0, n1), [a0, a1, a2, a3, a4, a5]);
        self.cooked_payload(be16(k0, k1), be16(p0, p1), rest)
    }

    fn cooked2(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (h, rest) = span.need::<20>(SHORT, CUT)?;
        let [p0, p1, _, _, _, _, _, _, k0, k1, _, n, a0, a1, a2, a3, a4, a5, _, _] = *h;
        self.cooked_source(n.into(), [a0, a1, a2, a3, a4, a5]);
        self.cooked_payload(be16(k0, k1), be16(p0, p1), rest)
    }

    fn cooked_source(&mut self, len: u16, mac: [u8; 6]) {
        if len == 6 {
            self.packet.src_mac = Some(mac);
            self.packet.src = Addr::mac(mac);
        }
    }

    /// Netlink (824) and the 802.11 types put something else than an ethertype there.
    fn cooked_payload(&mut self, hardware: u16, protocol: u16, span: Span<'a>) -> Result<(), Refusal> {
        if matches!(hardware, 801..=804 | 824) {
            self.end(Transport::OtherEthernet, span);
            return Ok(());
        }
        self.ethertype(protocol, span)
    }

    /// The address family is in the byte order of some host; IPv6 has a different number on each BSD.
    fn loopback(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (family, rest) = span.need::<4>(SHORT, CUT)?;
        let family = u32::from_be_bytes(*family);
        match if family > 0xffff { family.swap_bytes() } else { family } {
            2 => self.ipv4(rest),
            10 | 23 | 24 | 28 | 30 => self.ipv6(rest),
            _ => Err(Refusal::LoopbackFamily),
        }
    }

    /// Endace record: 16 bytes, extension headers while their first bit is set, then by type.
    fn erf(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (h, mut rest) = span.need::<16>(SHORT, CUT)?;
        let wire_len = u32::from(be16(h[14], h[15]));
        let mut more = h[8] & 0x80 != 0;
        for _ in 0..MAX_ERF_EXTENSIONS {
            if !more {
                break;
            }
            let (extension, after) = rest.need::<8>(SHORT, CUT)?;
            (more, rest) = (extension[0] & 0x80 != 0, after);
        }
        match h[8] & 0x7f {
            // Two bytes of offset and padding, then the frame, whose FCS the length counts.
            2 | 11 | 16 | 20 => {
                let frame = self.erf_payload(rest.after(2), wire_len.saturating_sub(4));
                self.ethernet(frame)
            }
            21 | 25 => {
                let frame = self.erf_payload(rest, wire_len);
                self.infiniband(frame)
            }
            22 | 23 => {
                let frame = self.erf_payload(rest, wire_len);
                self.ip(frame)
            }
            _ => Err(Refusal::ErfType),
        }
    }

    fn erf_payload(&mut self, span: Span<'a>, wire_len: u32) -> Span<'a> {
        let frame = span.claimed(wire_len);
        self.packet.wire_len = wire_len;
        self.packet.whole = !frame.is_cut();
        frame
    }
}
