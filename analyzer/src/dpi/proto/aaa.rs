//! RADIUS, TACACS+ and Diameter (RFC 2865, RFC 2866, RFC 5176, RFC 8907, RFC 6733).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "radius",
        "RADIUS",
        Group::Infrastructure,
        Over::UDP,
        &[1812, 1813, 1645, 1646, 3799],
        "RFC 2865, RFC 2866",
        radius,
    )
    .datagrams(20, &[(0x01, 0x05), (0x0b, 0x0d), (0x28, 0x2d)]),
    Protocol::new("tacacs", "TACACS+", Group::Infrastructure, Over::TCP, &[49], "RFC 8907", tacacs),
    Protocol::new("diameter", "Diameter", Group::Infrastructure, Over::TCP, &[3868], "RFC 6733", |l, _| {
        diameter_stream(l)
    }),
];

fn radius(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(code), Some(len)) = (here.u8(0), here.be16(2)) else { return Answer::NotForUs };
    let known = matches!(code, 1..=5 | 11..=13 | 40..=45);
    if !known || usize::from(len) != here.len() || !(20..=4096).contains(&len) {
        return Answer::NotForUs;
    }
    let mut at = 20;
    let mut count = 0;
    while at < here.len() {
        let Some(size) = here.u8(at + 1).map(usize::from).filter(|s| *s >= 2 && at + s <= here.len()) else {
            return Answer::NotForUs;
        };
        if here.u8(at) == Some(1) {
            facts.set("user", here.part(at + 2, size - 2).unwrap_or_default());
        }
        at += size;
        count += 1;
    }
    Answer::Certain("radius", if count > 1 { 0.93 } else { 0.75 })
}

/// Version 12.0 or 12.1, type, an odd sequence number from the client, even from the server; length.
fn tacacs(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(version), Some(kind), Some(seq)) = (here.u8(0), here.u8(1), here.u8(2)) else {
        return if here.first().is_none_or(|v| matches!(v, 0xc0 | 0xc1)) { Answer::Unsure } else { Answer::NotForUs };
    };
    let head = matches!(version, 0xc0 | 0xc1) && matches!(kind, 1..=3) && seq > 0;
    let Some(len) = here.be32(8) else { return if head { Answer::Unsure } else { Answer::NotForUs } };
    let flags = here.u8(3).is_some_and(|f| matches!(f, 0 | 1 | 4 | 5));
    if head && flags && (5..=0xffff).contains(&len) && here.len() == 12 + len as usize {
        return Answer::Certain("tacacs", if look.from_start && seq <= 2 { 0.9 } else { 0.75 });
    }
    Answer::NotForUs
}

/// A message: version 1, length in words, reserved flags zero, a command, an AVP within the length.
pub fn diameter(here: &[u8]) -> Option<bool> {
    let (version, len, flags) = (here.u8(0)?, here.be24(1)?, here.u8(4)?);
    let head = version == 1 && len >= 20 && len % 4 == 0 && flags & 0x0f == 0 && here.be24(5)? > 0;
    let (code, avp_flags, avp) = (here.be32(20)?, here.u8(24)?, here.be24(25)?);
    Some(head && code > 0 && code < 1 << 24 && avp_flags & 0x1f == 0 && avp >= 8 && avp + 20 <= len)
}

fn diameter_stream(look: &Look<'_>) -> Answer {
    match diameter(look.here) {
        Some(true) => Answer::Certain("diameter", 0.96),
        Some(false) => Answer::NotForUs,
        None if look.here.first().is_none_or(|v| *v == 1) => Answer::Unsure,
        None => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn radius_attributes() {
        let mut request = vec![1, 7, 0, 29];
        request.extend([0; 16]);
        request.extend([1, 5, b'b', b'o', b'b', 6, 4, 0, 2]);
        let label = feed(Over::UDP, 9, 18120, &[(true, &request)]);
        assert_eq!(label.named.unwrap().name, "radius");
        assert!(label.attrs.unwrap().contains(&("user", "bob".to_owned())));
        request[26] = 3;
        assert_eq!(named(Over::UDP, 9, 1812, &request), None);
    }

    #[test]
    fn tacacs_and_diameter() {
        let mut start = vec![0xc0, 1, 1, 0, 1, 2, 3, 4, 0, 0, 0, 6];
        start.extend([9; 6]);
        assert_eq!(named(Over::TCP, 9, 4900, &start), Some("tacacs"));
        let mut request = vec![1, 0, 0, 32, 0x80, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
        request.extend([0, 0, 1, 8, 0x40, 0, 0, 12, b'a', b'b', b'c', b'd']);
        assert_eq!(named(Over::TCP, 9, 9, &request), Some("diameter"));
    }
}
