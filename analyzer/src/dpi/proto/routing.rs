//! Routing and fabric control over TCP and UDP: BGP, BMP, BFD, LDP, HSRP, GLBP, RIP.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("bgp", "Border Gateway Protocol", Group::Routing, Over::TCP, &[179], "RFC 4271", bgp),
    Protocol::new("bmp", "BGP Monitoring Protocol", Group::Management, Over::TCP, &[11019], "RFC 7854", |l, _| bmp(l)),
    Protocol::new(
        "bfd",
        "Bidirectional Forwarding Detection",
        Group::Routing,
        Over::UDP,
        &[3784, 3785, 4784, 6784],
        "RFC 5880, RFC 5881",
        |l, _| bfd(l),
    ),
    Protocol::new("ldp", "Label Distribution Protocol", Group::Routing, Over::BOTH, &[646], "RFC 5036", |l, _| ldp(l))
        .datagrams(14, &[(0x00, 0x00)]),
    Protocol::new(
        "hsrp",
        "Hot Standby Router Protocol",
        Group::Routing,
        Over::UDP,
        &[1985, 2029],
        "RFC 2281",
        |l, _| hsrp(l),
    )
    .datagrams(6, &[(0x00, 0x02)]),
    Protocol::new(
        "rip",
        "Routing Information Protocol",
        Group::Routing,
        Over::UDP,
        &[520, 521],
        "RFC 2453, RFC 2080",
        |l, _| rip(l),
    )
    .datagrams(24, &[(0x01, 0x02)]),
];

/// Marker of ones, length, type.
fn bgp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.first_of(16).iter().any(|b| *b != 0xff) {
        return Answer::NotForUs;
    }
    match (here.be16(16), here.u8(18)) {
        (Some(19..=4096), Some(kind @ 1..=5)) => {
            if kind == 1 {
                facts.note("as_number", here.be16(20).unwrap_or(0).to_string());
            }
            Answer::Certain("bgp", 0.99)
        }
        (Some(_), Some(_)) => Answer::NotForUs,
        _ => Answer::Unsure,
    }
}

/// Version 3, length, message type.
fn bmp(look: &Look<'_>) -> Answer {
    let here = look.here;
    match (here.u8(0), here.be32(1), here.u8(5)) {
        (Some(3), Some(6..=0xffff), Some(kind @ 0..=6)) => {
            // Initiation is made of TLVs; per-peer headers have a type of 0 to 3.
            let inner = if kind == 4 || kind == 5 {
                here.be16(6).is_some_and(|t| t <= 4)
            } else {
                here.u8(6).is_some_and(|t| t <= 3)
            };
            // A connection opens by Initiation; in its middle, messages follow on each other to the end.
            let len = here.be32(1).unwrap_or(0) as usize;
            let follows = here.len() == len || here.u8(len) == Some(3) && here.u8(len + 5).is_some_and(|k| k <= 6);
            match inner {
                true if kind == 4 && look.from_start => Answer::Certain("bmp", 0.93),
                true if !look.from_start && len >= 48 && follows => Answer::Certain("bmp", 0.7),
                _ => Answer::NotForUs,
            }
        }
        (None | Some(3), _, None) if here.be32(1).is_none_or(|l| l <= 0xffff) => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// Version 1, a state, detection multiplier, length, own discriminator.
fn bfd(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(first), Some(flags), Some(multiplier), Some(len)) = (here.u8(0), here.u8(1), here.u8(2), here.u8(3))
    else {
        return Answer::NotForUs;
    };
    let at_port = look.ports_of(&[3784, 3785, 4784, 6784, 7784]);
    let control = first >> 5 == 1
        && first & 0x1f <= 9
        && multiplier > 0
        && (24..=60).contains(&len)
        && usize::from(len) == here.len()
        && flags & 1 == 0;
    let timed = here.be32(4).is_some_and(|d| d != 0)
        && here.be32(12).is_some_and(|us| (1..=60_000_000).contains(&us))
        && here.be32(16).is_some_and(|us| us <= 60_000_000);
    match control && timed {
        true => Answer::Certain("bfd", if at_port { 0.97 } else { 0.9 }),
        // Echo packets return to their sender: both addresses are its own (RFC 5881 4).
        false if look.dport == 3785 && look.src == look.dst && here.len() <= 64 => Answer::Certain("bfd", 0.85),
        false => Answer::NotForUs,
    }
}

/// Version 1, PDU length, identifier, then messages of known types.
fn ldp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(version), Some(len), Some(kind)) = (here.be16(0), here.be16(2), here.be16(10)) else {
        return if look.tcp() && here.be16(0).is_none_or(|v| v == 1) { Answer::Unsure } else { Answer::NotForUs };
    };
    let known = matches!(kind & 0x7fff, 0x0001 | 0x0100 | 0x0200 | 0x0201 | 0x0300 | 0x0301 | 0x0400..=0x0404);
    let inner = here.be16(12).is_some_and(|l| u32::from(l) + 10 <= u32::from(len));
    let router = here.be32(4).is_some_and(|id| id != 0);
    let sized = look.tcp() || here.len() == usize::from(len) + 4;
    if version == 1 && known && inner && router && sized { Answer::Certain("ldp", 0.95) } else { Answer::NotForUs }
}

/// Version 0: operation, state, times; version 2: TLVs.
fn hsrp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let first = here.u8(0) == Some(0)
        && matches!(here.u8(1), Some(0..=3))
        && matches!(here.u8(2), Some(0 | 1 | 2 | 4 | 8 | 16))
        && here.len() >= 20;
    let second = here.has(0, &[1, 40])
        && here.u8(2) == Some(2)
        && here.u8(3).is_some_and(|op| op <= 3)
        && here.u8(4).is_some_and(|s| s <= 6);
    let at_port = look.port(1985) || look.port(2029);
    // Version 2 announces its interface's state by a TLV alone.
    let state = at_port && here.len() == 6 && here.has(0, &[2, 4]) || here.has(0, &[1, 40, 2]) && at_port;
    match (first, second || state, at_port) {
        (_, true, _) => Answer::Certain("hsrp", 0.95),
        (true, _, true) => Answer::Certain("hsrp", 0.95),
        (true, _, false)
            if here.len() == 20
                && here.u8(3).is_some_and(|hello| hello > 0)
                && here.part(8, 8).is_some_and(|auth| auth == b"cisco\0\0\0") =>
        {
            Answer::Certain("hsrp", 0.9)
        }
        _ => Answer::NotForUs,
    }
}

/// Command, version, zero, entries of 20 bytes.
fn rip(look: &Look<'_>) -> Answer {
    let here = look.here;
    let head = matches!(here.u8(0), Some(1 | 2)) && matches!(here.u8(1), Some(1 | 2)) && here.be16(2) == Some(0);
    let entries = here.len() >= 24 && (here.len() - 4).is_multiple_of(20) && here.len() <= 504;
    let family = matches!(here.be16(4), Some(0 | 2 | 0xffff));
    if head && entries && (family || look.port(521)) {
        Answer::Certain("rip", if look.port(520) || look.port(521) { 0.95 } else { 0.6 })
    } else {
        Answer::NotForUs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn messages() {
        let mut keepalive = vec![0xff; 16];
        keepalive.extend([0, 19, 4]);
        assert_eq!(named(Over::TCP, 9, 1790, &keepalive), Some("bgp"));
        let mut control =
            vec![0x20, 0xc0, 3, 24, 0, 0, 0, 1, 0, 0, 0, 2, 0, 4, 0x93, 0xe0, 0, 4, 0x93, 0xe0, 0, 0, 0, 0];
        assert_eq!(named(Over::UDP, 49152, 3784, &control), Some("bfd"));
        assert_eq!(named(Over::UDP, 49152, 9, &control), Some("bfd"));
        let hours = [&control[..12], &[0xff; 4], &control[16..]].concat();
        assert_eq!(named(Over::UDP, 49152, 9, &hours), None);
        control[3] = 25;
        assert_eq!(named(Over::UDP, 49152, 3784, &control), None);
        let hello =
            [0, 1, 0, 30, 1, 1, 1, 1, 0, 0, 1, 0, 0, 20, 0, 0, 0, 0, 4, 0, 0, 4, 0, 15, 0, 0, 4, 1, 0, 4, 1, 1, 1, 1];
        assert_eq!(named(Over::UDP, 9, 6460, &hello), Some("ldp"));
        let mut standby = vec![0, 0, 16, 3, 10, 100, 1, 0];
        standby.extend(b"cisco\0\0\0");
        standby.extend([10, 0, 0, 1]);
        assert_eq!(named(Over::UDP, 1985, 1985, &standby), Some("hsrp"));
    }
}
