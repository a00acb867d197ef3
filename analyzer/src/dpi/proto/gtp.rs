//! GPRS Tunnelling Protocol, all versions (3GPP TS 29.281, TS 29.274, TS 29.060).

use crate::dpi::bytes::Bytes;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "gtp",
    "GPRS Tunnelling Protocol",
    Group::Secure,
    Over::UDP,
    &[2152, 2123, 3386],
    "3GPP TS 29.281, TS 29.274, TS 29.060",
    |l, _| probe(l),
)
.datagrams(4, &[(0x1e, 0x1f), (0x30, 0x37), (0x40, 0x58)])];

/// Version and protocol bits, type, length to the end.
fn probe(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(first), Some(kind), Some(len)) = (here.u8(0), here.u8(1), here.be16(2).map(usize::from)) else {
        return Answer::NotForUs;
    };
    let version = first >> 5;
    let sized = match version {
        1 => here.len() == 8 + len || !look.whole,
        2 => here.len() == 4 + len || !look.whole,
        0 => here.len() == 20 + len,
        _ => false,
    };
    let proper = match version {
        1 => first & 0x18 == 0x10 && matches!(kind, 1..=7 | 16..=38 | 48..=61 | 96..=128 | 240..=241 | 254 | 255),
        2 => {
            first & 0x07 == 0
                && matches!(kind, 1..=3 | 25..=41 | 64..=73 | 95..=109 | 128..=141 | 149..=171 | 176..=211 | 231..=235)
        }
        0 => first & 0x1e == 0x1e && matches!(kind, 1..=7 | 16..=61 | 240..=241 | 255),
        _ => false,
    };
    let at_port = look.ports_of(&[2152, 2123, 3386]);
    let carries_ip = version == 1
        && kind == 255
        && matches!(here.u8(8 + if first & 7 != 0 { 4 } else { 0 }), Some(0x45..=0x4f | 0x60..=0x6f));
    let elements = version == 2 && look.whole && elements_end(here, if first & 8 != 0 { 12 } else { 8 });
    match sized && proper {
        true if at_port || carries_ip || elements => Answer::Certain("gtp", 0.93),
        true => Answer::Certain("gtp", 0.6),
        false => Answer::NotForUs,
    }
}

/// Information elements of version 2 (type, length, spare and instance) lead to the exact end (3GPP TS 29.274 8.2.1).
fn elements_end(here: &[u8], mut at: usize) -> bool {
    for _ in 0..64 {
        let (Some(kind), Some(len), Some(instance)) = (here.u8(at), here.be16(at + 1), here.u8(at + 3)) else {
            return false;
        };
        if kind == 0 || instance > 15 {
            return false;
        }
        at += 4 + usize::from(len);
        if at == here.len() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn a_tunnelled_packet_on_any_port() {
        let mut packet = vec![0x30, 255, 0, 20, 0, 0, 0, 1, 0x45];
        packet.resize(28, 0);
        assert_eq!(named(Over::UDP, 9, 1, &packet), Some("gtp"));
    }

    #[test]
    fn signalling_of_version_2_by_its_elements() {
        // Modify Bearer Request: a bearer context, a recovery counter.
        let request = [0x48, 34, 0, 18, 0, 0, 0, 1, 0, 0, 7, 0, 93, 0, 1, 0, 5, 3, 0, 1, 0, 9];
        assert_eq!(named(Over::UDP, 9, 1, &request), Some("gtp"));
        let mut other = request;
        other[15] = 0x20;
        assert_eq!(named(Over::UDP, 9, 1, &other), None);
    }
}
