//! SCTP (RFC 9260): chunks, and what their payload protocol identifier names.

use super::aaa;
use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "sctp",
    "Stream Control Transmission Protocol and Diameter over it",
    Group::Infrastructure,
    Over::SCTP,
    &[],
    "RFC 9260, RFC 6733",
    probe,
)
.also(&["diameter"])];

/// Payload of the DATA chunk at `at` and its identifier.
fn data(here: &[u8], at: usize) -> Option<(u32, &[u8])> {
    let len = usize::from(here.be16(at + 2)?);
    (here.u8(at)? == 0 && len > 16)
        .then(|| Some((here.be32(at + 12)?, here.from(at + 16).first_of(len - 16))))
        .flatten()
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let mut at = 0;
    let mut count = 0;
    while let (Some(kind), Some(len)) = (here.u8(at), here.be16(at + 2)) {
        if len < 4 || !matches!(kind, 0..=15 | 0x40 | 0x80..=0x84 | 0xc0 | 0xc1 | 0xc2) {
            return if count > 0 { Answer::SoFar("sctp", 0.9) } else { Answer::NotForUs };
        }
        count += 1;
        if let Some((identifier, payload)) = data(here, at) {
            facts.note("sctp_payload", identifier.to_string());
            let is_diameter = matches!(identifier, 46 | 47) || aaa::diameter(payload) == Some(true);
            return Answer::Certain(if is_diameter { "diameter" } else { "sctp" }, 0.97);
        }
        at += usize::from(len).next_multiple_of(4);
    }
    if count > 0 { Answer::SoFar("sctp", 0.97) } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn chunks() {
        assert_eq!(named(Over::SCTP, 9, 9, &[4, 0, 0, 8, 1, 1, 0, 4]), Some("sctp"));
        let data = [0, 3, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 46, 1, 0, 0, 20];
        assert_eq!(named(Over::SCTP, 9, 9, &data), Some("diameter"));
        assert_eq!(named(Over::SCTP, 9, 9, &[99, 0, 0, 8]), None);
    }
}
