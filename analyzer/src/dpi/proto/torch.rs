//! PyTorch's rendezvous and transports: TCPStore, Gloo, TensorPipe; NCCL's sockets.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "tcpstore",
        "PyTorch TCPStore (c10d rendezvous)",
        Group::Training,
        Over::TCP,
        &[29500],
        "pytorch torch/csrc/distributed/c10d/TCPStore.cpp",
        tcpstore,
    ),
    Protocol::new(
        "gloo",
        "Gloo collectives over TCP",
        Group::Training,
        Over::TCP,
        &[],
        "gloo gloo/transport/tcp",
        |l, _| gloo(l),
    ),
    Protocol::new(
        "tensorpipe",
        "TensorPipe",
        Group::Training,
        Over::TCP,
        &[],
        "tensorpipe tensorpipe/common/nop.h, tensorpipe/core/nop_types.h",
        |l, _| tensorpipe(l),
    ),
    Protocol::new(
        "nccl",
        "NCCL bootstrap and socket transport",
        Group::Training,
        Over::TCP,
        &[],
        "nccl src/include/socket.h",
        |l, _| nccl(l),
    ),
];

/// `validationMagicNumber`, little-endian.
const STORE_MAGIC: [u8; 4] = 0x3c85_f7ce_u32.to_le_bytes();

fn tcpstore(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.first().is_some_and(|b| *b == 0) && here.has(1, &STORE_MAGIC) {
        facts.note("tcpstore", "validated");
        return Answer::Certain("tcpstore", 1.0);
    }
    if look.there.has(1, &STORE_MAGIC) && look.there.first() == Some(&0) {
        return Answer::Certain("tcpstore", 1.0);
    }
    if here.first() == Some(&0) && STORE_MAGIC.starts_with(here.from(1).first_of(4)) && here.len() < 5 {
        return Answer::Unsure;
    }
    query(look, facts)
}

/// An operation, a key by its length: little-endian 64 bits, then text. Keys of c10d begin by these prefixes.
fn query(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(operation) = here.first() else { return Answer::Unsure };
    // A server's first answers: how many have come, then marks of one byte. Only its port makes them speak.
    if look.from_start
        && look.sport == 29_500
        && [0, 4]
            .iter()
            .any(|at| here.le64(*at).is_some_and(|n| (1..=65_536).contains(&n)) && here.u8(at + 8) == Some(0))
    {
        return Answer::Certain("tcpstore", 0.7);
    }
    if look.from_start && look.sport == 29_500 && here.len() < 13 {
        return Answer::Unsure;
    }
    if *operation > 20 && look.from_start {
        return Answer::NotForUs;
    }
    // `wait`, `check` and the multi-key operations count their keys first.
    // Old versions send the operation in a segment of its own.
    for at in [1, 9, 0, 8] {
        if at % 8 == 0 && look.from_start {
            return Answer::NotForUs;
        }
        let Some(len) = here.le64(at) else { return Answer::Unsure };
        if !(2..=4096).contains(&len) {
            continue;
        }
        let key = here.from(at + 8).first_of(len as usize);
        if key.is_empty() {
            return Answer::Unsure;
        }
        if is_key(key) {
            facts.set("store_key", key);
            return Answer::Certain("tcpstore", if key.contains(&b'/') { 0.92 } else { 0.7 });
        }
    }
    Answer::NotForUs
}

fn is_key(key: &[u8]) -> bool {
    let text = key.iter().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b':' | b'.' | b',' | b'[' | b']' | b'(' | b')')
    });
    let begun = [
        &b"init/"[..],
        b"store_based_barrier",
        b"default_pg",
        b"worker/",
        b"rank/",
        b"ns:",
        b"torch",
        b"/",
        b"rpc_",
        b"nccl",
        b"0/",
        b"cuda",
    ];
    text && (begun.iter().any(|p| key.starts_with(p))
        || key.contains(&b'/') && key.len() > 3 && key.iter().any(u8::is_ascii_alphabetic))
}

/// Offset of the preamble: a bare length-like word of the initiator may stand before it.
fn gloo(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(first) = here.le64(0) else {
        let begun = here.from(1).iter().all(|b| *b == 0) && here.first().is_none_or(|b| matches!(b, 0x30 | 0..=0x0f));
        return if begun { Answer::Unsure } else { Answer::NotForUs };
    };
    let preamble = |at: usize| here.le64(at) == Some(48) && here.le64(at + 8).is_some_and(|op| op <= 3);
    if preamble(0) || (1..=16).contains(&first) && preamble(8) {
        // nbytes 48, opcode, slot, offset, length, roffset: op headers all alike (gloo/transport/tcp/pair.h).
        return Answer::Certain("gloo", if look.from_start { 0.95 } else { 0.85 });
    }
    if (1..=16).contains(&first) && here.len() < 24 || first == 48 && here.len() < 16 {
        return Answer::Unsure;
    }
    let sized = (48..=1 << 32).contains(&first) && here.le64(8).is_some_and(|op| op <= 4);
    let slots = [16, 24, 32, 40].iter().all(|at| here.le64(*at).is_some_and(|v| v < 1 << 40));
    let length = here.le64(32).unwrap_or(0);
    if !look.from_start && sized && slots && length > 0 && first == 48 + length {
        Answer::Certain("gloo", 0.9)
    } else {
        Answer::NotForUs
    }
}

/// A packet of the socket connection: its length, then a nop structure (`b8`, field count) or variant.
fn tensorpipe(look: &Look<'_>) -> Answer {
    let here = look.here;
    let Some(len) = here.le64(0) else {
        return if here.from(2).iter().all(|b| *b == 0) { Answer::Unsure } else { Answer::NotForUs };
    };
    if !(2..=1 << 20).contains(&len) || here.len() < 13 {
        return if here.len() < 13 && len < 1 << 20 { Answer::Unsure } else { Answer::NotForUs };
    }
    // Variant of SpontaneousConnection (a table of one string) or RequestedConnection, Brochure...
    let table = here.u8(8) == Some(0xb8) && here.u8(9).is_some_and(|v| v <= 4);
    let structure = here.u8(10) == Some(0xb9) && here.u8(11).is_some_and(|n| n <= 16);
    if table && structure {
        return Answer::Certain("tensorpipe", 0.97);
    }
    // Later packets are structures of a few members: strings, arrays, tables, variants by their prefixes.
    let members = here.u8(8) == Some(0xb9)
        && here.u8(9).is_some_and(|n| (1..=16).contains(&n))
        && here.u8(10).is_some_and(|p| (0xb8..=0xbd).contains(&p));
    let sized = here.len() as u64 == len + 8
        || here.len() as u64 > len + 8 && here.le64(8 + len as usize).is_some_and(|l| l < 1 << 20);
    if members && sized {
        return Answer::Certain("tensorpipe", 0.9);
    }
    Answer::NotForUs
}

/// NCCL_SOCKET_MAGIC, for sockets that carry no communicator's own.
const NCCL_MAGIC: [u8; 8] = 0x564a_b9f2_fc4b_9d6c_u64.to_le_bytes();

/// A connection opens by a magic and its purpose: bootstrap, proxy, net, RAS.
fn nccl(look: &Look<'_>) -> Answer {
    let here = look.here;
    if !look.from_start || !NCCL_MAGIC.starts_with(here.first_of(8)) {
        return Answer::NotForUs;
    }
    match here.le32(8) {
        Some(0..=6) => Answer::Certain("nccl", 0.99),
        None => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, feed_mid, named};

    #[test]
    fn stores() {
        assert_eq!(named(Over::TCP, 9, 1, b"\x00\xce\xf7\x85\x3c"), Some("tcpstore"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x03\x05\0\0\0\0\0\0\0init/\x01\0\0\0\0\0\0\0"), Some("tcpstore"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x03\x05\0\0\0\0\0\0\0\x01\x02\x03\x04\x05"), None);
    }

    #[test]
    fn gloo_and_tensorpipe() {
        let mut preamble = vec![0; 48];
        preamble[0] = 0x30;
        preamble[8] = 2;
        assert_eq!(named(Over::TCP, 9, 1, &preamble), Some("gloo"));
        let label = feed(Over::TCP, 9, 1, &[(true, &[1, 0, 0, 0, 0, 0, 0, 0]), (true, &preamble)]);
        assert_eq!(label.named.unwrap().name, "gloo");
        assert_eq!(named(Over::TCP, 9, 1, b"\x08\0\0\0\0\0\0\0\xb8\0\xb9\x01\xbd\x02w3"), Some("tensorpipe"));
        assert!(feed_mid(Over::TCP, 9, 1, &[(true, &[0; 64])]).named.is_none());
    }

    #[test]
    fn nccl_sockets() {
        let hello = [&NCCL_MAGIC[..], &[3, 0, 0, 0]].concat();
        assert_eq!(named(Over::TCP, 9, 1, &hello), Some("nccl"));
    }
}
