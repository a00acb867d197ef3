//! Whether bytes look like a frame: envelopes whose headers differ from their documents are found by what is inside.

use super::ethernet::is_vlan;
use super::span::{Span, be16};

/// Furthest offset in bytes at which an inner frame is looked for.
const SEARCH: usize = 40;

/// IPv4 with a sound header and a length that fits, or that the mirror cut.
pub(super) fn ipv4(span: Span<'_>) -> bool {
    let Some((h, _)) = span.take::<20>() else { return false };
    let header = u32::from(h[0] & 0x0f) * 4;
    let total = u32::from(be16(h[2], h[3]));
    h[0] >> 4 == 4 && header >= 20 && total >= header && header <= span.len && h[8] != 0
}

/// IPv6 with version 6 and a length that is not beyond all frames.
pub(super) fn ipv6(span: Span<'_>) -> bool {
    span.take::<40>().is_some_and(|(h, _)| h[0] >> 4 == 6)
}

/// Ethernet with an ethertype that is known and, for IP, an IP header behind it.
pub(super) fn ethernet(span: Span<'_>) -> bool {
    let Some((header, mut rest)) = span.take::<14>() else { return false };
    let mut ethertype = be16(header[12], header[13]);
    for _ in 0..3 {
        if !is_vlan(ethertype) {
            break;
        }
        let Some((&[_, _, t0, t1], inner)) = rest.take::<4>() else { return false };
        (ethertype, rest) = (be16(t0, t1), inner);
    }
    match ethertype {
        0x0800 => ipv4(rest),
        0x86dd => ipv6(rest),
        0x8915 => ipv6(rest),
        0x0806 => rest.bytes.starts_with(&[0, 1, 8, 0]),
        0x8808 => rest.bytes.starts_with(&[1, 1]) || rest.bytes.starts_with(&[0, 1]),
        0x8847 | 0x8848 | 0x8809 | 0x88cc | 0x88f7 | 0x8926 | 0x893f | 0xd28b => header[6] & 1 == 0,
        // Spanning tree and its like: LLC to a multicast address.
        4..0x600 => header[0] & 1 == 1 && header[6] & 1 == 0 && u32::from(ethertype) <= rest.len,
        _ => false,
    }
}

/// Where the inner frame begins: as documented if that looks like a frame, else the nearest offset that does, else as documented.
pub(super) fn inner_offset(span: Span<'_>, documented: usize) -> usize {
    if ethernet(span.after(documented)) {
        return documented;
    }
    let near = |distance: usize| [documented.checked_sub(distance), documented.checked_add(distance)];
    let candidates = (1..=SEARCH / 2).flat_map(|half| near(half * 2)).flatten().filter(|&at| at <= SEARCH);
    candidates.into_iter().find(|&at| ethernet(span.after(at))).unwrap_or(documented)
}
