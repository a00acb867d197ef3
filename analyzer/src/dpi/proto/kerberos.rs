//! Kerberos 5 (RFC 4120) over UDP and TCP.

use crate::dpi::ber;
use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "kerberos",
    "Kerberos 5",
    Group::Infrastructure,
    Over::BOTH,
    &[88, 464],
    "RFC 4120, RFC 3244",
    probe,
)
.datagrams(16, &[(0x00, 0x23), (0x6a, 0x6f), (0x74, 0x76), (0x7e, 0x7e)])];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (message, sized) = if look.tcp() {
        let Some(len) = here.be32(0) else {
            return if here.first().is_none_or(|b| *b == 0) { Answer::Unsure } else { Answer::NotForUs };
        };
        (here.from(4), len as usize)
    } else {
        (here, here.len())
    };
    if !(10..=1 << 20).contains(&sized) {
        return Answer::NotForUs;
    }
    if message.len() < 16 {
        return if look.tcp() { Answer::Unsure } else { Answer::NotForUs };
    }
    if change_password(message, sized) {
        return Answer::Certain("kerberos", 0.9);
    }
    // APPLICATION tags: requests, replies, AP, SAFE, PRIV, CRED, ERROR.
    let Some((tag, len, head)) = ber::head(message, 0) else { return Answer::NotForUs };
    let sequence = ber::head(message, head);
    let fits = head + len == sized || !look.whole;
    let Some((0x30, _, inner)) = sequence.filter(|_| matches!(tag, 0x6a..=0x6f | 0x74..=0x76 | 0x7e) && fits) else {
        return Answer::NotForUs;
    };
    // pvno [0] or [1] INTEGER 5.
    let at = head + inner;
    if message.has(at + 1, &[3, 2, 1, 5]) && matches!(message.u8(at), Some(0xa0 | 0xa1)) {
        facts.note("kerberos_message", format!("{}", tag & 0x1f));
        return Answer::Certain("kerberos", 0.99);
    }
    Answer::NotForUs
}

/// Length, version 1 or 0xff80, length of an AP-REQ that follows (RFC 3244).
fn change_password(message: &[u8], sized: usize) -> bool {
    let version = matches!(message.be16(2), Some(1 | 0xff80));
    message.be16(0).map(usize::from) == Some(sized) && version && matches!(message.u8(6), Some(0x6e | 0x6f | 0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn a_request_over_both() {
        let request = b"\x6a\x12\x30\x10\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x04\x30\x02\x05\x00";
        assert_eq!(named(Over::UDP, 9, 8888, request), Some("kerberos"));
        assert_eq!(named(Over::TCP, 9, 8888, &[&[0, 0, 0, 20][..], request].concat()), Some("kerberos"));
        assert_eq!(named(Over::UDP, 9, 88, &request[..19]), None);
    }
}
