//! Network benchmarks: iperf 2 and 3, qperf, sockperf.

use crate::dpi::bytes::Bytes;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "iperf3",
        "iperf 3",
        Group::Management,
        Over::BOTH,
        &[5201],
        "esnet/iperf src/iperf_api.c",
        |l, _| iperf3(l),
    )
    .datagrams(4, &[(0x15, 0x15), (0x36, 0x36), (0x39, 0x39), (0xb1, 0xb1)]),
    Protocol::new("iperf", "iperf 2", Group::Management, Over::BOTH, &[5001], "iperf2 include/payloads.h", |l, _| {
        iperf2(l)
    })
    .datagrams(20, ANY),
    Protocol::new("qperf", "qperf", Group::Management, Over::TCP, &[19765], "linux-rdma/qperf src/qperf.c", |l, _| {
        qperf(l)
    }),
    Protocol::new(
        "sockperf",
        "sockperf",
        Group::Management,
        Over::BOTH,
        &[11111],
        "Mellanox/sockperf src/message.h",
        |l, _| sockperf(l),
    )
    .datagrams(14, &[(0x00, 0x00)]),
];

/// A cookie of 36 letters and digits of base 32 and a NUL, on the control and on each data connection.
fn iperf3(look: &Look<'_>) -> Answer {
    let here = look.here;
    if look.udp() {
        // Connections open by 0x36373839 and 0x39383736 (older: 123456789, 987654321).
        let hello =
            matches!(here, b"\x39\x38\x37\x36" | b"\x36\x37\x38\x39" | b"\x15\xcd\x5b\x07" | b"\xb1\x68\xde\x3a");
        return if hello { Answer::Certain("iperf3", 0.9) } else { Answer::NotForUs };
    }
    let base32 = |b: &u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(b);
    if !look.from_start || !here.first_of(36).iter().all(base32) {
        return Answer::NotForUs;
    }
    match here.u8(36) {
        Some(0) => Answer::Certain("iperf3", 0.96),
        None => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// The filler counts digits up, over and over.
fn counts_digits(bytes: &[u8]) -> bool {
    bytes.len() >= 20
        && bytes.windows(2).all(|w| w[0].is_ascii_digit() && w[1] == if w[0] == b'9' { b'0' } else { w[0] + 1 })
}

fn iperf2(look: &Look<'_>) -> Answer {
    let here = look.here;
    let settings = |at: usize| {
        let threads = here.be32(at + 4).is_some_and(|n| (1..=128).contains(&n));
        let flags = here.be32(at).is_some_and(|f| f & 0x0f00_0000 & !0x0800_0000 == 0 && f >> 27 != 0);
        threads
            && flags
            && here.be32(at + 8).is_some_and(|p| (1..=65_535).contains(&p))
            && here.be32(at + 12).is_some_and(|l| l <= 1 << 21)
    };
    let end = here.from(here.len().saturating_sub(40));
    if look.udp() {
        let clock = here.be32(8).is_some_and(|us| us < 1_000_000) && here.be32(4).is_some_and(|s| s > 0);
        let sure = clock && (settings(12) || settings(16) || counts_digits(end));
        return if sure { Answer::Certain("iperf", 0.9) } else { Answer::NotForUs };
    }
    match () {
        () if counts_digits(here.first_of(64)) && here.len() >= 64 => Answer::Certain("iperf", 0.95),
        () if look.from_start && settings(0) && here.len() >= 24 => Answer::Certain("iperf", 0.85),
        () if look.from_start && here.len() < 24 && here.u8(0).is_none_or(|b| b >= 0x40) => Answer::Unsure,
        () => Answer::NotForUs,
    }
}

/// The request of 200 bytes opens by the version 0.4.x in three words.
fn qperf(look: &Look<'_>) -> Answer {
    let here = look.here;
    let version =
        here.le16(0) == Some(0) && here.le16(2) == Some(4) && here.le16(4).is_some_and(|v| (1..=40).contains(&v));
    let blank = here.part(6, 18).is_some_and(|b| b.iter().all(|b| *b == 0));
    if look.from_start && version && blank && here.len() >= 200 {
        return Answer::Certain("qperf", 0.9);
    }
    if look.from_start && here.len() < 200 && (version || here.len() < 6) { Answer::Unsure } else { Answer::NotForUs }
}

/// Sequence number, type bits, length of the message.
fn sockperf(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(seq), Some(flags), Some(len)) = (here.be64(0), here.be16(8), here.be32(10)) else {
        return Answer::NotForUs;
    };
    let exact = len as usize == here.len() && (14..=65_507).contains(&len);
    match exact && seq < 1 << 40 && flags <= 15 {
        true => Answer::Certain("sockperf", if look.there.be32(10).is_some_and(|l| l == len) { 0.95 } else { 0.75 }),
        false => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn openings() {
        assert_eq!(named(Over::TCP, 9, 1, b"pjakvqfaf6cenuyd25svp6qgkmtdiovx2o3l\0"), Some("iperf3"));
        assert_eq!(named(Over::TCP, 9, 1, b"pjakvqfaf6cenuyd25svp6qgkmtdiovx2o3l!"), None);
        let filler: Vec<u8> = (0..200_u8).map(|i| b'0' + i % 10).collect();
        assert_eq!(named(Over::TCP, 9, 1, &filler), Some("iperf"));
        let ping = b"\0\0\0\0\0\0\0\x01\0\x03\0\0\0\x0e";
        let pong = b"\0\0\0\0\0\0\0\x01\0\x02\0\0\0\x0e";
        assert_eq!(feed(Over::UDP, 9, 1, &[(true, ping), (false, pong)]).named.unwrap().name, "sockperf");
        let mut request = vec![0, 0, 4, 0, 11, 0];
        request.resize(200, 0);
        assert_eq!(named(Over::TCP, 9, 1, &request), Some("qperf"));
    }
}
