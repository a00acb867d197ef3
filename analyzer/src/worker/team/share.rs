//! Whose a frame is: a cheap look at its addresses, the innermost ones, the same for both directions. What the look can't read is the
//! decoder's; a test compares the two.

use crate::packet::Addr;
use crate::wire::Refusal;

const ETHERNET_LEN: usize = 14;
const TAG_LEN: usize = 4;
/// Tags looked through: two, and the mirror's.
const MAX_TAGS: usize = 3;
/// Outer Ethernet, IPv4, GRE with a sequence number, ERSPAN type III.
const ENVELOPE_LEN: usize = ETHERNET_LEN + 20 + 8 + 12;
const UDP: u8 = 17;
/// IPv4, UDP, base transport header, three bytes of padding, ICRC.
const SHORTEST: usize = 20 + 8 + 12 + 3 + 4;
/// What the look saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// Hash of both addresses, whichever comes first.
    pub pair: u32,
    /// The mirror's outer address and session, and its sequence number, where it is in an envelope of ERSPAN type III.
    pub envelope: Option<((u32, u16), u32)>,
}

/// Whose a frame is, by whatever look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Theirs who have this pair of addresses.
    Pair(u32),
    /// Nobody's: it has no addresses, and what it says is between neighbours.
    Neighbours,
    /// The same, and what it means depends on who sent from its MAC address before.
    Alone,
    /// It can't be read.
    Refused(Refusal),
}

/// Hash of a pair of addresses, the same for both directions.
#[inline(always)]
pub(super) fn pair(a: Addr, b: Addr) -> u32 {
    both(word(&a.0), word(&b.0))
}

#[inline(always)]
fn both(a: u64, b: u64) -> u32 {
    let mixed = (a ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ a.wrapping_add(b);
    (mixed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) >> 32) as u32
}

/// 16 bytes in one word.
#[inline(always)]
fn word(addr: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *addr;
    let (high, low) = (u64::from_be_bytes([a, b, c, d, e, f, g, h]), u64::from_be_bytes([i, j, k, l, m, n, o, p]));
    high.wrapping_mul(0x1656_67b1_9e37_79f9) ^ low
}

/// An IPv4 address is ::ffff:a.b.c.d.
#[inline(always)]
fn word_v4(addr: [u8; 4]) -> u64 {
    0xffff_0000_0000 | u64::from(u32::from_be_bytes(addr))
}

/// Looks at a frame of Ethernet. Most are untagged IPv4.
#[inline(always)]
pub(super) fn look(bytes: &[u8], wire_len: u32) -> Option<Ends> {
    if let Some(h) = bytes.first_chunk::<{ ETHERNET_LEN + 24 }>()
        && (h[12], h[13], h[14]) == (8, 0, 0x45)
        && (h[20] & 0x3f, h[21]) == (0, 0)
        && innermost(h[23], [h[36], h[37]])
    {
        let pair = both(word_v4([h[26], h[27], h[28], h[29]]), word_v4([h[30], h[31], h[32], h[33]]));
        return Some(Ends { pair, envelope: None });
    }
    look_on(bytes, wire_len)
}

#[inline(never)]
fn look_on(bytes: &[u8], wire_len: u32) -> Option<Ends> {
    match (bytes.get(12), bytes.get(ETHERNET_LEN + 9)) {
        (Some(8), Some(47)) => enveloped(bytes, wire_len),
        _ => plain(bytes).map(|pair| Ends { pair, envelope: None }),
    }
}

/// Only what carries RoCEv2 over IPv4 whole as far as its base transport header, which the decoder surely reads: the sequence
/// number of what it refuses does not count.
fn enveloped(bytes: &[u8], wire_len: u32) -> Option<Ends> {
    let h = bytes.first_chunk::<ENVELOPE_LEN>()?;
    // Untagged IPv4 without options, no fragment; GRE with a sequence number and nothing else; version 2 without a sub-header.
    let ip = (h[12], h[13], h[14]) == (8, 0, 0x45) && (h[20] & 0x3f, h[21]) == (0, 0);
    let gre = h[34..38] == [0x10, 0, 0x22, 0xeb] && h[42] >> 4 == 2;
    let last = u16::from_be_bytes([h[52], h[53]]);
    let end = ETHERNET_LEN + usize::from(u16::from_be_bytes([h[16], h[17]]));
    if !ip || !gre || last & 1 != 0 || last >> 10 & 0x1f == 2 || end > bytes.len().max(wire_len as usize) {
        return None;
    }
    let mirror = u32::from_be_bytes([h[26], h[27], h[28], h[29]]);
    let session = u16::from_be_bytes([h[44], h[45]]) & 0x03ff;
    let sequence = u32::from_be_bytes([h[38], h[39], h[40], h[41]]);
    let inner = bytes.get(ENVELOPE_LEN..bytes.len().min(end))?;
    let at = ETHERNET_LEN + if inner.get(12..14)? == [0x81, 0] { TAG_LEN } else { 0 };
    let network = inner.get(at..)?.first_chunk::<40>()?;
    let total = usize::from(u16::from_be_bytes([network[2], network[3]]));
    let udp_len = usize::from(u16::from_be_bytes([network[24], network[25]]));
    if network[9] != UDP || total < SHORTEST || udp_len < SHORTEST - 20 || ENVELOPE_LEN + at + total > end {
        return None;
    }
    let pair = plain(inner)?;
    Some(Ends { pair, envelope: Some(((mirror, session), sequence)) })
}

#[inline(always)]
fn plain(bytes: &[u8]) -> Option<u32> {
    let head = bytes.first_chunk::<ETHERNET_LEN>()?;
    let (mut ethertype, mut at) = (u16::from_be_bytes([head[12], head[13]]), ETHERNET_LEN);
    for _ in 0..MAX_TAGS {
        if ethertype != 0x8100 {
            break;
        }
        let tag = bytes.get(at..)?.first_chunk::<TAG_LEN>()?;
        ethertype = u16::from_be_bytes([tag[2], tag[3]]);
        at += TAG_LEN;
    }
    let network = bytes.get(at..)?;
    match ethertype {
        0x0800 => ipv4(network),
        0x86dd => ipv6(network),
        _ => None,
    }
}

/// Without options, no fragment.
#[inline(always)]
fn ipv4(network: &[u8]) -> Option<u32> {
    let h = network.first_chunk::<24>()?;
    if h[0] != 0x45 || (h[6] & 0x3f, h[7]) != (0, 0) || !innermost(h[9], [h[22], h[23]]) {
        return None;
    }
    Some(both(word_v4([h[12], h[13], h[14], h[15]]), word_v4([h[16], h[17], h[18], h[19]])))
}

/// Without extension headers.
#[inline(always)]
fn ipv6(network: &[u8]) -> Option<u32> {
    let h = network.first_chunk::<44>()?;
    if h[0] >> 4 != 6 || !innermost(h[6], [h[42], h[43]]) {
        return None;
    }
    let address = |at: usize| h.get(at..).and_then(|h| h.first_chunk::<16>()).map_or(0, word);
    Some(both(address(8), address(24)))
}

/// Nothing else is inside: ICMP, TCP, ICMPv6, SCTP, and UDP but to the ports of VXLAN, Geneve and GTP-U.
#[inline(always)]
fn innermost(protocol: u8, dport: [u8; 2]) -> bool {
    match protocol {
        UDP => !matches!(u16::from_be_bytes(dport), 4789 | 8472 | 6081 | 2152),
        1 | 6 | 58 | 132 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_one_pair() {
        let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        assert_eq!(pair(a, b), pair(b, a));
        assert_eq!(pair(a, b), both(word_v4([10, 0, 0, 1]), word_v4([10, 0, 0, 2])));
        assert_ne!(pair(a, b), pair(a, a));
    }
}
