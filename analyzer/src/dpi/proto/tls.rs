//! TLS and SSL over TCP.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Datagrams, Group, Look, Name, Over, Protocol};
use crate::dpi::tls::hello::{self, Hello};
use crate::dpi::tls::{certificate, fingerprint};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "tls",
    also: &["dot", "doh", "grpc", "mqtts", "ftps"],
    title: "Transport Layer Security",
    group: Group::Secure,
    over: Over::TCP_SCTP,
    ports: &[443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5061, 5671, 6443, 8443, 8883, 9093, 10250],
    source: "RFC 8446, RFC 5246, RFC 6101",
    probe,
    datagrams: Datagrams::ALL,
}];

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// A record's header: type, version, length.
fn record(bytes: &[u8]) -> Option<(u8, u16, usize)> {
    let (kind, version, len) = (bytes.u8(0)?, bytes.be16(1)?, usize::from(bytes.be16(3)?));
    let fits = match kind {
        20 => len == 1,
        ALERT => (2..=64).contains(&len),
        HANDSHAKE | DATA | 24 => (1..=0x4800).contains(&len),
        _ => false,
    };
    (fits && (0x0300..=0x0304).contains(&version)).then_some((kind, version, len))
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if let Some(answer) = old_hello(look, facts) {
        return answer;
    }
    if here.len() < 5 {
        return if here.is_empty() || here.u8(0).is_some_and(|b| (20..=24).contains(&b)) {
            Answer::Unsure
        } else {
            Answer::NotForUs
        };
    }
    let Some((kind, _, len)) = record(here) else {
        return if !look.from_start && later_record(here) { Answer::SoFar("tls", 0.7) } else { Answer::NotForUs };
    };
    match kind {
        HANDSHAKE => handshake(look, facts),
        _ => middle(here, kind, len),
    }
}

/// Records in the middle of a connection: a chain of two, or one that fills the segment exactly.
fn middle(here: &[u8], kind: u8, len: usize) -> Answer {
    let next = here.from(5 + len);
    let complete = here.len() == 5 + len;
    match record(next) {
        Some(_) => Answer::SoFar("tls", 0.9),
        None if complete && kind == DATA && len >= 17 => Answer::SoFar("tls", 0.85),
        None if complete => Answer::SoFar("tls", 0.8),
        None if next.len() >= 5 => Answer::NotForUs,
        None if kind == DATA => Answer::SoFar("tls", 0.7),
        None => Answer::Unsure,
    }
}

/// The end of a record, then records that follow on each other: the segment began in the middle of one.
fn later_record(here: &[u8]) -> bool {
    let begins = memchr::memchr_iter(DATA, here.first_of(8192))
        .take(64)
        .filter(|at| here.has(at + 1, &[3, 3]) || here.has(at + 1, &[3, 1]));
    let chained = |at: usize| {
        let (kind, version, len) = record(here.from(at))?;
        let next = here.from(at + 5 + len);
        record(next).filter(|(k, v, _)| kind == DATA && *k == DATA && *v == version)
    };
    begins.take(8).any(|at| chained(at).is_some())
}

/// Handshake messages across records, glued: at most what the head holds.
fn glue(here: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some((HANDSHAKE, _, len)) = record(here.from(at)) {
        all.extend_from_slice(here.from(at + 5).first_of(len));
        at += 5 + len;
    }
    all
}

fn handshake(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let all = glue(look.here);
    let (Some(kind), Some(len)) = (all.u8(0), all.be24(1)) else { return Answer::Unsure };
    let body = all.from(4).first_of(len as usize);
    // A hello that the mirror cut: its version and the length around it agree.
    let cut = !look.whole && matches!(kind, 1 | 2) && body.u8(0) == Some(3) && body.u8(1).is_some_and(|v| v <= 4);
    if cut && body.len() < len as usize && (38..1 << 16).contains(&len) {
        return Answer::SoFar("tls", 0.9);
    }
    match kind {
        1 => client(body, len as usize, facts),
        2 => server(body, all.from(4 + len as usize), asked(look.there), facts),
        0 | 4 | 11 | 12 | 13 | 14 | 16 | 20 if len < 0x2_0000 && !look.from_start => Answer::SoFar("tls", 0.85),
        _ if !look.from_start => middle(look.here, HANDSHAKE, usize::from(look.here.be16(3).unwrap_or(0))),
        _ => Answer::NotForUs,
    }
}

fn client(body: &[u8], len: usize, facts: &mut Facts) -> Answer {
    let Some(hello) = hello::client(body, false) else {
        // A hello that is malformed inside still stands in a record of TLS, whole and of its length.
        let whole = body.len() == len && len >= 41 && body.u8(0) == Some(3);
        let more = body.len() < len && body.u8(0).is_none_or(|v| v == 3);
        return match () {
            () if whole => Answer::Certain("tls", 0.85),
            () if more => Answer::Unsure,
            () => Answer::NotForUs,
        };
    };
    tell_client(&hello, facts, 't');
    Answer::SoFar(inside(&hello), 1.0)
}

/// Facts of a ClientHello.
pub fn tell_client(hello: &Hello, facts: &mut Facts, transport: char) {
    if let Some(sni) = &hello.sni {
        facts.host(sni);
        facts.set("sni", sni);
    }
    if !hello.alpn.is_empty() {
        facts.set("alpn", &hello.alpn.join(&b','));
    }
    if hello.whole {
        facts.note("ja3", fingerprint::ja3(hello));
        facts.note("ja4", fingerprint::ja4(hello, transport));
    }
}

/// Public resolvers that answer DNS over HTTPS (RFC 8484) and nothing else under these names.
const RESOLVERS: [&[u8]; 10] = [
    b"dns.google",
    b"cloudflare-dns.com",
    b"mozilla.cloudflare-dns.com",
    b"chrome.cloudflare-dns.com",
    b"one.one.one.one",
    b"dns.quad9.net",
    b"doh.opendns.com",
    b"dns.nextdns.io",
    b"dns.adguard-dns.com",
    b"doh.cleanbrowsing.org",
];

/// What a ClientHello tells of the protocol inside: by ALPN (IANA's registry), or by a name under which nothing else is served.
fn inside(hello: &Hello) -> Name {
    let resolver = || hello.sni.as_deref().is_some_and(|sni| RESOLVERS.iter().any(|r| r.eq_ignore_ascii_case(sni)));
    match hello.alpn.first().map(Vec::as_slice) {
        Some(b"dot") => "dot",
        Some(b"grpc-exp") => "grpc",
        Some(b"mqtt") => "mqtts",
        Some(b"ftp") => "ftps",
        Some(b"h2" | b"http/1.1") if resolver() => "doh",
        _ => "tls",
    }
}

/// What the client that this server answers asked for.
fn asked(there: &[u8]) -> Name {
    let all = glue(there);
    let len = all.be24(1).unwrap_or(0) as usize;
    let hello = if all.u8(0) == Some(1) { hello::client(all.from(4).first_of(len), false) } else { None };
    hello.as_ref().map_or("tls", inside)
}

fn server(body: &[u8], rest: &[u8], name: Name, facts: &mut Facts) -> Answer {
    let Some(hello) = hello::server(body, false) else {
        let more = rest.is_empty() && body.u8(0).is_none_or(|v| v == 3);
        return if more { Answer::Unsure } else { Answer::NotForUs };
    };
    if let Some(version) = hello::version_name(hello.best_version) {
        facts.note("tls_version", version);
    }
    facts.note("ja3s", fingerprint::ja3s(&hello));
    if hello.best_version >= 0x0304 {
        return Answer::Certain(name, 1.0);
    }
    subject(rest, name, facts)
}

/// A certificate in the clear, before TLS 1.3: the first of the chain is the server's own.
fn subject(rest: &[u8], name: Name, facts: &mut Facts) -> Answer {
    if rest.len() < 10 {
        return Answer::SoFar(name, 1.0);
    }
    if rest.u8(0) != Some(11) {
        return Answer::Certain(name, 1.0);
    }
    let len = rest.be24(7).unwrap_or(0) as usize;
    let der = rest.from(10).first_of(len);
    if let Some(names) = certificate::names(der).filter(|n| n.subject.is_some() || der.len() == len) {
        facts.set("certificate_subject", &names.subject.unwrap_or_default());
        facts.set("certificate_issuer", &names.issuer.unwrap_or_default());
        return Answer::Certain(name, 1.0);
    }
    Answer::SoFar(name, 1.0)
}

/// A hello in the record format of SSL 2.0 (RFC 5246 E.2), for any version up to 3.3.
fn old_hello(look: &Look<'_>, facts: &mut Facts) -> Option<Answer> {
    let here = look.here;
    let len = usize::from(here.be16(0)? & 0x7fff);
    let (version, ciphers, session) = (here.be16(3)?, here.be16(5)?, here.be16(7)?);
    let challenge = here.be16(9)?;
    let marked = here.u8(0)? & 0x80 != 0 && here.u8(2)? == 1;
    let versions = version == 0x0002 || (0x0300..=0x0303).contains(&version);
    let sum = 9 + usize::from(ciphers) + usize::from(session) + usize::from(challenge);
    if !(marked && versions && ciphers > 0 && ciphers % 3 == 0 && (16..=32).contains(&challenge) && sum == len) {
        return None;
    }
    facts.note("tls_hello", "SSL 2.0 format");
    Some(Answer::SoFar("tls", 0.95))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    fn client_hello() -> Vec<u8> {
        hello_with(b"a.example", b"h2")
    }

    /// A ClientHello with this SNI and ALPN.
    fn hello_with(server: &[u8], alpn: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 4, 0x13, 1, 0x13, 2, 1, 0]);
        let len = server.len() as u8;
        let sni = [&[0, len + 3, 0, 0, len][..], server].concat();
        let mut extensions = [&[0, 0, 0, sni.len() as u8][..], &sni].concat();
        let len = alpn.len() as u8;
        extensions.extend([&[0, 16, 0, len + 3, 0, len + 1, len][..], alpn, &[0, 43, 0, 3, 2, 3, 4]].concat());
        body.extend([0, extensions.len() as u8]);
        body.extend(extensions);
        let message = [&[1, 0, 0, body.len() as u8][..], &body].concat();
        [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
    }

    #[test]
    fn a_hello_names_the_server() {
        let label = feed(Over::TCP, 40000, 9999, &[(true, &client_hello())]);
        assert_eq!(label.named.unwrap().name, "tls");
        assert_eq!(label.host_name.as_deref(), Some("a.example"));
        let attrs = label.attrs.unwrap();
        assert!(attrs.iter().any(|(n, v)| *n == "alpn" && v == "h2"));
        assert!(attrs.iter().any(|(n, v)| *n == "ja4" && v.starts_with("t13d0203h2_")), "{attrs:?}");
    }

    #[test]
    fn a_hello_in_pieces() {
        let hello = client_hello();
        let pieces: Vec<(bool, &[u8])> = hello.chunks(30).map(|c| (true, c)).collect();
        assert_eq!(feed(Over::TCP, 1, 2, &pieces).host_name.as_deref(), Some("a.example"));
    }

    /// TLS 1.3 in the extension of the supported version.
    fn server_hello() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend([0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
        let message = [&[2, 0, 0, body.len() as u8][..], &body].concat();
        [&[22, 3, 3, 0, message.len() as u8][..], &message].concat()
    }

    #[test]
    fn what_the_client_asked_for_stays_the_name() {
        for (server, alpn, name) in [
            (&b"a.example"[..], &b"dot"[..], "dot"),
            (b"a.example", b"mqtt", "mqtts"),
            (b"a.example", b"h2", "tls"),
            (b"dns.google", b"h2", "doh"),
            (b"dns.google", b"imap", "tls"),
        ] {
            let hello = hello_with(server, alpn);
            let label = feed(Over::TCP, 40_000, 9_999, &[(true, &hello), (false, &server_hello())]);
            assert_eq!((label.named.unwrap().name, label.closed), (name, true));
        }
    }

    #[test]
    fn other_bytes_are_not_tls() {
        assert_eq!(named(Over::TCP, 1, 443, b"\x16\x05\x01\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), None);
        assert_eq!(named(Over::TCP, 1, 443, b"GARBAGE that is none of anything at all, of no protocol"), None);
    }
}
