//! UCX and libfabric, the transports below MPI and NCCL plug-ins, over TCP and UDP, with their benchmarks.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "ucx",
        "UCX TCP transport and perftest",
        Group::Training,
        Over::TCP,
        &[13337],
        "ucx src/uct/tcp, src/tools/perf",
        ucx,
    )
    .also(&["ucx-perftest"]),
    Protocol::new(
        "libfabric",
        "libfabric TCP and UDP providers and pingpong",
        Group::Training,
        Over::BOTH,
        &[47592],
        "libfabric prov/tcp, prov/rxd, util/pingpong.c",
        |l, _| libfabric(l),
    )
    .datagrams(32, &[(0x02, 0x02)])
    .also(&["fi-pingpong"]),
];

/// UCT_TCP_MAGIC_NUMBER.
const MAGIC: [u8; 8] = 0xcafe_babe_1234_5678_u64.to_le_bytes();

fn ucx(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(&MAGIC) || look.there.starts_with(&MAGIC) && !here.is_empty() {
        return Answer::Certain("ucx", 1.0);
    }
    if here.len() < 8 && MAGIC.starts_with(here) {
        return Answer::Unsure;
    }
    if perftest(look) {
        return Answer::Certain("ucx-perftest", 0.9);
    }
    match frames(here) {
        // A connection event (id 32) opens an answerer's stream.
        Some(_)
            if look.from_start && here.has(0, &[32, 4, 0, 0, 0]) && here.le32(5).is_some_and(|event| event < 32) =>
        {
            Answer::Certain("ucx", 0.93)
        }
        Some(1) if look.from_start => Answer::Unsure,
        Some(count) => Answer::Certain("ucx", if count > 2 { 0.85 } else { 0.7 }),
        None if maybe_perftest(here) || begins_frame(here) => Answer::Unsure,
        None => Answer::NotForUs,
    }
}

/// Active messages in a row: id below 32, length in 32 bits little-endian, to the exact end.
fn frames(here: &[u8]) -> Option<usize> {
    let (mut at, mut count) = (0, 0);
    while at < here.len() && count < 8 {
        let (id, len) = (here.u8(at)?, here.le32(at + 1)? as usize);
        if id > 35 || !(4..=1 << 17).contains(&len) {
            return None;
        }
        at += 5 + len;
        count += 1;
    }
    (at == here.len() && count > 0).then_some(count)
}

/// A message that goes on in later segments.
fn begins_frame(here: &[u8]) -> bool {
    let len = here.le32(1).unwrap_or(0) as usize;
    here.u8(0).is_some_and(|id| id <= 35) && len > 1024 && len <= 1 << 14 && here.len() < len + 5
}

/// The socket between two ucx_perftest: both sides meet at barriers of 0xdeadbeef.
fn perftest(look: &Look<'_>) -> bool {
    const BARRIER: [u8; 4] = 0xdead_beef_u32.to_le_bytes();
    look.here.ends_with(&BARRIER) && look.there.ends_with(&BARRIER)
        || look.here.first_of(8) == [BARRIER, BARRIER].concat()
        || parameters(look)
}

/// The client's first message: its parameters, a structure of words, then address lengths.
fn parameters(look: &Look<'_>) -> bool {
    let here = look.here;
    let words = [0, 4, 8, 16, 20].iter().all(|at| here.le32(*at).is_some_and(|w| w <= 16));
    let sizes = here.le64(264).is_some_and(|s| (64..1 << 16).contains(&s))
        && here.le64(272).is_some_and(|s| (16..1 << 16).contains(&s));
    look.from_start && words && sizes && here.le32(24).is_some_and(|w| w <= 16)
}

fn maybe_perftest(here: &[u8]) -> bool {
    here.len() < 320 && here.le32(0).is_some_and(|w| w <= 16 || w == 0xdead_beef) || here.len() < 4
}

/// The TCP provider (xnet), its reliable datagrams over UDP (rxd), the control channel of fi_pingpong.
fn libfabric(look: &Look<'_>) -> Answer {
    let here = look.here;
    if look.udp() {
        return datagram(here);
    }
    if address(here) {
        return Answer::Certain("fi-pingpong", 0.95);
    }
    if connection(here) {
        return Answer::Certain("libfabric", 0.95);
    }
    if message(here) {
        return Answer::Certain("libfabric", 0.85);
    }
    let end = if here.u8(0) == Some(3) { 32 + here.be16(2).map_or(0, usize::from) } else { 32 };
    let begun = here.len() < end && here.first().is_none_or(|v| matches!(v, 3 | 0)) && look.from_start;
    if begun { Answer::Unsure } else { Answer::NotForUs }
}

/// xnet_cm_msg: version 3, request, accept or reject, the length of what follows a header of 32 bytes that is zero but for one word.
fn connection(here: &[u8]) -> bool {
    let sized = here.be16(2).is_some_and(|len| 32 + usize::from(len) == here.len());
    let blank = here.part(4, 20).is_some_and(|b| b.iter().all(|b| *b == 0)) && here.be32(28) == Some(0);
    here.u8(0) == Some(3) && matches!(here.u8(1), Some(0 | 1 | 6)) && sized && blank
}

/// xnet_base_hdr: version 3, operation, sizes of header and message.
fn message(here: &[u8]) -> bool {
    let (Some(version), Some(operation), Some(head), Some(size)) = (here.u8(0), here.u8(1), here.u8(6), here.le64(8))
    else {
        return false;
    };
    version == 3
        && operation <= 12
        && (16..=128).contains(&head)
        && size >= u64::from(head)
        && here.len() as u64 == size
}

/// rxd: version 2; requests with an address, answers, acknowledgements and data by type.
fn datagram(here: &[u8]) -> Answer {
    let (Some(version), Some(kind)) = (here.u8(0), here.u8(1)) else { return Answer::NotForUs };
    let flags = here.be16(2) == Some(0) && here.len() >= 32;
    match (version, kind) {
        (2, 9) if flags && matches!(here.le16(24), Some(2 | 10)) => Answer::Certain("libfabric", 0.9),
        (2, 10) if flags && here.len() == 32 => Answer::Certain("libfabric", 0.75),
        (2, 11) if flags && here.len() == 32 => Answer::Certain("libfabric", 0.75),
        _ => Answer::NotForUs,
    }
}

/// fi_pingpong: the length of an address, its format, the socket address itself.
fn address(here: &[u8]) -> bool {
    match (here.be32(0), here.le32(4), here.le16(8)) {
        (Some(16), Some(2), Some(2)) => here.be16(10).is_some_and(|p| p != 0),
        (Some(28), Some(3), Some(10)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed_mid, named};

    #[test]
    fn transports() {
        assert_eq!(named(Over::TCP, 9, 1, &MAGIC), Some("ucx"));
        let message = b"\x02\x08\0\0\0\x01\0\0\0\x01\0\x01\0";
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, message)]).named, None);
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, message), (true, message)]).named.map(|n| n.name), Some("ucx"));
        let mut request = vec![0; 32];
        request[0] = 3;
        request[27] = 1;
        assert_eq!(named(Over::TCP, 9, 1, &request), Some("libfabric"));
        request[5] = 1;
        assert_eq!(named(Over::TCP, 9, 1, &request), None);
    }
}
