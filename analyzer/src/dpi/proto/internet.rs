//! What leaks in from the internet: BitTorrent.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "bittorrent",
    "BitTorrent: peers, DHT, trackers, uTP",
    Group::Internet,
    Over::BOTH,
    &[6881, 6889, 51413],
    "BEP 3, BEP 5, BEP 15, BEP 29",
    probe,
)
.datagrams(8, &[(0x00, 0x01), (0x11, 0x13), (0x21, 0x21), (0x31, 0x31), (0x41, 0x41), (0x64, 0x64)])];

const HANDSHAKE: &[u8] = b"\x13BitTorrent protocol";

fn probe(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(HANDSHAKE) {
        return Answer::Certain("bittorrent", 1.0);
    }
    if look.tcp() {
        return match () {
            () if HANDSHAKE.starts_with(here) => Answer::Unsure,
            () if !look.from_start && pieces(here) => Answer::Certain("bittorrent", 0.85),
            () => Answer::NotForUs,
        };
    }
    let dictionary = here.first() == Some(&b'd') && here.last() == Some(&b'e');
    let dht = here.find(b"2:id20:", 64).is_some() || here.starts_with(b"d1:eli");
    if dictionary && dht && (here.find(b"1:y1:", here.len()).is_some() || here.find(b"1:rd2:id20:", 64).is_some()) {
        return Answer::Certain("bittorrent", 0.98);
    }
    // A tracker's connect: the protocol's magic, action 0.
    if here.be64(0) == Some(0x0417_2710_1980) && here.be32(8) == Some(0) && here.len() == 16 {
        return Answer::Certain("bittorrent", 0.98);
    }
    micro(look)
}

/// A request for a block of 16 KiB, or such a block (BEP 3).
fn pieces(here: &[u8]) -> bool {
    let aligned =
        here.be32(9).is_some_and(|begin| begin % 16_384 == 0) && here.be32(5).is_some_and(|piece| piece < 1 << 20);
    match (here.be32(0), here.u8(4)) {
        (Some(13), Some(6 | 8)) => aligned && here.be32(13) == Some(16_384),
        (Some(16_393), Some(7)) => aligned,
        _ => false,
    }
}

/// uTP: type and version 1, a chain of extensions; the same connection on both sides.
fn micro(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(first), Some(extension)) = (here.u8(0), here.u8(1)) else { return Answer::NotForUs };
    if first & 15 != 1 || first >> 4 > 4 || extension > 3 || here.len() < 20 {
        return Answer::NotForUs;
    }
    let inner = here.from(20).starts_with(HANDSHAKE);
    let synchronises = first >> 4 == 4
        && here.be32(8) == Some(0)
        && (here.len() == 20 || here.len() == 30 && extension == 2 || here.len() == 26);
    // The state packet that answers acknowledges the number of what it answers (BEP 29).
    let there = look.there;
    let answers = there.u8(0).is_some_and(|b| b & 15 == 1 && b >> 4 <= 4)
        && there.len() >= 20
        && there.be16(2).zip(here.be16(2)).is_some_and(|(a, b)| a.abs_diff(b) <= 1)
        && (here.be16(18) == there.be16(16) || here.be16(16) == there.be16(18).map(|n| n.wrapping_add(1)));
    match () {
        () if inner => Answer::Certain("bittorrent", 1.0),
        () if answers => Answer::Certain("bittorrent", 0.9),
        () if synchronises => Answer::Certain("bittorrent", 0.75),
        () => Answer::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn peers_and_trackers() {
        assert_eq!(named(Over::TCP, 9, 1, b"\x13BitTorrent protocol\0\0\0\0"), Some("bittorrent"));
        assert_eq!(
            named(Over::UDP, 9, 1, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
            Some("bittorrent")
        );
        assert_eq!(named(Over::UDP, 9, 1, b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\x01\x02\x03\x04"), Some("bittorrent"));
        assert_eq!(named(Over::UDP, 9, 1, b"d1:xd2:id20:"), None);
    }
}
