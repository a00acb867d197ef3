//! NTP and SNTP (RFC 5905), with its control and private modes (RFC 9327).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] =
    &[Protocol::new("ntp", "Network Time Protocol", Group::Infrastructure, Over::UDP, &[123], "RFC 5905", probe)
        .datagrams(8, &[(0x08, 0x27), (0x48, 0x67), (0x88, 0xa7), (0xc8, 0xe7)])];

/// NTP seconds of 1 January 1990: clocks that were ever set show later times.
const SET_SINCE: u32 = 2_840_140_800;

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(first) = here.u8(0) else { return Answer::NotForUs };
    let (version, mode) = (first >> 3 & 7, first & 7);
    if !(1..=4).contains(&version) || !look.whole && here.len() < 48 {
        return Answer::NotForUs;
    }
    facts.note("ntp_version", version.to_string());
    match mode {
        1..=5 => timed(look, mode),
        6 | 7 if look.port(123) && here.len() >= 8 => Answer::Certain("ntp", 0.85),
        _ => Answer::NotForUs,
    }
}

/// The 48-byte header, then extensions and a MAC in words.
fn timed(look: &Look<'_>, mode: u8) -> Answer {
    let here = look.here;
    let (Some(stratum), Some(poll), Some(precision)) = (here.u8(1), here.u8(2), here.u8(3)) else {
        return Answer::NotForUs;
    };
    let (Some(root_delay), Some(transmit), Some(origin)) = (here.be32(4), here.be64(40), here.be64(24)) else {
        return Answer::NotForUs;
    };
    let header = stratum <= 16
        && poll as i8 <= 17
        && ((precision as i8) <= 0 || mode == 3 && precision == 32)
        && (precision as i8) >= -32
        && root_delay >> 16 < 64;
    if !header || !here.len().is_multiple_of(4) || here.len() > 1024 {
        return Answer::NotForUs;
    }
    let set = (transmit >> 32) as u32 >= SET_SINCE;
    // An answer returns the question's transmit time (RFC 5905 8).
    let answers = mode == 4 && origin != 0 && look.there.be64(40) == Some(origin);
    match () {
        () if answers => Answer::Certain("ntp", 0.97),
        () if look.port(123) => Answer::Certain("ntp", 0.95),
        () if here.len() == 48 && set && mode != 3 => Answer::Certain("ntp", 0.85),
        () if here.len() == 48 && transmit != 0 => Answer::Certain("ntp", 0.6),
        () => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn question_and_answer() {
        let mut question = vec![0; 48];
        question[0] = 0x23;
        question[40..48].copy_from_slice(&[0xe0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(named(Over::UDP, 5000, 123, &question), Some("ntp"));
        assert_eq!(named(Over::UDP, 5000, 5001, &question), None);
        let mut answer = question.clone();
        answer[0] = 0x24;
        answer[1] = 2;
        answer[24..32].copy_from_slice(&[0xe0, 1, 2, 3, 4, 5, 6, 7]);
        let label = feed(Over::UDP, 5000, 5001, &[(true, &question), (false, &answer)]);
        assert_eq!(label.named.unwrap().name, "ntp");
    }
}
