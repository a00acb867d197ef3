//! Ethernet, its tags, and what it carries besides IP.

use super::Refusal;
use super::plausible;
use super::span::{Span, be16, be32};
use super::walk::Walk;
use crate::packet::{Addr, Pause, Transport};

/// Tags followed one after another.
const MAX_TAGS: usize = 8;
/// MPLS labels followed one after another.
const MAX_LABELS: usize = 16;

/// 802.1Q, 802.1ad, and the older QinQ numbers.
pub(super) fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100 | 0x9200)
}

type Tag<'a> = Option<(u16, Span<'a>)>;

impl<'a> Walk<'a, '_> {
    /// From the destination MAC on.
    pub fn ethernet(&mut self, frame: Span<'a>) -> Result<(), Refusal> {
        let (header, rest) = frame.need::<14>(Refusal::EthernetTooShort, Refusal::EthernetCut)?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        let (dst, src) = ([d0, d1, d2, d3, d4, d5], [s0, s1, s2, s3, s4, s5]);
        let packet = &mut self.packet;
        packet.dst_mac = Some(dst);
        packet.src_mac = Some(src);
        packet.dst = Addr::mac(dst);
        packet.src = Addr::mac(src);
        packet.vlan = None;
        packet.pcp = 0;
        packet.ip = None;
        packet.network = &[];
        packet.whole = !frame.is_cut();
        self.ethertype(be16(t0, t1), rest)
    }

    /// From behind an ethertype on: first the tags.
    pub fn ethertype(&mut self, mut ethertype: u16, mut span: Span<'a>) -> Result<(), Refusal> {
        for _ in 0..MAX_TAGS {
            match self.tag(ethertype, span)? {
                Some((next, rest)) => (ethertype, span) = (next, rest),
                None => return self.network(ethertype, span),
            }
        }
        Err(Refusal::TagsNested)
    }

    fn tag(&mut self, ethertype: u16, span: Span<'a>) -> Result<Tag<'a>, Refusal> {
        match ethertype {
            0x0800 | 0x86dd => Ok(None),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => self.vlan_tag(span).map(Some),
            // Cisco VNTag: 4 bytes; IEEE 802.1BR E-tag and Cisco metadata: 6 bytes; then the next ethertype.
            0x8926 => opaque_tag::<6>(span).map(Some),
            0x893f | 0x8909 => opaque_tag::<8>(span).map(Some),
            0xd28b => self.arista_tag(span),
            _ => Ok(None),
        }
    }

    fn vlan_tag(&mut self, span: Span<'a>) -> Result<(u16, Span<'a>), Refusal> {
        let (&[c0, c1, t0, t1], rest) = span.need::<4>(Refusal::TagTooShort, Refusal::TagCut)?;
        let control = be16(c0, c1);
        let (id, pcp) = (control & 0x0fff, (control >> 13) as u8);
        if self.depth == 0 && self.packet.outer_vlan.is_none() {
            self.packet.outer_vlan = Some(id);
        }
        if self.rspan && self.depth == 0 {
            self.rspan_tag(id);
        } else {
            self.packet.pcp = pcp;
            // Id 0 is a priority tag: it names no VLAN.
            if id != 0 {
                self.packet.vlan = Some(id);
            }
        }
        Ok((be16(t0, t1), rest))
    }

    /// Arista's timestamp tag: subtype, time scale, format, hardware, seconds and nanoseconds.
    fn arista_tag(&mut self, span: Span<'a>) -> Result<Tag<'a>, Refusal> {
        let (&[s0, s1, _scale, format], rest) = span.need::<4>(Refusal::TagTooShort, Refusal::TagCut)?;
        let (time_ns, rest) = match (be16(s0, s1), format >> 4) {
            (1, 1) => {
                let (time, rest) = rest.need::<8>(Refusal::TagTooShort, Refusal::TagCut)?;
                (at_ns(be32(time, 0), be32(time, 4)), rest)
            }
            (1, 2) => {
                let (time, rest) = rest.need::<6>(Refusal::TagTooShort, Refusal::TagCut)?;
                (at_ns(be16(time[0], time[1]).into(), be32(time, 2)), rest)
            }
            _ => return Ok(None),
        };
        self.packet.mirror.hardware_ns.get_or_insert(time_ns);
        let (&[t0, t1], rest) = rest.need::<2>(Refusal::TagTooShort, Refusal::TagCut)?;
        Ok(Some((be16(t0, t1), rest)))
    }

    fn network(&mut self, ethertype: u16, span: Span<'a>) -> Result<(), Refusal> {
        self.packet.ethertype = ethertype;
        match ethertype {
            0x0800 => self.ipv4(span),
            0x86dd => self.ipv6(span),
            0x0806 => self.arp(span),
            0x8808 => self.mac_control(span),
            0x8847 | 0x8848 => self.mpls(span),
            0x8915 => self.roce_v1(span),
            0x88cc => self.link_local(Transport::Lldp, span),
            0x8809 if span.bytes.first() == Some(&1) => self.link_local(Transport::Lacp, span),
            0x8864 => self.pppoe(span),
            0..0x600 => self.llc(ethertype, span),
            _ => self.link_local(Transport::OtherEthernet, span),
        }
    }

    fn link_local(&mut self, transport: Transport, span: Span<'a>) -> Result<(), Refusal> {
        self.end(transport, span);
        Ok(())
    }

    /// A PPPoE session (RFC 2516) and the IP in it; other PPP stays unread.
    fn pppoe(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        match span.take::<8>() {
            Some((&[0x11, 0, _, _, _, _, 0x00, 0x21], inner)) if plausible::ipv4(inner) => self.ipv4(inner),
            Some((&[0x11, 0, _, _, _, _, 0x00, 0x57], inner)) if plausible::ipv6(inner) => self.ipv6(inner),
            _ => self.link_local(Transport::OtherEthernet, span),
        }
    }

    /// 802.3 length, then LLC: SNAP with the zero OUI leads to an ethertype (RFC 1042).
    fn llc(&mut self, length: u16, span: Span<'a>) -> Result<(), Refusal> {
        let span = if length == 0 { span } else { span.within(length.into()) };
        match span.take::<8>() {
            Some((&[0xaa, 0xaa, 3, 0, 0, 0, t0, t1], rest)) if be16(t0, t1) >= 0x600 => {
                self.network(be16(t0, t1), rest)
            }
            _ => self.link_local(Transport::OtherEthernet, span),
        }
    }

    fn arp(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (header, rest) = span.need::<8>(Refusal::ArpTooShort, Refusal::ArpCut)?;
        let operation = be16(header[6], header[7]);
        // Only IPv4 over 6-byte hardware addresses names its ends by IP (RFC 826).
        if header[2..6] == [0x08, 0, 6, 4] {
            let (body, _) = rest.need::<20>(Refusal::ArpTooShort, Refusal::ArpCut)?;
            let [.., a0, a1, a2, a3, _, _, _, _, _, _, b0, b1, b2, b3] = *body;
            self.packet.src = Addr::v4([a0, a1, a2, a3]);
            self.packet.dst = Addr::v4([b0, b1, b2, b3]);
        }
        self.end(Transport::Arp(operation), rest);
        Ok(())
    }

    /// 802.3x PAUSE and priority flow control (IEEE 802.1Qbb).
    fn mac_control(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (&[o0, o1], rest) = span.need::<2>(Refusal::PauseTooShort, Refusal::PauseCut)?;
        let pause = match be16(o0, o1) {
            0x0001 => {
                let (&[q0, q1], _) = rest.need::<2>(Refusal::PauseTooShort, Refusal::PauseCut)?;
                Pause { quanta: [Some(be16(q0, q1)); 8], global: true }
            }
            0x0101 => {
                let (body, _) = rest.need::<18>(Refusal::PauseTooShort, Refusal::PauseCut)?;
                Pause { quanta: pfc_quanta(body), global: false }
            }
            _ => return self.link_local(Transport::OtherEthernet, span),
        };
        self.link_local(Transport::Pause(pause), rest)
    }

    /// Label stack (RFC 3032), then IP by its first nibble, or a pseudowire with or without control word (RFC 4448).
    fn mpls(&mut self, mut span: Span<'a>) -> Result<(), Refusal> {
        for _ in 0..MAX_LABELS {
            let (label, rest) = span.need::<4>(Refusal::MplsStack, Refusal::MplsCut)?;
            span = rest;
            if label[2] & 1 == 1 {
                return self.under_labels(span);
            }
        }
        Err(Refusal::MplsStack)
    }

    fn under_labels(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        if plausible::ethernet(span.after(4)) && span.bytes.first().is_some_and(|b| b >> 4 == 0) {
            self.enter()?;
            return self.ethernet(span.after(4));
        }
        match span.bytes.first().map(|b| b >> 4) {
            Some(4) if plausible::ipv4(span) => self.ethertype(0x0800, span),
            Some(6) if plausible::ipv6(span) => self.ethertype(0x86dd, span),
            _ if plausible::ethernet(span) => {
                self.enter()?;
                self.ethernet(span)
            }
            _ => self.link_local(Transport::OtherEthernet, span),
        }
    }
}

fn opaque_tag<const N: usize>(span: Span<'_>) -> Result<(u16, Span<'_>), Refusal> {
    let (tag, rest) = span.need::<N>(Refusal::TagTooShort, Refusal::TagCut)?;
    let [.., t0, t1] = tag.as_slice() else { return Err(Refusal::TagTooShort) };
    Ok((be16(*t0, *t1), rest))
}

fn at_ns(seconds: u32, ns: u32) -> u64 {
    u64::from(seconds) * 1_000_000_000 + u64::from(ns)
}

fn pfc_quanta(body: &[u8; 18]) -> [Option<u16>; 8] {
    let enabled = body[1];
    let mut quanta = [None; 8];
    for (class, (slot, pair)) in quanta.iter_mut().zip(body[2..].chunks_exact(2)).enumerate() {
        if enabled >> class & 1 == 1 {
            *slot = Some(be16(pair[0], pair[1]));
        }
    }
    quanta
}
