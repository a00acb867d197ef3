//! iSCSI (RFC 7143).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] =
    &[Protocol::new("iscsi", "Internet SCSI", Group::Storage, Over::TCP, &[3260], "RFC 7143", probe)];

/// Bytes of a basic header segment.
const BHS: usize = 48;

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let Some(first) = here.u8(0) else { return Answer::Unsure };
    let login = matches!(first, 0x03 | 0x43 | 0x23);
    if look.from_start && !login {
        return Answer::NotForUs;
    }
    if here.len() < BHS {
        return if login { Answer::Unsure } else { Answer::NotForUs };
    }
    if login {
        return self::login(here, facts);
    }
    let Some(len) = pdu(here) else { return Answer::NotForUs };
    match here.from(len) {
        [] if here.len() == len => Answer::Certain("iscsi", 0.75),
        next if next.len() >= BHS => pdu(next).map_or(Answer::NotForUs, |_| Answer::Certain("iscsi", 0.95)),
        _ if first == 1 => Answer::Certain("iscsi", 0.75),
        _ => Answer::NotForUs,
    }
}

/// Login request or response: versions, then keys in text.
fn login(here: &[u8], facts: &mut Facts) -> Answer {
    let len = here.be24(5).unwrap_or(0) as usize;
    let text = here.from(BHS).first_of(len);
    let versions = here.u8(2).is_some_and(|v| v <= 2) && here.u8(3).is_some_and(|v| v <= 2);
    let session = here.part(8, 6).is_some_and(|isid| isid.iter().any(|b| *b != 0));
    let printable = text.first_of(256).iter().all(|b| *b == 0 || (b' '..=b'~').contains(b));
    let answer = here.u8(0) == Some(0x23);
    // A request brings keys; a response may have none, but then a status and nothing behind it.
    let keyed =
        if answer { here.be16(36).is_some_and(|s| s & 0xfc00 == 0) && here.len() >= BHS + len } else { len > 0 };
    let keys = text.is_empty() || printable && text.first_of(200).contains(&b'=');
    // A request says who asks: without its text it is anybody's.
    let needed = if answer { len } else { len.min(1) };
    if here.len() < BHS + needed && len < 1 << 16 {
        return Answer::Unsure;
    }
    if !versions || here.u8(4) != Some(0) || len > 1 << 16 || !session || !keyed || !keys {
        return Answer::NotForUs;
    }
    for pair in text.split(|b| *b == 0).take(32) {
        if let Some(name) = pair.strip_prefix(b"InitiatorName=") {
            facts.set("initiator", name);
        }
        if let Some(name) = pair.strip_prefix(b"TargetName=") {
            facts.set("target", name);
        }
    }
    Answer::Certain("iscsi", if text.is_empty() { 0.85 } else { 0.98 })
}

/// A command: a logical unit in one of two addressing methods, a SCSI operation code in use.
fn command(here: &[u8]) -> bool {
    let unit = here.u8(8).is_some_and(|l| l == 0 || l >> 6 == 1);
    let codes = [
        0x00, 0x03, 0x12, 0x15, 0x1a, 0x1b, 0x25, 0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x4d, 0x55, 0x5a, 0x5e, 0x5f,
        0x83, 0x84, 0x88, 0x89, 0x8a, 0x91, 0x93, 0x9e, 0xa0, 0xa3, 0xa4,
    ];
    unit && here.u8(32).is_some_and(|code| codes.contains(&code)) && here.be32(24).is_some_and(|n| n != 0)
}

/// Length of a PDU whose header is plausible: opcode, reserved bits, segments.
fn pdu(here: &[u8]) -> Option<usize> {
    let (first, flags) = (here.u8(0)?, here.u8(1)?);
    let opcode = first & 0x3f;
    let data = here.be24(5)? as usize;
    let (ahs, sane) = (usize::from(here.u8(4)?) * 4, first & 0x80 == 0);
    let target = (0x20..=0x3f).contains(&opcode);
    let shaped = match opcode {
        // NOP-Out and NOP-In, commands and responses, task management, text, data, logout, ready to transfer, reject.
        0x00 | 0x20 => flags == 0x80 && ahs == 0 && here.be16(2)? == 0,
        0x01 => flags & 0x98 == 0x80 && here.be16(2)? == 0 && command(here),
        0x21 => flags & 0x81 == 0x80 && ahs == 0 && here.u8(2)? <= 1,
        0x02 | 0x22 => flags & 0x80 == 0x80 && data == 0,
        0x05 => flags & 0x7f == 0 && here.be16(2)? == 0 && data > 0,
        0x25 => flags & 0x38 == 0 && data > 0 && ahs == 0,
        0x04 | 0x24 => data < 1 << 16 && ahs == 0 && flags & 0x3f == 0,
        0x06 | 0x26 => flags & 0x80 == 0x80 && data == 0 && ahs == 0,
        0x31 => flags == 0x80 && data == 0 && here.be16(2)? == 0 && here.be32(44)? > 0,
        0x32 => flags == 0x80 && data == 0 && ahs == 0,
        0x3f => data == BHS,
        _ => false,
    };
    let tagged = here.be32(16)? != 0 || here.be32(24)? != 0;
    let numbered = !target || here.be32(28)?.abs_diff(here.be32(32)?) <= 1 << 16;
    (sane && shaped && numbered && tagged && data < 1 << 24).then_some(BHS + ahs + data.next_multiple_of(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed_mid, named};

    #[test]
    fn login_and_the_middle() {
        let mut request = vec![0; BHS];
        request[..14].copy_from_slice(&[0x43, 0x87, 0, 0, 0, 0, 0, 26, 0x40, 0, 1, 0x37, 0, 0]);
        request.extend(b"InitiatorName=iqn.a:node7\0\0\0");
        assert_eq!(named(Over::TCP, 9, 1, &request), Some("iscsi"));
        let mut response = vec![0; BHS];
        response[..2].copy_from_slice(&[0x21, 0x80]);
        response[19] = 7;
        response[27] = 3;
        response[31] = 9;
        response[35] = 40;
        assert_eq!(feed_mid(Over::TCP, 9, 3260, &[(false, &response)]).named.unwrap().name, "iscsi");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(false, &response)]).named, None);
        let two = [response.clone(), response].concat();
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(false, &two)]).named.unwrap().name, "iscsi");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(false, &[0; 48])]).named, None);
        // A header of libfabric's tcp provider: version 3, length 48.
        let mut other = vec![0; BHS];
        other[..10].copy_from_slice(&[3, 1, 1, 0, 0, 0, 0, 0x20, 0, 0x30]);
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(true, &other)]).named, None);
    }
}
