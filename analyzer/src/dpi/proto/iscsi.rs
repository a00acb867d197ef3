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
        return if login || first & 0x3f <= 0x32 { Answer::Unsure } else { Answer::NotForUs };
    }
    if login {
        return self::login(here, facts);
    }
    let Some(len) = pdu(here) else { return Answer::NotForUs };
    match here.from(len) {
        [] if here.len() == len => Answer::Certain("iscsi", 0.85),
        next if next.len() >= BHS => pdu(next).map_or(Answer::NotForUs, |_| Answer::Certain("iscsi", 0.95)),
        _ => Answer::Certain("iscsi", 0.7),
    }
}

/// Login request or response: versions, then keys in text.
fn login(here: &[u8], facts: &mut Facts) -> Answer {
    let len = here.be24(5).unwrap_or(0) as usize;
    let text = here.from(BHS).first_of(len);
    let versions = here.u8(2).is_some_and(|v| v <= 2) && here.u8(3).is_some_and(|v| v <= 2);
    let ahs = here.u8(4) == Some(0);
    let keyed = text.is_empty() && len == 0 || text.first_of(200).contains(&b'=');
    if !versions || !ahs || len > 1 << 16 || !keyed {
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
        0x01 => flags & 0x18 == 0 && here.be16(2)? == 0,
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
    let numbered = !target || here.be32(28)?.abs_diff(here.be32(32)?) <= 1 << 16;
    (sane && shaped && numbered && data < 1 << 24).then_some(BHS + ahs + data.next_multiple_of(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed_mid, named};

    #[test]
    fn login_and_the_middle() {
        let mut request = vec![0; BHS];
        request[..8].copy_from_slice(&[0x43, 0x87, 0, 0, 0, 0, 0, 26]);
        request.extend(b"InitiatorName=iqn.a:node7\0\0\0");
        assert_eq!(named(Over::TCP, 9, 1, &request), Some("iscsi"));
        let mut response = vec![0; BHS];
        response[..2].copy_from_slice(&[0x21, 0x80]);
        response[31] = 9;
        response[35] = 40;
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(false, &response)]).named.unwrap().name, "iscsi");
        assert_eq!(feed_mid(Over::TCP, 9, 1, &[(false, &[0; 48])]).named, None);
    }
}
