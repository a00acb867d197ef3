//! RDMA: RoCEv2 (IBTA vol 1, annex A17), RoCEv1 (annex A16), native InfiniBand; base transport header and its extensions (9.2, 9.3).

use super::Refusal;
use super::opcode::{self, Extensions};
use super::span::{Span, be16, be24, be32};
use super::walk::Walk;
use crate::packet::{Addr, Bth, Eth, RdmaCarrier, Transport};

const ICRC_LEN: u32 = 4;
/// Next header value of a base transport header (IBTA vol 1, 8.3).
const GRH_NEXT_BTH: u8 = 0x1b;

impl<'a> Walk<'a, '_> {
    /// From behind the UDP header on.
    pub fn roce_v2(&mut self, sport: u16, dport: u16, span: Span<'a>) -> Result<(), Refusal> {
        self.bth(Bth { carrier: RdmaCarrier::RoceV2, sport, dport, ..Bth::default() }, span)
    }

    /// From the global route header on, behind ethertype 0x8915.
    pub fn roce_v1(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let packet = self.grh(span)?;
        self.packet.network = packet.bytes;
        self.bth(Bth { carrier: RdmaCarrier::RoceV1, ..Bth::default() }, packet.after(40))
    }

    /// Native InfiniBand, from the local route header on (IBTA vol 1, 7.7).
    pub fn infiniband(&mut self, span: Span<'a>) -> Result<(), Refusal> {
        let (&[_, next, d0, d1, l0, l1, s0, s1], _) = span.need::<8>(Refusal::LrhInvalid, Refusal::LrhCut)?;
        let len = u32::from(be16(l0, l1) & 0x07ff) * 4;
        if len < 8 {
            return Err(Refusal::LrhInvalid);
        }
        let packet = span.within(len);
        self.packet.whole = !packet.is_cut() && len <= span.len;
        self.packet.dst = Addr::lid(be16(d0, d1));
        self.packet.src = Addr::lid(be16(s0, s1));
        let bth = Bth { carrier: RdmaCarrier::Infiniband, ..Bth::default() };
        let inner = match next & 3 {
            2 => packet.after(8),
            3 => self.grh(packet.after(8))?.after(40),
            _ => return Err(Refusal::LrhNextHeader),
        };
        self.packet.network = packet.bytes;
        self.bth(bth, inner)
    }

    /// Global route header: laid out as IPv6 (IBTA vol 1, 8.3). Gives the packet from it on, as long as it says.
    fn grh(&mut self, span: Span<'a>) -> Result<Span<'a>, Refusal> {
        let (h, _) = span.need::<40>(Refusal::GrhInvalid, Refusal::GrhCut)?;
        if h[0] >> 4 != 6 {
            return Err(Refusal::GrhInvalid);
        }
        if h[6] != GRH_NEXT_BTH {
            return Err(Refusal::GrhNextHeader);
        }
        let total = u32::from(be16(h[4], h[5])) + 40;
        let packet = span.claimed(total);
        self.packet.wire_len = self.packet.wire_len.saturating_add(total.saturating_sub(span.len));
        self.packet.whole = !packet.is_cut();
        let (mut src, mut dst) = ([0; 16], [0; 16]);
        src.copy_from_slice(&h[8..24]);
        dst.copy_from_slice(&h[24..40]);
        self.packet.src = Addr(src);
        self.packet.dst = Addr(dst);
        Ok(packet)
    }

    fn bth(&mut self, carried: Bth, span: Span<'a>) -> Result<(), Refusal> {
        let (bth, payload) = base_transport(carried, span)?;
        self.end(Transport::Rdma(bth), payload);
        Ok(())
    }
}

/// Base transport header and extensions; gives the payload as well.
#[inline(always)]
pub(super) fn base_transport(carried: Bth, span: Span<'_>) -> Result<(Bth, Span<'_>), Refusal> {
    let (h, rest) = span.need::<12>(Refusal::RdmaTooShort, Refusal::RdmaHeaderCut)?;
    // The ICRC is behind payload and padding: neither is payload.
    let pad = h[1] >> 4 & 3;
    let body = rest.within(rest.len.saturating_sub(ICRC_LEN));
    let (eth, payload) = extension_headers(opcode::extensions(h[0]), body);
    let bth = Bth {
        opcode: h[0],
        solicited: h[1] & 0x80 != 0,
        pad,
        pkey: be16(h[2], h[3]),
        fecn: h[4] & 0x80 != 0,
        becn: h[4] & 0x40 != 0,
        dst_qp: be24(h[5], h[6], h[7]),
        ack_req: h[8] & 0x80 != 0,
        psn: be24(h[9], h[10], h[11]),
        eth,
        ..carried
    };
    Ok((bth, payload.within(payload.len.saturating_sub(pad.into()))))
}

/// Reads what was captured of the extension headers; gives what follows them.
#[inline(always)]
fn extension_headers(which: Extensions, mut span: Span<'_>) -> (Eth, Span<'_>) {
    let mut eth = Eth::default();
    if which.prefix {
        span = span.after(4);
    }
    if which.deth {
        eth.src_qp = span.take::<8>().map(|(h, _)| be24(h[5], h[6], h[7]));
        span = span.after(8);
    }
    if which.reth {
        eth.dma_len = span.take::<16>().map(|(h, _)| be32(h, 12));
        span = span.after(16);
    }
    if which.atomic {
        span = span.after(28);
    }
    if which.aeth {
        if let Some((&[syndrome, m0, m1, m2], _)) = span.take::<4>() {
            eth.syndrome = Some(syndrome);
            eth.msn = be24(m0, m1, m2);
        }
        span = span.after(4);
    }
    (eth, span.after(usize::from(which.tail)))
}
