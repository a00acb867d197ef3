//! DTLS over UDP (RFC 6347, RFC 9147).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::proto::tls::tell_client;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};
use crate::dpi::tls::hello;

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "dtls",
    "Datagram Transport Layer Security",
    Group::Secure,
    Over::UDP,
    &[4433, 5684, 853, 2055],
    "RFC 6347, RFC 9147",
    probe,
)
.datagrams(13, &[(0x14, 0x1a)])];

/// A record: type, version FE xx, epoch and sequence number, length.
fn record(bytes: &[u8]) -> Option<(u8, usize)> {
    let (kind, version, len) = (bytes.u8(0)?, bytes.be16(1)?, usize::from(bytes.be16(11)?));
    let known = matches!(version, 0xfeff | 0xfefd | 0xfefc | 0x0100) && matches!(kind, 20..=26);
    (known && len > 0).then_some((kind, len))
}

/// Reads one datagram.
pub fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some((kind, len)) = record(here) else { return Answer::NotForUs };
    let next = here.from(13 + len);
    let fits = here.len() == 13 + len || record(next).is_some() || !look.whole;
    if !fits {
        return Answer::NotForUs;
    }
    let first_epoch = here.be16(3) == Some(0);
    if kind == 22 && first_epoch {
        handshake(here.from(13).first_of(len), facts);
    }
    let sure = kind == 22 && first_epoch;
    Answer::Certain("dtls", if sure { 0.98 } else { 0.9 })
}

/// Type, length, message number, fragment; a ClientHello names the server.
fn handshake(message: &[u8], facts: &mut Facts) {
    match message.u8(0) {
        Some(1) => {
            if let Some(hello) = hello::client(message.from(12), true) {
                tell_client(&hello, facts, 'd');
            }
        }
        Some(2) => {
            let version = hello::server(message.from(12), true).and_then(|h| hello::version_name(h.best_version));
            facts.note("tls_version", version.unwrap_or(""));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn records() {
        let mut data = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 30];
        data.extend([9; 30]);
        assert_eq!(named(Over::UDP, 9, 1, &data), Some("dtls"));
        data.push(0);
        assert_eq!(named(Over::UDP, 9, 1, &data), None);
    }
}
