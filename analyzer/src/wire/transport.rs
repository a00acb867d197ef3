//! Transports over IP, and the tunnels among them.

use super::Refusal;
use super::span::{Span, be16, be32};
use super::walk::Walk;
use crate::packet::{Tcp, Transport};

impl<'a> Walk<'a, '_> {
    /// By IP protocol number.
    pub fn transport(&mut self, protocol: u8, span: Span<'a>) -> Result<(), Refusal> {
        match protocol {
            6 => self.tcp(span),
            17 => self.udp(span),
            1 | 58 => self.icmp(span),
            132 => self.sctp(span),
            47 => self.gre(span),
            4 | 41 => {
                self.enter()?;
                self.ip(span)
            }
            97 => self.ether_ip(span),
            _ => self.other_ip(span),
        }
    }

    /// Something that is not read further.
    pub fn other_ip(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        self.end(Transport::OtherIp, span);
        Ok(())
    }

    fn tcp(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (transport, payload) = tcp_header(span)?;
        self.end(transport, payload);
        Ok(())
    }

    /// RFC 768. The destination port alone decides what is inside: the source port is entropy in RoCE and in tunnels.
    fn udp(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (&[s0, s1, d0, d1, l0, l1, _, _], rest) = span.need::<8>(Refusal::UdpTooShort, Refusal::UdpCut)?;
        let (sport, dport) = (be16(s0, s1), be16(d0, d1));
        let payload = match u32::from(be16(l0, l1)) {
            0 => rest,
            length if length < 8 => return Err(Refusal::UdpLength),
            length => rest.within(length - 8),
        };
        if self.rdma_ports.contains(&dport) {
            return self.roce_v2(sport, dport, payload);
        }
        self.packet.transport = Transport::Udp(sport, dport);
        match dport {
            4789 | 8472 => self.vxlan(payload),
            6081 => self.geneve(payload),
            2152 => self.gtp_u(payload),
            _ => self.plain_udp(payload),
        }
    }

    /// UDP that is no tunnel: the ports are noted already.
    pub fn plain_udp(&mut self, payload: Span<'a>) -> Result<(), Refusal> {
        self.end(self.packet.transport, payload);
        Ok(())
    }

    /// RFC 792, RFC 4443.
    fn icmp(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (&[kind, code, _, _], _) = span.need::<4>(Refusal::IcmpTooShort, Refusal::IcmpCut)?;
        self.end(Transport::Icmp(kind, code), span.after(8));
        Ok(())
    }

    /// RFC 9260.
    fn sctp(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        if span.len < 12 {
            return Err(Refusal::SctpTooShort);
        }
        let (&[s0, s1, d0, d1], _) = span.need::<4>(Refusal::SctpTooShort, Refusal::SctpCut)?;
        self.end(Transport::Sctp(be16(s0, s1), be16(d0, d1)), span.after(12));
        Ok(())
    }
}

/// RFC 9293. Fourteen bytes reach the flags: with those a cut header is still of use.
#[inline]
pub(super) fn tcp_header(span: Span<'_>) -> Result<(Transport, Span<'_>), Refusal> {
    if span.len < 20 {
        return Err(Refusal::TcpTooShort);
    }
    let (h, _) = span.need::<14>(Refusal::TcpTooShort, Refusal::TcpCut)?;
    let header_len = usize::from(h[12] >> 4) * 4;
    if header_len < 20 || header_len as u64 > u64::from(span.len) {
        return Err(Refusal::TcpHeaderLength);
    }
    let window = span.take::<16>().map_or(0, |(h, _)| be16(h[14], h[15]));
    let tcp = Tcp {
        sport: be16(h[0], h[1]),
        dport: be16(h[2], h[3]),
        seq: be32(h, 4),
        ack: be32(h, 8),
        flags: h[13],
        window,
    };
    Ok((Transport::Tcp(tcp), span.after(header_len)))
}
