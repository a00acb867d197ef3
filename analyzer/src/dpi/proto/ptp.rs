//! PTP over UDP (IEEE 1588-2019 clause 13).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "ptp",
    "Precision Time Protocol",
    Group::Infrastructure,
    Over::UDP,
    &[319, 320],
    "IEEE 1588-2019",
    probe,
)
.datagrams(34, ANY)];

/// The control field that goes with a message type (table 42); version 2.1 sends 0 too.
fn control(kind: u8) -> Option<u8> {
    Some(match kind {
        0 => 0,
        1 => 1,
        8 => 2,
        9 => 3,
        13 => 4,
        2 | 3 | 10 | 11 | 12 => 5,
        _ => return None,
    })
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let (Some(first), Some(version), Some(len), Some(found)) = (here.u8(0), here.u8(1), here.be16(2), here.u8(32))
    else {
        return Answer::NotForUs;
    };
    let kind = first & 15;
    let sized = look.fits(usize::from(len)) || usize::from(len) < here.len() && here.len() - usize::from(len) <= 4;
    if version & 15 == 2
        && (34..=1500).contains(&len)
        && sized
        && control(kind).is_some_and(|c| c == found || found == 0)
    {
        facts.note("ptp_domain", here.u8(4).unwrap_or(0).to_string());
        return Answer::Certain("ptp", 0.97);
    }
    Answer::NotForUs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn sync_and_nonsense() {
        let mut sync = vec![0; 44];
        sync[..4].copy_from_slice(&[0, 2, 0, 44]);
        assert_eq!(named(Over::UDP, 9, 3190, &sync), Some("ptp"));
        sync[32] = 5;
        assert_eq!(named(Over::UDP, 319, 319, &sync), None);
    }
}
