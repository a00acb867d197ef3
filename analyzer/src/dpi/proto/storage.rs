//! Block and file storage: iSCSI, NBD, Ceph, Lustre networking, BeeGFS, HDFS, AFS, AFP, rsync.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new("nbd", "Network Block Device", Group::Storage, Over::TCP, &[10809], "nbd doc/proto.md", |l, _| {
        nbd(l)
    }),
    Protocol::new(
        "ceph",
        "Ceph messenger 1 and 2",
        Group::Storage,
        Over::TCP,
        &[3300, 6789],
        "Ceph doc/dev/msgr2.rst",
        |l, _| ceph(l),
    ),
    Protocol::new(
        "lnet",
        "Lustre networking over TCP",
        Group::Storage,
        Over::TCP,
        &[988],
        "lustre lnet/include/uapi/linux/lnet/socklnd.h",
        |l, _| lnet(l),
    )
    .also(&["lustre"]),
    Protocol::new(
        "beegfs",
        "BeeGFS",
        Group::Storage,
        Over::BOTH,
        &[8003, 8004, 8005, 8008],
        "beegfs common/source/common/net/message/NetMessage.h",
        |l, _| beegfs(l),
    )
    .datagrams(12, ANY),
    Protocol::new(
        "hdfs",
        "Hadoop RPC and data transfer",
        Group::Storage,
        Over::TCP,
        &[8020, 9000, 9866, 50010],
        "hadoop RpcConstants, DataTransferProtocol",
        |l, _| hdfs(l),
    ),
    Protocol::new(
        "afs",
        "AFS over Rx",
        Group::Storage,
        Over::UDP,
        &[7000, 7001, 7002, 7003, 7005, 7007, 7008],
        "draft-zeldovich-rx-spec",
        |l, _| afs(l),
    )
    .datagrams(28, ANY),
    Protocol::new("afp", "Apple Filing Protocol over DSI", Group::Storage, Over::TCP, &[548], "Apple DSI", |l, _| {
        afp(l)
    }),
    Protocol::new("rsync", "rsync daemon", Group::Storage, Over::TCP, &[873], "rsync clientserver.c", rsync),
];

fn begins(here: &[u8], magic: &[u8], name: &'static str) -> Option<Answer> {
    match () {
        () if here.starts_with(magic) => Some(Answer::Certain(name, 1.0)),
        () if magic.starts_with(here) => Some(Answer::Unsure),
        () => None,
    }
}

/// Negotiation, then requests and replies by their magics.
fn nbd(look: &Look<'_>) -> Answer {
    let here = look.here;
    let magics: [&[u8]; 5] = [
        b"NBDMAGIC",
        b"IHAVEOPT",
        &[0x25, 0x60, 0x95, 0x13, 0, 0],
        &[0x67, 0x44, 0x66, 0x98],
        &[0x66, 0x8e, 0x33, 0xef],
    ];
    if here.has(4, b"IHAVEOPT") && here.be32(0).is_some_and(|f| f < 8) {
        return Answer::Certain("nbd", 1.0);
    }
    let begun = here.len() < 12
        && here.be32(0).is_none_or(|f| f < 8)
        && (look.from_start || look.there.starts_with(b"NBDMAGIC"));
    magics.iter().find_map(|m| begins(here, m, "nbd")).unwrap_or(if begun { Answer::Unsure } else { Answer::NotForUs })
}

/// CRC-32C (Castagnoli) bit by bit: only for a header.
fn crc32c(bytes: &[u8], seed: u32) -> u32 {
    bytes.iter().fold(seed, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 })
    })
}

/// Banners; frames of messenger 2 prove themselves by the CRC of their preamble.
fn ceph(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.starts_with(b"ceph v2\n") || here.starts_with(b"ceph v0") {
        return Answer::Certain("ceph", 1.0);
    }
    if b"ceph v".starts_with(here.first_of(6)) {
        return Answer::Unsure;
    }
    let segments = matches!(here.u8(1), Some(1..=4)) && matches!(here.u8(0), Some(1..=30));
    let proven = |head: &[u8]| here.le32(28).is_some_and(|sum| crc32c(head, 0) == sum || !crc32c(head, !0) == sum);
    if segments && here.part(0, 28).is_some_and(proven) {
        return Answer::Certain("ceph", 0.99);
    }
    message_1(here)
}

/// Messenger 1: a message (7), an acknowledgement (8) or keep-alive (14, 15) by their tags and headers.
fn message_1(here: &[u8]) -> Answer {
    let (Some(7), Some(kind), Some(priority)) = (here.u8(0), here.le16(17), here.le16(19)) else {
        return Answer::NotForUs;
    };
    let (Some(crc), Some(head)) = (here.le32(50), here.part(1, 49)) else { return Answer::NotForUs };
    let sane = (1..=0x1000).contains(&kind) && priority <= 255;
    if sane && (crc32c(head, 0) == crc || !crc32c(head, !0) == crc) {
        Answer::Certain("ceph", 0.99)
    } else {
        Answer::NotForUs
    }
}

/// LNET_PROTO_ACCEPTOR_MAGIC and LNET_PROTO_TCP_MAGIC in either byte order.
fn lnet(look: &Look<'_>) -> Answer {
    let here = look.here;
    let magics = [0xacce_7100_u32, 0xeebc_0ded, 0x4563_2900];
    let known = |v: Option<u32>| v.is_some_and(|v| magics.contains(&v));
    if known(here.be32(0)) || known(here.le32(0)) {
        return Answer::Certain("lnet", 0.97);
    }
    // KSOCK_MSG_NOOP and KSOCK_MSG_LNET in the middle, with an LNet header of known type.
    let kind = here.le32(0);
    let lnet =
        kind == Some(0xc1) && here.le32(24 + 16 + 8).is_some_and(|t| t <= 4) || kind == Some(0xc0) && here.len() == 24;
    if !look.from_start && lnet { Answer::Certain("lnet", 0.75) } else { Answer::NotForUs }
}

/// NetMessageHeader: its prefix `BGFS` in the upper half of a 64-bit number.
fn beegfs(look: &Look<'_>) -> Answer {
    let here = look.here;
    let len = here.le32(0);
    if here.has(8, b"\0\0\0\0SFGB") || here.has(8, b"SFGB") {
        return if len.is_some_and(|l| l >= 24) { Answer::Certain("beegfs", 0.97) } else { Answer::NotForUs };
    }
    if look.tcp() && here.len() < 16 && len.is_none_or(|l| (24..1 << 20).contains(&l)) {
        Answer::Unsure
    } else {
        Answer::NotForUs
    }
}

/// Hadoop RPC (`hrpc`, version 9); data transfer: version 28, an operation.
fn hdfs(look: &Look<'_>) -> Answer {
    let here = look.here;
    if here.starts_with(b"hrpc") {
        return if here.u8(4).is_none_or(|v| (4..=9).contains(&v)) {
            Answer::Certain("hdfs", 0.98)
        } else {
            Answer::NotForUs
        };
    }
    if b"hrpc".starts_with(here) {
        return Answer::Unsure;
    }
    let operation = here.has(0, &[0, 28]) && matches!(here.u8(2), Some(80..=90 | 127));
    let named = here.find(b"DFSClient_", 512).is_some() || here.find(b"BP-", 128).is_some();
    if look.from_start && operation && named { Answer::Certain("hdfs", 0.93) } else { Answer::NotForUs }
}

/// An Rx packet: type, flags, and the service behind a connection (28 bytes).
fn afs(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(epoch), Some(connection), Some(kind), Some(flags)) =
        (here.be32(0), here.be32(4), here.u8(20), here.u8(21))
    else {
        return Answer::NotForUs;
    };
    let (Some(call), Some(seq), Some(security), Some(service)) =
        (here.be32(8), here.be32(12), here.u8(23), here.be16(26))
    else {
        return Answer::NotForUs;
    };
    let shape = matches!(kind, 1..=9 | 13) && flags & 0xc0 == 0 && security <= 5 && epoch != 0 && connection != 0;
    let counts = call < 1 << 24 && seq < 1 << 20;
    let known = (1..=3000).contains(&service);
    match (shape && counts && known, look.ports_of(&[7000, 7001, 7002, 7003, 7004, 7005, 7006, 7007, 7008, 7009, 7021]))
    {
        (true, true) => Answer::Certain("afs", 0.9),
        (true, false) if kind <= 6 && seq <= 4096 => Answer::Certain("afs", 0.6),
        _ => Answer::NotForUs,
    }
}

/// DSI: request or reply, command, length, a reserved word of zero.
fn afp(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(flags), Some(command)) = (here.u8(0), here.u8(1)) else { return Answer::Unsure };
    let head = flags <= 1 && (1..=8).contains(&command);
    match (here.be32(8), here.be32(12)) {
        (Some(len), Some(0)) if head && len < 1 << 20 && here.be16(2).is_some() => {
            let sized = here.len() == 16 + len as usize;
            let first = command == 3 || command == 4;
            if sized && (first || look.port(548)) {
                Answer::Certain("afp", if first && look.from_start { 0.85 } else { 0.7 })
            } else {
                Answer::NotForUs
            }
        }
        (Some(_), Some(_)) => Answer::NotForUs,
        _ if head => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

fn rsync(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(b"@RSYNCD: ") {
        facts.set("rsync_version", here.from(9).line(64).filter(|l| is_text(l)).unwrap_or_default());
        return Answer::Certain("rsync", 1.0);
    }
    if b"@RSYNCD: ".starts_with(here) { Answer::Unsure } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn magics() {
        assert_eq!(named(Over::TCP, 9, 1, b"NBDMAGICIHAVEOPT\0\x03"), Some("nbd"));
        assert_eq!(named(Over::TCP, 9, 1, b"ceph v2\n\x10\0\x01"), Some("ceph"));
        assert_eq!(named(Over::TCP, 9, 1, b"@RSYNCD: 31.0\n"), Some("rsync"));
        assert_eq!(named(Over::TCP, 9, 1, b"hrpc\x09\0\0"), Some("hdfs"));
        assert_eq!(named(Over::TCP, 9, 1, &0xacce_7100_u32.to_le_bytes()), Some("lnet"));
        assert_eq!(named(Over::TCP, 9, 1, b"\x40\0\0\0\0\0\0\0\0\0\0\0SFGB\x01\0"), Some("beegfs"));
        assert_eq!(named(Over::TCP, 9, 1, b"@RSYNCX: 31.0\n"), None);
    }

    #[test]
    fn crc_of_a_known_text() {
        assert_eq!(!crc32c(b"123456789", !0), 0xe306_9283);
    }

    #[test]
    fn a_frame_of_messenger_2_proves_itself() {
        let mut frame = vec![5, 2, 8, 0, 0, 0, 8, 0];
        frame.resize(28, 0);
        let sum = crc32c(&frame, 0);
        frame.extend(sum.to_le_bytes());
        assert_eq!(named(Over::TCP, 9, 1, &frame), Some("ceph"));
        frame[2] ^= 1;
        assert_eq!(named(Over::TCP, 9, 1, &frame), None);
    }
}
