//! Machines and buildings, whose networks meet data centres at power and cooling: Modbus, BACnet, DNP3, CoAP.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "modbus",
        "Modbus over TCP",
        Group::Industry,
        Over::TCP,
        &[502],
        "Modbus Messaging on TCP/IP 1.0b",
        |l, _| modbus(l),
    ),
    Protocol::new("bacnet", "BACnet/IP", Group::Industry, Over::UDP, &[47808], "ASHRAE 135 annex J", |l, _| bacnet(l))
        .datagrams(4, &[(0x81, 0x81)]),
    Protocol::new(
        "dnp3",
        "Distributed Network Protocol 3",
        Group::Industry,
        Over::BOTH,
        &[20000],
        "IEEE 1815",
        |l, _| dnp3(l),
    )
    .datagrams(10, &[(0x05, 0x05)]),
    Protocol::new("coap", "Constrained Application Protocol", Group::Industry, Over::UDP, &[5683], "RFC 7252", coap)
        .datagrams(4, &[(0x40, 0x7f)]),
];

/// Transaction, protocol 0, length, unit, function.
fn modbus(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(0), Some(len), Some(function)) = (here.be16(2), here.be16(4), here.u8(7)) else {
        return if here.len() < 8 && here.be16(2).is_none_or(|p| p == 0) { Answer::Unsure } else { Answer::NotForUs };
    };
    let end = 6 + usize::from(len);
    let exact = here.len() == end
        || here.len() > end
            && here.be16(end + 2) == Some(0)
            && here.be16(end + 4).is_some_and(|l| (2..=254).contains(&l));
    let known = matches!(function & 0x7f, 1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43);
    let answered = look.there.be16(0) == here.be16(0)
        && look.there.be16(2) == Some(0)
        && look.there.u8(7).map(|f| f & 0x7f) == Some(function & 0x7f);
    // A device says so of a function that it does not have, whatever its number.
    let exception = answered && function & 0x80 != 0 && len == 3 && matches!(here.u8(8), Some(1..=11));
    if !exact || !(known || exception) || !(2..=254).contains(&len) {
        return Answer::NotForUs;
    }
    let plain = matches!(function, 1..=6) && len == 6
        || matches!(function, 1..=4) && usize::from(here.u8(8).unwrap_or(0)) + 3 == usize::from(len);
    match () {
        () if answered => Answer::Certain("modbus", 0.95),
        () if plain => Answer::Certain("modbus", 0.85),
        () => Answer::Certain("modbus", 0.7),
    }
}

/// Type 0x81, function, length; then a network layer of version 1.
fn bacnet(look: &Look<'_>) -> Answer {
    let here = look.here;
    let head = here.u8(0) == Some(0x81)
        && here.u8(1).is_some_and(|f| f <= 0x0c)
        && here.be16(2).is_some_and(|l| look.fits(usize::from(l)));
    let at = if here.u8(1) == Some(4) { 10 } else { 4 };
    let network = here.u8(at) == Some(1) || matches!(here.u8(1), Some(0..=8));
    if head && network { Answer::Certain("bacnet", 0.95) } else { Answer::NotForUs }
}

/// CRC-16/DNP.
fn crc(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0_u16, |crc, b| {
        (0..8).fold(crc ^ u16::from(*b), |c, _| if c & 1 == 1 { c >> 1 ^ 0xa6bc } else { c >> 1 })
    })
}

/// A header of ten bytes that ends by its check.
fn dnp3(look: &Look<'_>) -> Answer {
    let here = look.here;
    match (here.part(0, 8), here.le16(8)) {
        (Some(head), Some(sum)) if head.starts_with(&[0x05, 0x64]) && crc(head) == sum => Answer::Certain("dnp3", 0.99),
        (None, _)
            if look.tcp()
                && (here.starts_with(&[0x05, 0x64]) || here.len() < 2 && here.first().is_none_or(|b| *b == 5)) =>
        {
            Answer::Unsure
        }
        _ => Answer::NotForUs,
    }
}

/// Version 1, token, code of a known class, options that lead to a payload marker or the end.
fn coap(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(first), Some(code)) = (here.u8(0), here.u8(1)) else { return Answer::NotForUs };
    let token = usize::from(first & 15);
    let (class, detail) = (code >> 5, code & 31);
    let known = match class {
        0 => detail <= 7,
        2 => (1..=5).contains(&detail) || detail == 31,
        4 => detail <= 15,
        5 => detail <= 8,
        _ => false,
    };
    if first >> 6 != 1 || token > 8 || !known || here.len() < 4 + token || code == 0 && here.len() != 4 {
        return Answer::NotForUs;
    }
    let (mut at, mut number, mut options) = (4 + token, 0_u32, 0);
    while let Some(b) = here.u8(at).filter(|b| *b != 0xff) {
        let (Some(delta), Some(len)) =
            (extended(here, &mut at, b >> 4, true), None.or_else(|| extended(here, &mut at, b & 15, false)))
        else {
            return Answer::NotForUs;
        };
        number += delta;
        if number > 2500 || here.part(at, len as usize).is_none() {
            return Answer::NotForUs;
        }
        if number == 11 {
            facts.set("path", here.part(at, len as usize).unwrap_or_default());
        }
        at += len as usize;
        options += 1;
    }
    let sensible = options > 0 || code == 0;
    match (sensible, look.port(5683)) {
        (_, true) => Answer::Certain("coap", 0.93),
        (true, false) if class == 0 && (1..=4).contains(&detail) => Answer::Certain("coap", 0.6),
        _ => Answer::NotForUs,
    }
}

/// A delta or a length: small, or in one or two further bytes behind the option's first.
fn extended(here: &[u8], at: &mut usize, nibble: u8, first: bool) -> Option<u32> {
    if first {
        *at += 1;
    }
    match nibble {
        13 => {
            *at += 1;
            here.u8(*at - 1).map(|b| u32::from(b) + 13)
        }
        14 => {
            *at += 2;
            here.be16(*at - 2).map(|b| u32::from(b) + 269)
        }
        15 => None,
        small => Some(u32::from(small)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn frames() {
        assert_eq!(named(Over::TCP, 9, 1, &[0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2]), Some("modbus"));
        assert_eq!(named(Over::TCP, 9, 502, &[0, 1, 0, 1, 0, 6, 1, 3, 0, 0, 0, 2]), None);
        assert_eq!(named(Over::UDP, 9, 1, &[0x81, 0x0b, 0, 12, 1, 0x20, 0xff, 0xff, 0, 0xff, 0x10, 8]), Some("bacnet"));
        let mut head = vec![5, 0x64, 5, 0xc0, 1, 0, 0, 4];
        let sum = crc(&head);
        head.extend(sum.to_le_bytes());
        assert_eq!(named(Over::TCP, 9, 1, &head), Some("dnp3"));
        head[9] ^= 1;
        assert_eq!(named(Over::TCP, 9, 20000, &head), None);
        assert_eq!(named(Over::UDP, 9, 5683, &[0x40, 1, 0, 1, 0xb4, b't', b'e', b'm', b'p']), Some("coap"));
        assert_eq!(named(Over::UDP, 9, 5683, &[0x40, 1, 0, 1, 0xbf, b't', b'e']), None);
    }
}
