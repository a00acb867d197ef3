//! A first look at a frame: RoCEv2 over Ethernet with at most two tags and IPv4 without options, the shape of nearly every
//! frame that matters for speed. Reads the few words that tell the flow and what changes from one of its packets to the next.
//! The same inside ERSPAN type III without a sub-header. Anything else is left to the decoder, which also gives the same for these: a test compares the two.

use super::flows::fold;

/// Words of a header that stay the same from packet to packet of a flow.
pub(super) type Lasting = [u64; 8];

const MAX_TAGS: usize = 2;
const ETHERNET_LEN: usize = 14;
const TAG_LEN: usize = 4;
/// IPv4, UDP, base transport header.
const NETWORK_LEN: usize = 40;
const IPV4_LEN: u32 = 20;
const UDP_LEN: u32 = 8;
const BTH_LEN: u32 = 12;
const ICRC_LEN: u32 = 4;
/// Queue pairs 0 and 1 are for management.
const MANAGEMENT_QPS: u32 = 2;

/// What the first look saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peek {
    /// Addresses, tags, ports, queue pair, and all else that does not change within a flow; the ECN bits are in it too.
    pub lasting: Lasting,
    /// Of the flow's key.
    pub hash: u32,
    /// Length on the wire.
    pub wire_len: u32,
    /// Bytes behind the base transport header by the headers, without padding and ICRC.
    pub body_len: u32,
    /// Where in the frame they begin.
    pub body_at: usize,
    /// Where in the frame the IP header begins, and how long IP says the packet is.
    pub network_at: usize,
    pub network_len: u32,
    pub envelope: Option<Envelope>,
    pub psn: u32,
    pub ip_id: u16,
    pub opcode: u8,
    pub ack_req: bool,
    /// All that IP claims was captured.
    pub whole: bool,
    /// The capture cut the frame.
    pub cut: bool,
}

impl Peek {
    /// Begins or ends a message, or answers: not in the middle of one.
    #[inline(always)]
    pub fn is_turn(&self) -> bool {
        !matches!(self.opcode & 0x1f, 0x01 | 0x07 | 0x0e)
    }

    /// ECN bits of the IP header.
    #[inline(always)]
    pub fn ecn(&self) -> u8 {
        ecn(&self.lasting)
    }
}

/// ECN bits among the words that last.
#[inline(always)]
pub(super) fn ecn(lasting: &Lasting) -> u8 {
    (lasting[3] >> 48) as u8 & 3
}

/// DSCP among the words that last.
#[inline(always)]
pub(super) fn dscp(lasting: &Lasting) -> u8 {
    (lasting[3] >> 50) as u8 & 0x3f
}

/// Time to live among the words that last.
#[inline(always)]
pub(super) fn ttl(lasting: &Lasting) -> u8 {
    (lasting[4] >> 56) as u8
}

/// The same, without a call for so few words.
#[inline(always)]
pub(super) fn same(a: &Lasting, b: &Lasting) -> bool {
    let [a0, a1, a2, a3, a4, a5, a6, a7] = *a;
    let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
    (a0 ^ b0) | (a1 ^ b1) | (a2 ^ b2) | (a3 ^ b3) | (a4 ^ b4) | (a5 ^ b5) | (a6 ^ b6) | (a7 ^ b7) == 0
}

/// The same but for the ECN bits, which congestion changes.
pub(super) fn same_but_ecn(a: &Lasting, b: &Lasting) -> bool {
    let ecn = 3 << 48;
    a.iter().zip(b).enumerate().all(|(at, (a, b))| (a ^ b) & if at == 3 { !ecn } else { u64::MAX } == 0)
}

#[inline(always)]
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk::<8>()).map_or(0, |b| u64::from_be_bytes(*b))
}

/// A mirror's envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// Outer source address and session: the mirror, with the interface.
    pub mirror: (u32, u16),
    /// A copy of what leaves the mirrored port.
    pub egress: bool,
    /// The switch cut the frame.
    pub truncated: bool,
    /// GRE sequence number.
    pub sequence: u32,
}

/// Outer Ethernet, IPv4, GRE with a sequence number, ERSPAN type III.
const ENVELOPE_LEN: usize = ETHERNET_LEN + 20 + 8 + 12;

/// Looks at a frame; `wire_len` is its length before the capture cut it.
#[inline(always)]
pub(super) fn peek(rdma_ports: &[u16], bytes: &[u8], wire_len: u32) -> Option<Peek> {
    match (bytes.get(12), bytes.get(ETHERNET_LEN + 9)) {
        (Some(8), Some(47)) => enveloped(rdma_ports, bytes, wire_len),
        _ => plain(rdma_ports, bytes, wire_len),
    }
}

#[inline(always)]
fn enveloped(rdma_ports: &[u16], bytes: &[u8], wire_len: u32) -> Option<Peek> {
    let h = bytes.first_chunk::<ENVELOPE_LEN>()?;
    let (ip, gre, flags) = (word(h, 14), word(h, 34), word(h, 42));
    // Untagged IPv4 without options, no fragment; GRE with a sequence number and nothing else; version 2, BSO 0.
    let known = (h[12], h[13]) == (8, 0) && ip >> 56 == 0x45 && ip & 0x3fff == 0 && gre >> 32 == 0x1000_22eb;
    let last = u16::from_be_bytes([h[52], h[53]]);
    // Neither a sub-header nor an IP packet without Ethernet.
    if !known || flags >> 60 != 2 || flags >> 43 & 3 != 0 || last & 1 != 0 || last >> 10 & 0x1f == 2 {
        return None;
    }
    let captured = bytes.len() as u32;
    let total = (ip >> 32) as u16 as u32;
    let end = ETHERNET_LEN as u32 + total;
    let inner_len = end.checked_sub(ENVELOPE_LEN as u32)?;
    if end > wire_len.max(captured) {
        return None;
    }
    let inner = bytes.get(ENVELOPE_LEN..bytes.len().min(end as usize))?;
    let mut seen = plain(rdma_ports, inner, inner_len)?;
    // One tag at most: in place of a second one stands what the envelope says of the frame's VLAN and class.
    if ttl(&seen.lasting) == 0 || seen.lasting[2] >> 32 != 0 {
        return None;
    }
    let session = (flags >> 32) as u16 & 0x03ff;
    seen.lasting[2] |= (flags >> 32 & 0x0fff_e000) << 32;
    seen.body_at += ENVELOPE_LEN;
    seen.network_at += ENVELOPE_LEN;
    seen.cut = captured < wire_len;
    seen.envelope = Some(Envelope {
        mirror: (u32::from_be_bytes([h[26], h[27], h[28], h[29]]), session),
        egress: last >> 3 & 1 == 1,
        truncated: flags >> 42 & 1 == 1,
        sequence: gre as u32,
    });
    Some(seen)
}

#[inline(always)]
fn plain(rdma_ports: &[u16], bytes: &[u8], wire_len: u32) -> Option<Peek> {
    let ethernet = bytes.first_chunk::<ETHERNET_LEN>()?;
    let (mut ethertype, mut at, mut tags) = (u16::from_be_bytes([ethernet[12], ethernet[13]]), ETHERNET_LEN, 0u64);
    for _ in 0..MAX_TAGS {
        if ethertype != 0x8100 {
            break;
        }
        let tag = bytes.get(at..)?.first_chunk::<TAG_LEN>()?;
        tags = tags << 32 | u64::from(u32::from_be_bytes(*tag));
        ethertype = u16::from_be_bytes([tag[2], tag[3]]);
        at += TAG_LEN;
    }
    let h = bytes.get(at..)?.first_chunk::<NETWORK_LEN>()?;
    let (w0, w1, w2, w3, w4) = (word(h, 0), word(h, 8), word(h, 16), word(h, 24), word(h, 32));
    // Version 4 without options, no fragment, UDP.
    let plain = w0 >> 56 == 0x45 && w0 & 0x3fff == 0 && w1 >> 48 & 0xff == 17;
    if ethertype != 0x0800 || !plain || !rdma_ports.contains(&(w2 as u16)) {
        return None;
    }
    let captured = bytes.len() as u32;
    let frame_len = wire_len.max(captured);
    let total = (w0 >> 32) as u16 as u32;
    let udp_len = (w3 >> 48) as u32;
    let behind_udp = udp_len.checked_sub(UDP_LEN)?.min(total.checked_sub(IPV4_LEN + UDP_LEN)?);
    let pad = (w3 >> 20) as u32 & 3;
    let body_len = behind_udp.checked_sub(BTH_LEN + ICRC_LEN + pad)?;
    let dst_qp = (w4 >> 32) as u32 & 0x00ff_ffff;
    if total > frame_len - at as u32 || dst_qp < MANAGEMENT_QPS {
        return None;
    }
    let lasting = [
        word(ethernet, 0),
        word(ethernet, 6),
        tags,
        w0 & 0xffff_0000_0000_ffff,
        w1 & 0xffff_0000_ffff_ffff,
        w2,
        w3 & 0x0000_0000_0000_ffff,
        w4 & 0xffff_ffff_0000_0000,
    ];
    Some(Peek {
        lasting,
        hash: hash_v4(w1 as u32, (w2 >> 32) as u32, w2 as u16, dst_qp),
        wire_len: frame_len,
        body_len,
        body_at: at + NETWORK_LEN,
        network_at: at,
        network_len: total,
        envelope: None,
        psn: w4 as u32 & 0x00ff_ffff,
        ip_id: (w0 >> 16) as u16,
        opcode: (w3 >> 24) as u8,
        ack_req: w4 & 0x8000_0000 != 0,
        whole: captured - at as u32 >= total,
        cut: captured < wire_len,
    })
}

/// [`super::flows::hash`] of a RoCEv2 flow over IPv4.
#[inline(always)]
fn hash_v4(src: u32, dst: u32, dport: u16, dst_qp: u32) -> u32 {
    // An IPv4 address is the last four bytes of ::ffff:0:0, which is read in little-endian order.
    let mapped = |addr: u32| u64::from(addr.swap_bytes()) << 32 | 0xffff_0000;
    fold(mapped(src), mapped(dst), u64::from(dport) << 32 | u64::from(dst_qp), 17)
}

#[cfg(test)]
mod tests {
    use super::super::flows::hash;
    use super::*;
    use crate::packet::Addr;
    use crate::tick::FlowKey;

    #[test]
    fn the_hash_is_that_of_the_flow() {
        let (src, dst) = ([10, 0, 3, 7], [10, 0, 9, 200]);
        let key = FlowKey {
            src: Addr::v4(src),
            dst: Addr::v4(dst),
            sport: 0,
            dport: 4791,
            protocol: 17,
            dst_qp: Some(0x0012_3456),
        };
        let short = hash_v4(u32::from_be_bytes(src), u32::from_be_bytes(dst), 4791, 0x0012_3456);
        assert_eq!(short, hash(&key));
    }
}
