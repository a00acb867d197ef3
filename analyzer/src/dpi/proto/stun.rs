//! STUN and TURN (RFC 8489, RFC 8656, RFC 3489).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "stun",
    "Session Traversal Utilities for NAT, and TURN",
    Group::Media,
    Over::BOTH,
    &[3478, 3479, 19302],
    "RFC 8489, RFC 8656, RFC 3489",
    probe,
)
.datagrams(4, ANY)];

const COOKIE: u32 = 0x2112_a442;

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let mut here = look.here;
    // ICE over TCP frames each message by its length (RFC 4571).
    if look.tcp() && here.be16(0).is_some_and(|len| usize::from(len) + 2 == here.len()) && here.be32(6) == Some(COOKIE)
    {
        here = here.from(2);
    }
    // Microsoft's multiplex of 12 bytes in front of a message (MS-TURN).
    if here.has(0, &[0xff, 0x10])
        && here.be16(2).is_some_and(|len| usize::from(len) + 4 == here.len())
        && here.be32(16) == Some(COOKIE)
    {
        return Answer::Certain("stun", 0.97);
    }
    let (Some(kind), Some(len)) = (here.be16(0), here.be16(2).map(usize::from)) else {
        return if look.tcp() && here.first().is_none_or(|b| *b < 0x40) { Answer::Unsure } else { Answer::NotForUs };
    };
    let secured =
        look.udp() && matches!(here.u8(0), Some(20..=26)) && matches!(here.be16(1), Some(0xfeff | 0xfefd | 0xfefc));
    if kind >> 14 != 0 || secured {
        return channel(look, here, kind, len, facts);
    }
    if here.len() < 20 {
        return if look.tcp() && here.be32(4).is_none_or(|c| c == COOKIE) { Answer::Unsure } else { Answer::NotForUs };
    }
    let sized = here.len() == 20 + len || !look.whole || look.tcp() && here.len() >= 20 + len;
    if here.be32(4) == Some(COOKIE) {
        software(here, facts);
        let fits = sized || here.len() > 20 + len;
        return match fits {
            true if look.udp() => Answer::SoFar("stun", if sized { 1.0 } else { 0.9 }),
            true => Answer::Certain("stun", if sized { 1.0 } else { 0.9 }),
            false => Answer::NotForUs,
        };
    }
    old(here, look, kind, sized)
}

/// Without the cookie: known methods, and attributes that lead to the end (RFC 3489 11).
fn old(here: &[u8], look: &Look<'_>, kind: u16, sized: bool) -> Answer {
    let known = matches!(kind, 0x0001 | 0x0101 | 0x0111 | 0x0002 | 0x0102 | 0x0112 | 0x0003 | 0x0103 | 0x0113);
    if !known || !sized || look.tcp() {
        return Answer::NotForUs;
    }
    let (mut at, mut count) = (20, 0);
    while at < here.len() {
        let (Some(kind), Some(len)) = (here.be16(at), here.be16(at + 2)) else { return Answer::NotForUs };
        if kind == 0 || len > 800 {
            return Answer::NotForUs;
        }
        at += 4 + usize::from(len).next_multiple_of(4);
        count += 1;
    }
    match (at == here.len(), count) {
        (true, 0) => Answer::Certain("stun", 0.7),
        (true, _) => Answer::Certain("stun", 0.85),
        _ => Answer::NotForUs,
    }
}

/// ChannelData after an allocation was seen: channel number, length.
fn channel(look: &Look<'_>, here: &[u8], kind: u16, len: usize, facts: &mut Facts) -> Answer {
    // Ends that met by STUN then speak DTLS over the same ports (RFC 5764).
    let secured = if look.udp() { super::dtls::probe(look, facts) } else { Answer::NotForUs };
    if let Answer::Certain(..) = secured {
        return secured;
    }
    let numbers = (0x4000..0x5000).contains(&kind);
    let sized = here.len() == 4 + len || here.len() == 4 + len.next_multiple_of(4);
    match numbers && sized && len > 0 && look.udp() {
        true => Answer::SoFar("stun", 0.6),
        // Media between the messages of one conversation says nothing against it.
        false if look.udp() && (kind >> 14 == 2 || look.packets > 1) => Answer::Unsure,
        false => Answer::NotForUs,
    }
}

fn software(here: &[u8], facts: &mut Facts) {
    let mut at = 20;
    for _ in 0..32 {
        let (Some(kind), Some(len)) = (here.be16(at), here.be16(at + 2)) else { return };
        let value = here.part(at + 4, usize::from(len)).unwrap_or_default();
        match kind {
            0x8022 => facts.set("software", value),
            0x0014 => facts.set("realm", value),
            _ => {}
        }
        at += 4 + usize::from(len).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn with_and_without_cookie() {
        let mut binding = vec![0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42];
        binding.extend([7; 12]);
        binding.extend([0x80, 0x22, 0, 4, b'a', b'b', b'c', b'd']);
        let label = feed(Over::UDP, 1, 2, &[(true, &binding)]);
        assert_eq!(label.named.unwrap().name, "stun");
        assert!(label.attrs.unwrap().contains(&("software", "abcd".to_owned())));
        assert_eq!(named(Over::TCP, 1, 2, &binding), Some("stun"));
        binding[4] = 9;
        binding[20..22].copy_from_slice(&[0, 3]);
        assert_eq!(named(Over::UDP, 1, 2, &binding), Some("stun"));
        binding[3] = 4;
        assert_eq!(named(Over::UDP, 1, 3478, &binding), None);
    }
}
