//! LDAP version 2 and 3, and its connectionless form (RFC 4511, MS-ADTS).

use crate::dpi::ber;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "ldap",
    "Lightweight Directory Access Protocol",
    Group::Infrastructure,
    Over::BOTH,
    &[389, 3268],
    "RFC 4511",
    probe,
)
.datagrams(7, &[(0x30, 0x30)])];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() < 7 {
        return if look.tcp() && here.first().is_none_or(|b| *b == 0x30) { Answer::Unsure } else { Answer::NotForUs };
    }
    let Some(head) = ber::frames(here, 0x30, look.tcp() || !look.whole) else { return Answer::NotForUs };
    let Some((id, at)) = ber::contents(here, head, 2) else { return Answer::NotForUs };
    let Some((operation, len, inner)) = ber::head(here, at) else { return Answer::NotForUs };
    if id.len() > 4 {
        return Answer::NotForUs;
    }
    let first = at + inner;
    let good = match operation {
        // BindRequest: version, name, authentication.
        0x60 => bind(here, first, facts),
        // Results begin with an enumerated code.
        0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78 => {
            ber::contents(here, first, 0x0a).is_some_and(|(c, _)| c.len() == 1)
        }
        0x42 => len == 0,
        // SearchRequest: base, scope, aliases.
        0x63 => ber::contents(here, first, 4)
            .is_some_and(|(_, at)| ber::contents(here, at, 0x0a).is_some_and(|(s, _)| matches!(s, [0..=3]))),
        // Entries, modifications, additions, references, comparisons.
        0x64 | 0x66 | 0x68 | 0x6c | 0x6e | 0x73 => matches!(ber::head(here, first), Some((4, _, _))),
        0x77 => extended(here, first),
        0x4a | 0x50 => len > 0 && len < 512,
        _ => false,
    };
    if good { Answer::Certain("ldap", 0.96) } else { Answer::NotForUs }
}

fn bind(here: &[u8], first: usize, facts: &mut Facts) -> bool {
    let Some(([version @ (2 | 3)], at)) = ber::contents(here, first, 2) else { return false };
    facts.note("ldap_version", version.to_string());
    if let Some((name, _)) = ber::contents(here, at, 4) {
        facts.set("bind_name", name);
        return true;
    }
    false
}

/// ExtendedRequest: an object identifier in text.
fn extended(here: &[u8], first: usize) -> bool {
    ber::contents(here, first, 0x80).is_some_and(|(oid, _)| oid.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn bind_and_result() {
        assert_eq!(
            named(Over::TCP, 9, 3890, b"\x30\x0e\x02\x01\x01\x60\x09\x02\x01\x03\x04\x02cn\x80\x00"),
            Some("ldap")
        );
        assert_eq!(
            named(Over::TCP, 9, 3890, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"),
            Some("ldap")
        );
        assert_eq!(named(Over::TCP, 9, 389, b"\x30\x0e\x02\x01\x01\x60\x09\x02\x01\x09\x04\x02cn\x80\x00"), None);
    }
}
