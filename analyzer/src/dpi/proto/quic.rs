//! QUIC: standard versions with their Initial packets opened, drafts, and Google's own (RFC 9000, RFC 9369).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::proto::tls::tell_client;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Name, Over, Protocol};
use crate::dpi::quic::google;
use crate::dpi::quic::initial::{Crypto, long};
use crate::dpi::tls::hello::{self, Hello};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "quic",
    "QUIC and HTTP/3",
    Group::Secure,
    Over::UDP,
    &[443, 4433, 8443, 853, 784],
    "RFC 9000, RFC 9001, RFC 9369, RFC 9114, RFC 9250",
    probe,
)
.datagrams(5, ANY)
.also(&["http3", "doq"])];

/// A version that is in use: standard, drafts, Google's, Meta's, reserved for exercise.
fn is_version(version: u32) -> bool {
    matches!(version, 1 | 0x6b33_43cf | 0x709a_50c4 | 0xff00_0001..=0xff00_0022 | 0xface_b000..=0xface_b010)
        || version & 0x0f0f_0f0f == 0x0a0a_0a0a
        || google::is_version(&version.to_be_bytes())
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if let Some(header) = long(here)
        && (header.version == 0 || is_version(header.version))
    {
        return long_packet(look, header.version, header.first, facts);
    }
    // Google's long headers hold the lengths of both identifiers in one byte.
    if here.u8(0).is_some_and(|b| b & 0x80 != 0) && here.part(1, 4).is_some_and(google::is_version) {
        facts.set("quic_version", here.part(1, 4).unwrap_or_default());
        return google_hello(here, facts);
    }
    // Answers of a server that refuses a hello, behind a header without a version.
    if here.u8(0).is_some_and(|b| b & 0x80 == 0)
        && [&b"REJ\0"[..], b"SHLO"].iter().any(|m| here.find(m, 64).is_some())
        && here.len() > 256
    {
        return Answer::SoFar("quic", 0.93);
    }
    if let Some((version, _)) = google::public(here) {
        facts.set("quic_version", version);
        return google_hello(here, facts);
    }
    short(look)
}

fn long_packet(look: &Look<'_>, version: u32, first: u8, facts: &mut Facts) -> Answer {
    facts.note("quic_version", version_name(version));
    if version == 0 {
        let versions = negotiated(look.here);
        return if versions { Answer::SoFar("quic", 0.97) } else { Answer::NotForUs };
    }
    if google::is_version(&version.to_be_bytes()) && first & 0x40 == 0 || version == 0x5130_3436 {
        return google_hello(look.here, facts);
    }
    if first & 0x40 == 0 {
        return Answer::NotForUs;
    }
    match client_hello(look) {
        Some(hello) => {
            tell_client(&hello, facts, 'q');
            Answer::Certain(by_alpn(&hello), 1.0)
        }
        None => Answer::SoFar("quic", 0.95),
    }
}

/// The client's hello out of this and the earlier datagrams of its direction. Keys follow from the first identifier.
fn client_hello(look: &Look<'_>) -> Option<Hello> {
    let mut crypto = Crypto::default();
    let first = look.datagrams().next().unwrap_or(look.here);
    let connection = long(first)?.destination;
    for datagram in look.datagrams().chain([look.here]).take(8) {
        let own = long(datagram).map(|h| h.destination).unwrap_or_default();
        if !crypto.take(datagram, connection) {
            crypto.take(datagram, own);
        }
    }
    let bytes = crypto.bytes();
    let len = bytes.be24(1)? as usize;
    let body = bytes.from(4).first_of(len);
    (bytes.u8(0)? == 1).then(|| hello::client(body, false)).flatten().filter(|h| h.whole)
}

fn by_alpn(hello: &Hello) -> Name {
    match hello.alpn.first().map(Vec::as_slice) {
        Some([b'h', b'3', ..]) => "http3",
        Some([b'd', b'o', b'q', ..]) => "doq",
        _ => "quic",
    }
}

/// A list of versions of which one at least is known (RFC 9000 17.2.1).
fn negotiated(here: &[u8]) -> bool {
    let Some(header) = long(here) else { return false };
    let list = here.from(header.at);
    !list.is_empty() && list.len() % 4 == 0 && list.chunks_exact(4).any(|v| v.be32(0).is_some_and(is_version))
}

fn google_hello(here: &[u8], facts: &mut Facts) -> Answer {
    if let Some(name) = google::chlo(here, b"SNI\0") {
        facts.host(&name);
        facts.set("sni", &name);
    }
    if let Some(agent) = google::chlo(here, b"UAID") {
        facts.set("user_agent", &agent);
    }
    if facts.host.is_some() { Answer::Certain("quic", 1.0) } else { Answer::SoFar("quic", 0.93) }
}

fn version_name(version: u32) -> String {
    match version {
        0 => "negotiation".to_owned(),
        1 => "1".to_owned(),
        0x6b33_43cf | 0x709a_50c4 => "2".to_owned(),
        0xff00_0001..=0xff00_0022 => format!("draft-{}", version & 0xff),
        v if google::is_version(&v.to_be_bytes()) => v.to_be_bytes().map(char::from).iter().collect(),
        v => format!("{v:#010x}"),
    }
}

/// Short headers say nothing by themselves; in the middle only a repeated connection identifier towards port 443 speaks for them.
fn short(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(first) = here.u8(0) else { return Answer::NotForUs };
    if first & 0xc0 != 0x40 || here.len() < 21 {
        return google_middle(look, first);
    }
    let identifier = here.part(1, 8);
    let again =
        look.datagrams().filter(|d| d.u8(0).is_some_and(|b| b & 0xc0 == 0x40) && d.part(1, 8) == identifier).count();
    if look.ports_of(&[443]) && again >= 2 && look.dport == 443 {
        Answer::Certain("quic", 0.75)
    } else {
        Answer::Unsure
    }
}

/// Google's public header without a version: an identifier of eight bytes that repeats, packet numbers that count.
fn google_middle(look: &Look<'_>, first: u8) -> Answer {
    if first & 0x89 != 0x08 || look.here.len() < 20 {
        return Answer::NotForUs;
    }
    let identifier = look.here.part(1, 8);
    let again =
        look.datagrams().filter(|d| d.u8(0).is_some_and(|b| b & 0x88 == 0x08) && d.part(1, 8) == identifier).count();
    if look.port(443) && again >= 2 { Answer::Certain("quic", 0.75) } else { Answer::Unsure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn headers_alone() {
        let mut handshake = vec![0xe0, 0, 0, 0, 1, 4, 1, 2, 3, 4, 0];
        handshake.extend([7; 60]);
        assert_eq!(named(Over::UDP, 9, 1, &handshake), Some("quic"));
        handshake[4] = 9;
        assert_eq!(named(Over::UDP, 9, 443, &handshake), None);
        let negotiation = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(named(Over::UDP, 9, 1, &negotiation), Some("quic"));
    }
}
