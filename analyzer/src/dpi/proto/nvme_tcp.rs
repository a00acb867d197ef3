//! NVMe over TCP (NVM Express TCP Transport Specification 1.0, 3.6).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Datagrams, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol {
    name: "nvme-tcp",
    also: &[],
    title: "NVMe over TCP",
    group: Group::Storage,
    over: Over::TCP,
    ports: &[4420, 8009],
    source: "NVM Express TCP Transport Specification 1.0",
    probe,
    datagrams: Datagrams::ALL,
}];

/// Header length of each PDU type (3.6.2): ICReq, ICResp, termination requests, commands, responses, data, ready to transfer.
fn header_len(kind: u8) -> Option<u8> {
    Some(match kind {
        0x00 | 0x01 => 128,
        0x02 | 0x03 | 0x06 | 0x07 | 0x09 => 24,
        0x04 => 72,
        0x05 => 24,
        _ => return None,
    })
}

/// A PDU's common header: type and whole length.
fn pdu(bytes: &[u8]) -> Option<(u8, usize)> {
    let (kind, flags, header, offset) = (bytes.u8(0)?, bytes.u8(1)?, bytes.u8(2)?, bytes.u8(3)?);
    let len = bytes.le32(4)? as usize;
    let carries_data = matches!(kind, 0x02 | 0x03 | 0x04 | 0x06 | 0x07);
    let sane = header_len(kind) == Some(header) && flags & 0xf0 == 0 && (carries_data || offset == 0);
    let exact = match kind {
        0x00 | 0x01 => len == 128,
        0x05 | 0x09 => (24..=28).contains(&len),
        _ => {
            len >= usize::from(header) && len < 16 << 20 && (offset == 0 || usize::from(offset) >= usize::from(header))
        }
    };
    (sane && exact).then_some((kind, len))
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if here.len() < 8 {
        return if here.first().is_none_or(|k| *k <= 9) { Answer::Unsure } else { Answer::NotForUs };
    }
    let Some((kind, len)) = pdu(here) else { return Answer::NotForUs };
    if kind <= 1 {
        return connection(here, facts);
    }
    if look.from_start && kind != 4 {
        return Answer::NotForUs;
    }
    match here.from(len) {
        [] if here.len() == len => Answer::Certain("nvme-tcp", 0.75),
        next if next.len() >= 8 => pdu(next).map_or(Answer::NotForUs, |_| Answer::Certain("nvme-tcp", 0.95)),
        _ => command(here, kind),
    }
}

/// Initialisation: format version 0, and reserved bytes to the end.
fn connection(here: &[u8], facts: &mut Facts) -> Answer {
    let version = here.le16(8);
    let reserved = here.from(16).first_of(112);
    match version {
        Some(0) if reserved.iter().all(|b| *b == 0) && here.len() >= 24 => {
            facts.note("pdu_version", "1.0");
            Answer::Certain("nvme-tcp", 0.98)
        }
        None => Answer::Unsure,
        _ => Answer::NotForUs,
    }
}

/// A command or data longer than what is here.
fn command(here: &[u8], kind: u8) -> Answer {
    // Commands in capsules describe their data by SGL: PSDT 01 (NVMe over Fabrics 1.1, 2.2).
    match kind {
        4 if here.u8(9).is_some_and(|flags| flags & 0xc0 == 0x40) => Answer::Certain("nvme-tcp", 0.85),
        6 | 7 if here.len() >= 24 => Answer::Certain("nvme-tcp", 0.6),
        _ => Answer::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    fn init(kind: u8) -> Vec<u8> {
        let mut pdu = vec![0; 128];
        pdu[..8].copy_from_slice(&[kind, 0, 128, 0, 128, 0, 0, 0]);
        pdu
    }

    #[test]
    fn initialisation_of_either_side() {
        assert_eq!(named(Over::TCP, 1, 9999, &init(0)), Some("nvme-tcp"));
        assert_eq!(named(Over::TCP, 9999, 1, &init(1)), Some("nvme-tcp"));
        let mut wrong = init(0);
        wrong[8] = 9;
        assert_eq!(named(Over::TCP, 1, 4420, &wrong), None);
        assert_eq!(named(Over::TCP, 1, 4420, &[0; 128]), None);
    }

    #[test]
    fn two_responses_in_a_row() {
        let mut pdu = vec![0; 24];
        pdu[..8].copy_from_slice(&[5, 0, 24, 0, 24, 0, 0, 0]);
        let two = [pdu.clone(), pdu].concat();
        let label = crate::dpi::proto::testing::feed_mid(Over::TCP, 7, 8, &[(true, &two)]);
        assert_eq!(label.named.unwrap().name, "nvme-tcp");
    }
}
