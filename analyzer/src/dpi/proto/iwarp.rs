//! iWARP: RDMA over TCP by MPA, DDP and RDMAP (RFC 5044, RFC 5041, RFC 5040, RFC 6581).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "iwarp",
    "iWARP: RDMA over TCP (MPA, DDP, RDMAP)",
    Group::Fabric,
    Over::TCP,
    &[],
    "RFC 5044, RFC 5041, RFC 5040, RFC 6581",
    probe,
)];

const REQUEST: &[u8] = b"MPA ID Req Frame";
const REPLY: &[u8] = b"MPA ID Rep Frame";

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.starts_with(REQUEST) || here.starts_with(REPLY) {
        return hello(here, facts);
    }
    if here.len() < 16 && (REQUEST.starts_with(here) || REPLY.starts_with(here)) {
        return Answer::Unsure;
    }
    if look.from_start { Answer::NotForUs } else { middle(here) }
}

/// Flags (markers, CRC, rejection), revision, private data, which an upper layer may sign.
fn hello(here: &[u8], facts: &mut Facts) -> Answer {
    if let Some(revision) = here.u8(17) {
        facts.note("mpa_revision", revision.to_string());
        facts.note("mpa_crc", if here.u8(16).unwrap_or(0) & 0x40 != 0 { "yes" } else { "no" });
    }
    Answer::Certain("iwarp", 1.0)
}

/// FPDUs: length, a DDP header of version 1 with RDMAP of version 1 and a known operation, pad and CRC; in a chain.
fn middle(here: &[u8]) -> Answer {
    let (mut at, mut count) = (0, 0);
    while let (Some(len), Some(ddp), Some(rdmap)) = (here.be16(at), here.u8(at + 2), here.u8(at + 3)) {
        let known = ddp & 0x3f == 1 && rdmap & 0xf0 == 0x40 && rdmap & 15 <= 7 && len >= 14;
        if !known {
            return Answer::NotForUs;
        }
        let (end, padded) = (at + 2 + usize::from(len), (2 + usize::from(len)).next_multiple_of(4));
        let proven =
            here.part(at, padded).zip(here.be32(at + padded)).is_some_and(|(fpdu, sum)| sum == 0 || check(fpdu) == sum);
        if !proven && end < here.len() {
            return Answer::NotForUs;
        }
        count += 1;
        at += padded + 4;
        if proven && check(here.part(at - padded - 4, padded).unwrap_or_default()) == here.be32(at - 4).unwrap_or(0) {
            return Answer::Certain("iwarp", 0.98);
        }
    }
    if count > 1 && at == here.len() {
        Answer::Certain("iwarp", 0.9)
    } else if count == 1 && at == here.len() {
        Answer::Certain("iwarp", 0.7)
    } else {
        Answer::NotForUs
    }
}

/// CRC-32C of an FPDU as its bytes stand on the wire.
fn check(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(!0_u32, |crc, b| {
        (0..8).fold(crc ^ u32::from(*b), |c, _| if c & 1 == 1 { c >> 1 ^ 0x82f6_3b78 } else { c >> 1 })
    });
    (!crc).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed_mid, named};

    #[test]
    fn start_and_middle() {
        assert_eq!(named(Over::TCP, 9, 1, b"MPA ID Req Frame\x40\x01\0\0"), Some("iwarp"));
        let mut fpdu = vec![0, 18, 0x41, 0x43, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let sum = check(&fpdu);
        fpdu.extend(sum.to_be_bytes());
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &fpdu)]).named.unwrap().name, "iwarp");
        fpdu[9] = 1;
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &fpdu)]).named, None);
    }
}
