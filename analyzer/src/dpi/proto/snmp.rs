//! SNMP versions 1 to 3 (RFC 1157, RFC 3416, RFC 3412).

use crate::dpi::ber;
use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "snmp",
    "Simple Network Management Protocol",
    Group::Management,
    Over::BOTH,
    &[161, 162],
    "RFC 1157, RFC 3416, RFC 3412",
    probe,
)
.datagrams(8, &[(0x30, 0x30)])];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() < 8 {
        return if look.tcp() && here.first().is_none_or(|b| *b == 0x30) { Answer::Unsure } else { Answer::NotForUs };
    }
    let Some(head) = ber::frames(here, 0x30, look.tcp() || !look.whole) else { return Answer::NotForUs };
    let Some((version, at)) = ber::contents(here, head, 2) else { return Answer::NotForUs };
    match version {
        [v @ (0 | 1)] => community(here, at, *v, facts),
        [3] => {
            facts.note("snmp_version", "3");
            match ber::head(here, at) {
                Some((0x30, 9..=32, _)) => Answer::Certain("snmp", 0.98),
                _ => Answer::NotForUs,
            }
        }
        _ => Answer::NotForUs,
    }
}

fn community(here: &[u8], at: usize, version: u8, facts: &mut Facts) -> Answer {
    facts.note("snmp_version", if version == 0 { "1" } else { "2c" });
    match ber::contents(here, at, 4) {
        Some((name, next)) if is_text(name) && here.u8(next).is_some_and(|t| (0xa0..=0xa8).contains(&t)) => {
            Answer::Certain("snmp", 0.98)
        }
        _ => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn versions() {
        let get = b"\x30\x0e\x02\x01\x01\x04\x06public\xa0\x01\x00";
        assert_eq!(named(Over::UDP, 9, 1610, get), Some("snmp"));
        let v3 = b"\x30\x10\x02\x01\x03\x30\x0b\x02\x01\x01\x02\x02\x05\xc0\x04\x01\x04\x02";
        assert_eq!(named(Over::UDP, 9, 161, v3), Some("snmp"));
        assert_eq!(named(Over::UDP, 9, 161, b"\x30\x0e\x02\x01\x07\x04\x06public\xa0\x01\x00"), None);
    }
}
