//! Tunnels and private networks: WireGuard, OpenVPN, IKE and ESP in UDP, Teredo, GTP, L2TP, VXLAN, PROXY protocol, SOCKS.

use crate::dpi::bytes::{Bytes, words};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "proxy-protocol",
        "PROXY protocol 1 and 2",
        Group::Secure,
        Over::TCP,
        &[],
        "haproxy doc/proxy-protocol.txt",
        proxy,
    ),
    Protocol::new(
        "wireguard",
        "WireGuard",
        Group::Secure,
        Over::UDP,
        &[51820],
        "WireGuard protocol and cryptography",
        |l, _| wireguard(l),
    )
    .datagrams(32, &[(0x01, 0x04)]),
    Protocol::new(
        "ipsec",
        "IKE, and ESP in UDP",
        Group::Secure,
        Over::UDP,
        &[500, 4500],
        "RFC 7296, RFC 2408, RFC 3948",
        ipsec,
    ),
    Protocol::new(
        "openvpn",
        "OpenVPN",
        Group::Secure,
        Over::BOTH,
        &[1194],
        "openvpn doc/doxygen/doc_protocol_overview.h",
        |l, _| openvpn(l),
    )
    .datagrams(14, &[(0x20, 0x57)]),
    Protocol::new("socks", "SOCKS 4 and 5", Group::Secure, Over::TCP, &[1080, 9050], "RFC 1928, SOCKS 4A", socks),
    Protocol::new("teredo", "Teredo", Group::Secure, Over::UDP, &[3544], "RFC 4380", |l, _| teredo(l))
        .datagrams(40, &[(0x00, 0x00), (0x60, 0x6f)]),
    Protocol::new("vxlan", "VXLAN", Group::Routing, Over::UDP, &[4789, 8472], "RFC 7348", |l, _| vxlan(l))
        .datagrams(22, &[(0x08, 0x08)]),
    Protocol::new("l2tp", "Layer Two Tunneling Protocol", Group::Secure, Over::UDP, &[1701], "RFC 2661", |l, _| {
        l2tp(l)
    }),
];

const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn proxy(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(PROXY_2) {
        let len = here.be16(14).map_or(usize::MAX, usize::from);
        return inside(here, 16usize.saturating_add(len));
    }
    if here.len() < 12 && (PROXY_2.starts_with(here) || b"PROXY ".starts_with(here.first_of(6))) {
        return Answer::Unsure;
    }
    if !here.starts_with(b"PROXY ") {
        return Answer::NotForUs;
    }
    let Some(line) = here.line(108) else { return if here.len() < 108 { Answer::Unsure } else { Answer::NotForUs } };
    let parts: Vec<&[u8]> = words(line).take(6).collect();
    if !matches!(parts.get(1), Some(&(b"TCP4" | b"TCP6" | b"UNKNOWN"))) {
        return Answer::NotForUs;
    }
    facts.set("proxied_for", parts.get(2).copied().unwrap_or_default());
    inside(here, line.len() + 2)
}

fn inside(here: &[u8], at: usize) -> Answer {
    if here.len() > at {
        Answer::Inside { here: at, there: 0, name: "proxy-protocol", stays: true }
    } else {
        Answer::SoFar("proxy-protocol", 1.0)
    }
}

/// Types 1 to 3 have exact sizes; data counts up in both directions and is padded to 16 bytes.
fn wireguard(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(kind @ 1..=4) = here.le32(0) else { return Answer::NotForUs };
    match (kind, here.len()) {
        (1, 148) | (2, 92) => Answer::Certain("wireguard", 0.93),
        // An answer returns the asker's index, whatever is appended to the messages.
        (2, len) if len >= 92 && look.there.le32(0) == Some(1) && here.le32(8) == look.there.le32(4) => {
            Answer::Certain("wireguard", 0.93)
        }
        (3, 64) => Answer::Certain("wireguard", 0.75),
        (4, len) if len >= 32 && len % 16 == 0 => data(look),
        _ => Answer::NotForUs,
    }
}

fn data(look: &Look<'_>) -> Answer {
    let (Some(receiver), Some(counter)) = (look.here.le32(4), look.here.le64(8)) else { return Answer::NotForUs };
    if counter >= 1 << 48 {
        return Answer::NotForUs;
    }
    let follows = |d: &[u8]| {
        d.le32(0) == Some(4)
            && d.le32(4) == Some(receiver)
            && d.le64(8).is_some_and(|c| c.abs_diff(counter) <= 4096 && c != counter)
    };
    if look.datagrams().any(follows) { Answer::Certain("wireguard", 0.93) } else { Answer::Certain("wireguard", 0.6) }
}

/// IKE's header, behind four zero bytes on port 4500; there ESP too, and keep-alives of one byte.
fn ipsec(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let natted = here.be32(0) == Some(0) && here.len() > 32;
    if let Some(version) = ike(if natted { here.from(4) } else { here }) {
        facts.note("ike_version", version);
        return Answer::Certain("ipsec", 0.97);
    }
    let esp = look.port(4500) && here.be32(0).is_some_and(|spi| spi > 255) && here.len() >= 28;
    let follows = |d: &[u8]| {
        d.be32(0) == here.be32(0) && d.be32(4).zip(here.be32(4)).is_some_and(|(a, b)| b > a && b - a < 1 << 16)
    };
    match esp {
        true if look.datagrams().any(follows) => Answer::Certain("ipsec", 0.9),
        true => Answer::Certain("ipsec", 0.75),
        false if here == [0xff] && look.port(4500) => Answer::Certain("ipsec", 0.75),
        false => Answer::NotForUs,
    }
}

fn ike(here: &[u8]) -> Option<&'static str> {
    let (initiator, next, version, exchange, flags, len) =
        (here.be64(0)?, here.u8(16)?, here.u8(17)?, here.u8(18)?, here.u8(19)?, here.be32(24)?);
    let sized = len as usize == here.len() && len >= 28;
    match version {
        0x10 if matches!(exchange, 0..=6 | 32..=33) && next <= 20 | 130 && flags & 0xf8 == 0 => {
            (sized && initiator != 0).then_some("1")
        }
        0x20 if matches!(exchange, 34..=44) && (matches!(next, 0 | 33..=54)) && flags & 0xc7 == 0 => {
            (sized && initiator != 0).then_some("2")
        }
        _ => None,
    }
}

/// Operations in the high five bits: hard resets open a session, each side by its own.
fn openvpn(look: &Look<'_>) -> Answer {
    let mut here = look.here;
    if look.tcp() {
        let Some(len) = here.be16(0).map(usize::from) else { return Answer::Unsure };
        if len < 14 && look.from_start || len > 2048 || len == 0 {
            return Answer::NotForUs;
        }
        if here.len() < 2 + len && here.len() < 64 && look.from_start {
            return if here.u8(2).is_none_or(|op| matches!(op >> 3, 7 | 8 | 10)) {
                Answer::Unsure
            } else {
                Answer::NotForUs
            };
        }
        here = here.from(2).first_of(len);
    }
    let Some(first) = here.u8(0) else { return Answer::NotForUs };
    let (operation, key) = (first >> 3, first & 7);
    match operation {
        7 | 10 if key == 0 => reset(look, here),
        8 if key == 0 => reset(look, here),
        4 | 5 if key <= 1 => control(look, here),
        6 | 9 => data_channel(look, here),
        _ => Answer::NotForUs,
    }
}

/// A hard reset: plain (14 or, acknowledging, 26 bytes), or with a digest and a packet number in front.
fn reset(look: &Look<'_>, here: &[u8]) -> Answer {
    let server = here.u8(0).is_some_and(|b| b >> 3 == 8);
    let plain = here.len() == 14 && here.from(9) == [0; 5] || server && here.len() == 26 && here.u8(9) == Some(1);
    // HMAC of 16, 20, 28, 32, 48 or 64 bytes, a number, a time; then the plain tail. tls-crypt: 54 bytes and more.
    let signed = [16, 20, 28, 32, 48, 64].iter().any(|mac| {
        let tail = 9 + mac + 8;
        here.be32(9 + mac).is_some_and(|n| (1..=64).contains(&n))
            && (here.u8(tail) == Some(0) && here.len() == tail + 5
                || here.u8(tail) == Some(1) && here.len() == tail + 17)
    });
    let wrapped = here.be32(9).is_some_and(|n| n & 0x00ff_ffff <= 64)
        && here.be32(13).is_some_and(|t| t > 1_200_000_000)
        && here.len() >= 54;
    let answered =
        look.there.u8(if look.tcp() { 2 } else { 0 }).is_some_and(|b| matches!(b >> 3, 7 | 8 | 10)) && here.len() >= 14;
    match () {
        () if plain || signed || wrapped => Answer::Certain("openvpn", if answered { 0.97 } else { 0.9 }),
        () if answered => Answer::Certain("openvpn", 0.85),
        () => Answer::NotForUs,
    }
}

/// Control and acknowledgement packets keep their session: it must be the same as before.
fn control(look: &Look<'_>, here: &[u8]) -> Answer {
    let session = here.be64(1);
    let known = |d: &[u8]| d.u8(0).is_some_and(|b| matches!(b >> 3, 4..=10)) && d.be64(1) == session;
    let again = look.udp() && look.datagrams().any(known) || look.tcp() && stream_again(look.here, session);
    let plain_tls = here.len() > 40 && here.first_of(80).windows(3).any(|w| matches!(w, [0x16, 3, 1 | 3]));
    match session.is_some_and(|s| s != 0) && here.len() >= 14 {
        true if again => Answer::Certain("openvpn", 0.85),
        true if plain_tls => Answer::Certain("openvpn", 0.7),
        true => Answer::Unsure,
        false => Answer::NotForUs,
    }
}

/// The next packet in a stream has the same session.
fn stream_again(stream: &[u8], session: Option<u64>) -> bool {
    let next = stream.from(2 + usize::from(stream.be16(0).unwrap_or(0)));
    next.u8(2).is_some_and(|b| matches!(b >> 3, 4 | 5)) && next.be64(3) == session
}

/// Data of version 2 names its peer in three bytes and counts up.
fn data_channel(look: &Look<'_>, here: &[u8]) -> Answer {
    if here.u8(0).is_none_or(|b| b >> 3 != 9) || here.len() < 24 {
        return Answer::NotForUs;
    }
    let (peer, number) = (here.be32(0), here.be32(4));
    let follows = |d: &[u8]| {
        d.be32(0) == peer && d.be32(4).zip(number).is_some_and(|(a, b)| b.wrapping_sub(a).wrapping_sub(1) < 64)
    };
    let mut chain = 0;
    let (mut at, mut before) = (0, None);
    while look.tcp() && chain < 8 {
        let (Some(len), Some(head), Some(n)) = (look.here.be16(at), look.here.be32(at + 2), look.here.be32(at + 6))
        else {
            break;
        };
        if Some(head) != peer || before.is_some_and(|b: u32| n != b.wrapping_add(1)) {
            break;
        }
        (chain, before, at) = (chain + 1, Some(n), at + 2 + usize::from(len));
    }
    let steps = look.datagrams().filter(|d| follows(d)).count();
    match (look.udp(), steps, chain) {
        (true, 2.., _) | (false, _, 2..) => Answer::Certain("openvpn", 0.85),
        (false, _, 1) if look.here.be16(0).map(|l| usize::from(l) + 2) == Some(look.here.len()) => {
            Answer::Certain("openvpn", 0.6)
        }
        _ => Answer::Unsure,
    }
}

fn socks(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if !look.from_start {
        return socks_5_request(look, facts);
    }
    match here.u8(0) {
        Some(5) => socks_5(look, facts),
        Some(4) => socks_4(look, facts),
        Some(0)
            if look.there.u8(0) == Some(4) && here.len() == 8 && here.u8(1).is_some_and(|c| (90..=93).contains(&c)) =>
        {
            let there = 8 + look.there.from(8).iter().position(|b| *b == 0).unwrap_or(0) + 1;
            Answer::Inside { here: 8, there: there.min(look.there.len()), name: "socks", stays: true }
        }
        None => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// Greeting by methods, the choice, then a request.
fn socks_5(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let (here, there) = (look.here, look.there);
    if there.is_empty() && look.initiator != Some(true) && socks_5_answers(here) {
        return Answer::Certain("socks", 0.9);
    }
    let methods = usize::from(here.u8(1).unwrap_or(0));
    if look.initiator == Some(false)
        || there.u8(0) == Some(5) && there.len() > here.len() && look.initiator != Some(true)
    {
        let chosen = matches!(here.u8(1), Some(0..=2 | 0xff)) && matches!(here.u8(2), None | Some(1 | 5));
        return if chosen && there.u8(0) == Some(5) {
            Answer::SoFar("socks", 0.9)
        } else if chosen {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    }
    let list = here.from(2).first_of(methods);
    let known = list.iter().all(|m| *m <= 9 || *m >= 0x80);
    if methods == 0 && here.len() >= 2 || !known || methods > 10 {
        return if here.len() == 2 && look.initiator.is_none() { Answer::Unsure } else { Answer::NotForUs };
    }
    if here.len() < 2 + methods || here.len() < 2 {
        return Answer::Unsure;
    }
    destination(here.from(2 + methods), facts);
    let answered = there.u8(0) == Some(5) && there.len() >= 2;
    match (answered, here.len() > 2 + methods) {
        (true, true) => Answer::Certain("socks", 0.97),
        (true, false) => Answer::SoFar("socks", 0.95),
        (false, _) => Answer::SoFar("socks", 0.7),
    }
}

/// The server's side alone: the choice, perhaps the answer to a password, and the answer to the request, to the end.
fn socks_5_answers(here: &[u8]) -> bool {
    let at = if here.has(1, &[2, 1, 0]) { 4 } else { 2 };
    let chosen = matches!(here.u8(1), Some(0 | 2));
    let answer = here.u8(at) == Some(5) && here.u8(at + 1).is_some_and(|c| c <= 8) && here.u8(at + 2) == Some(0);
    let len = match here.u8(at + 3) {
        Some(1) => 10,
        Some(4) => 22,
        Some(3) => 7 + usize::from(here.u8(at + 4).unwrap_or(0)),
        _ => return false,
    };
    chosen && answer && here.len() >= at + len
}

fn socks_5_request(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let shape = here.u8(0) == Some(5) && matches!(here.u8(1), Some(1..=3)) && here.u8(2) == Some(0);
    let exact = match here.u8(3) {
        Some(1) => here.len() == 10,
        Some(3) => here.len() == 7 + usize::from(here.u8(4).unwrap_or(0)),
        Some(4) => here.len() == 22,
        _ => false,
    };
    if shape && exact && destination(here, facts) { Answer::Certain("socks", 0.85) } else { Answer::NotForUs }
}

/// Where a request wants to go.
fn destination(request: &[u8], facts: &mut Facts) -> bool {
    let Some(kind) = request.u8(3) else { return false };
    if kind == 3 {
        facts.host(request.part(5, usize::from(request.u8(4).unwrap_or(0))).unwrap_or_default());
    }
    matches!(kind, 1 | 3 | 4)
}

/// Command, port, address, user ended by NUL; 4A adds a name.
fn socks_4(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() < 9 {
        return if here.u8(1).is_none_or(|c| matches!(c, 1 | 2)) { Answer::Unsure } else { Answer::NotForUs };
    }
    let user_end = here.from(8).first_of(256).iter().position(|b| *b == 0);
    let (Some(1 | 2), Some(end), Some(port)) = (here.u8(1), user_end, here.be16(2)) else { return Answer::NotForUs };
    let named = here.has(4, &[0, 0, 0]);
    let printable = here.from(8).first_of(end).iter().all(u8::is_ascii_graphic);
    let rest = here.from(8 + end + 1);
    let exact = if named { rest.ends_with(&[0]) && rest.len() > 1 } else { rest.is_empty() };
    if port == 0 || !printable || !exact && look.there.is_empty() {
        return Answer::NotForUs;
    }
    if named {
        facts.host(rest.split(|b| *b == 0).next().unwrap_or_default());
    }
    Answer::SoFar("socks", 0.85)
}

/// Indications in front, then IPv6 under the prefix 2001:0::/32 or link-local, whose length agrees.
fn teredo(look: &Look<'_>) -> Answer {
    let mut here = look.here;
    if here.has(0, &[0, 1]) {
        let (id, auth) = (usize::from(here.u8(2).unwrap_or(0)), usize::from(here.u8(3).unwrap_or(0)));
        here = here.from(13 + id + auth);
    }
    if here.has(0, &[0, 0]) && here.len() > 48 {
        here = here.from(8);
    }
    let (Some(first), Some(len)) = (here.u8(0), here.be16(4).map(usize::from)) else { return Answer::NotForUs };
    let address = |at: usize| here.has(at, &[0x20, 1, 0, 0]) || here.has(at, &[0xfe, 0x80]) || here.has(at, &[0xff, 2]);
    let sized = here.len() >= 40 + len && here.len() - 40 - len <= 12;
    if first >> 4 == 6 && sized && (address(8) || address(24)) {
        Answer::Certain("teredo", 0.95)
    } else {
        Answer::NotForUs
    }
}

/// Flag I, reserved bytes zero, a frame inside.
fn vxlan(look: &Look<'_>) -> Answer {
    let here = look.here;
    let head = here.has(0, &[8, 0, 0, 0]) && here.u8(7) == Some(0);
    let kind = here.be16(20).is_some_and(|t| matches!(t, 0x0800 | 0x86dd | 0x0806 | 0x8100));
    if head && kind { Answer::Certain("vxlan", 0.93) } else { Answer::NotForUs }
}

/// A control message: flags T, L, S, version 2, length to the end.
fn l2tp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let control =
        here.be16(0).is_some_and(|f| f & 0xcb0f == 0xc802) && here.be16(2).map(usize::from) == Some(here.len());
    let data = look.port(1701) && here.be16(0).is_some_and(|f| f & 0x8000 == 0 && f & 15 == 2);
    if control {
        Answer::Certain("l2tp", 0.93)
    } else if data {
        Answer::Certain("l2tp", 0.75)
    } else {
        Answer::NotForUs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn private_networks() {
        let mut hello = vec![1, 0, 0, 0];
        hello.resize(148, 7);
        assert_eq!(named(Over::UDP, 9, 1, &hello), Some("wireguard"));
        let mut ike = vec![9; 16];
        ike.extend([33, 0x20, 34, 8, 0, 0, 0, 0, 0, 0, 0, 40]);
        ike.resize(40, 1);
        assert_eq!(named(Over::UDP, 9, 1, &ike), Some("ipsec"));
        assert_eq!(named(Over::UDP, 9, 1, &[0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]), Some("openvpn"));
        assert_eq!(named(Over::UDP, 9, 1194, &[0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 9, 0, 0]), None);
    }

    #[test]
    fn proxies() {
        let label = feed(
            Over::TCP,
            9,
            1,
            &[
                (true, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a.b\r\n\r\n"),
                (false, b"HTTP/1.1 200 OK\r\n\r\n"),
            ],
        );
        assert_eq!(label.named.unwrap().name, "proxy-protocol");
        let attrs = label.attrs.unwrap();
        assert!(attrs.contains(&("inside", "http".to_owned())), "{attrs:?}");
        let label =
            feed(Over::TCP, 9, 1, &[(true, b"\x05\x01\0"), (false, b"\x05\0"), (true, b"\x05\x01\0\x03\x03a.b\0\x50")]);
        assert_eq!((label.named.unwrap().name, label.host_name.as_deref()), ("socks", Some("a.b")));
        assert_eq!(named(Over::TCP, 9, 1, b"\x04\x01\0\x50\x01\x02\x03\x04bob\0"), Some("socks"));
    }

    #[test]
    fn carriers() {
        let mut teredo = vec![0x60, 0, 0, 0, 0, 0, 59, 1, 0x20, 1, 0, 0];
        teredo.resize(40, 1);
        assert_eq!(named(Over::UDP, 9, 1, &teredo), Some("teredo"));
    }
}
