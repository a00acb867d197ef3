//! IPv4 (RFC 791) and IPv6 (RFC 8200), to the transport.

use super::Refusal;
use super::span::{Span, be16};
use super::walk::Walk;
use crate::packet::{Addr, Ip, Transport};

/// IPv6 extension headers followed one after another.
const MAX_EXTENSIONS: usize = 8;

impl<'a> Walk<'a, '_> {
    /// By the version in the first nibble.
    pub fn ip(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        match span.bytes.first().map(|b| b >> 4) {
            Some(4) => self.ipv4(span),
            Some(6) => self.ipv6(span),
            _ => Err(Refusal::IpVersion),
        }
    }

    /// From the IPv4 header on.
    pub fn ipv4(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (h, _) = span.need::<20>(Refusal::Ipv4TooShort, Refusal::Ipv4Cut)?;
        let header_len = usize::from(h[0] & 0x0f) * 4;
        if h[0] >> 4 != 4 {
            return Err(Refusal::Ipv4Version);
        }
        if header_len < 20 || header_len as u64 > u64::from(span.len) {
            return Err(Refusal::Ipv4HeaderLength);
        }
        // Length 0: the sender's adapter cuts it into segments later (TSO), the copy was taken before.
        let total = match u32::from(be16(h[2], h[3])) {
            0 => span.len,
            total if total < header_len as u32 => return Err(Refusal::Ipv4TotalLength),
            total => total,
        };
        let packet = self.claim(span, total);
        let fragment = be16(h[6], h[7]);
        self.packet.ip = Some(Ip {
            dscp: h[1] >> 2,
            ecn: h[1] & 3,
            ttl: h[8],
            id: be16(h[4], h[5]),
            protocol: h[9],
            later_fragment: fragment & 0x1fff != 0,
        });
        self.packet.src = Addr::v4([h[12], h[13], h[14], h[15]]);
        self.packet.dst = Addr::v4([h[16], h[17], h[18], h[19]]);
        self.packet.ethertype = 0x0800;
        self.ip_payload(h[9], packet.after(header_len))
    }

    /// From the IPv6 header on.
    pub fn ipv6(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (h, _) = span.need::<40>(Refusal::Ipv6TooShort, Refusal::Ipv6Cut)?;
        if h[0] >> 4 != 6 {
            return Err(Refusal::Ipv6Version);
        }
        // Length 0: a jumbogram (RFC 2675), or segmented later by the sender's adapter.
        let total = match u32::from(be16(h[4], h[5])) {
            0 => span.len,
            payload => payload + 40,
        };
        let packet = self.claim(span, total);
        let class = h[0] << 4 | h[1] >> 4;
        self.packet.ip =
            Some(Ip { dscp: class >> 2, ecn: class & 3, ttl: h[7], id: 0, protocol: h[6], later_fragment: false });
        let (mut src, mut dst) = ([0; 16], [0; 16]);
        src.copy_from_slice(&h[8..24]);
        dst.copy_from_slice(&h[24..40]);
        self.packet.src = Addr(src);
        self.packet.dst = Addr(dst);
        self.packet.ethertype = 0x86dd;
        self.ip_payload(h[6], packet.after(40))
    }

    /// The packet ends where its header says; when that is beyond the frame, the mirror cut it and the frame was longer.
    fn claim(&mut self, span: Span<'a>, total: u32) -> Span<'a> {
        let packet = span.claimed(total);
        let missing = total.saturating_sub(span.len);
        self.packet.wire_len = self.packet.wire_len.saturating_add(missing);
        self.packet.shortened |= missing > 0;
        self.packet.network = packet.bytes;
        self.packet.whole = !packet.is_cut();
        packet
    }

    /// Extension headers, then the transport. An authentication header (RFC 4302) is skipped in IPv4 too.
    fn ip_payload(&mut self, mut protocol: u8, mut span: Span<'a>) -> Result<(), Refusal> {
        for _ in 0..=MAX_EXTENSIONS {
            if self.packet.ip.is_some_and(|ip| ip.later_fragment) {
                return self.finish_ip(protocol, span);
            }
            let len = match self.extension_len(protocol, span)? {
                Some(len) => len,
                None => return self.finish_ip(protocol, span),
            };
            protocol = span.bytes.first().copied().unwrap_or(59);
            if span.bytes.len() < len {
                return Err(span.missing(len, Refusal::Ipv6ExtensionTooShort, Refusal::Ipv6ExtensionCut));
            }
            span = span.after(len);
        }
        Err(Refusal::Ipv6ExtensionChain)
    }

    /// Length in bytes of the extension header that `protocol` announces; none if it announces something else.
    fn extension_len(&mut self, protocol: u8, span: Span<'a>) -> Result<Option<usize>, Refusal> {
        if protocol == 51 {
            let (&[_, words], _) = span.need::<2>(Refusal::Ipv6ExtensionTooShort, Refusal::Ipv6ExtensionCut)?;
            return Ok(Some((usize::from(words) + 2) * 4));
        }
        let is_extension = matches!(protocol, 0 | 43 | 44 | 60 | 135 | 139 | 140);
        if self.packet.ethertype != 0x86dd || !is_extension {
            return Ok(None);
        }
        let (&[_, units, offset0, offset1], _) =
            span.need::<4>(Refusal::Ipv6ExtensionTooShort, Refusal::Ipv6ExtensionCut)?;
        if protocol != 44 {
            return Ok(Some((usize::from(units) + 1) * 8));
        }
        if let Some(ip) = &mut self.packet.ip {
            ip.later_fragment = be16(offset0, offset1) >> 3 != 0;
        }
        Ok(Some(8))
    }

    fn finish_ip(&mut self, protocol: u8, span: Span<'a>) -> Result<(), Refusal> {
        let mut later_fragment = false;
        if let Some(ip) = &mut self.packet.ip {
            ip.protocol = protocol;
            later_fragment = ip.later_fragment;
        }
        if later_fragment {
            self.end(Transport::OtherIp, span);
            return Ok(());
        }
        self.transport(protocol, span)
    }
}
