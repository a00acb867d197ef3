//! NetBIOS over TCP and UDP: name, datagram and session service (RFC 1001, RFC 1002).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{ANY, Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "netbios",
    "NetBIOS name, datagram and session service",
    Group::Infrastructure,
    Over::BOTH,
    &[137, 138, 139],
    "RFC 1002",
    probe,
)
.datagrams(45, ANY)
.also(&["smb"])];

/// A first-level encoded name: 32 letters A to P (RFC 1001 14.1), decoded.
fn name(bytes: &[u8], at: usize) -> Option<Vec<u8>> {
    let coded = bytes.part(at + 1, 32).filter(|_| bytes.u8(at) == Some(32))?;
    let half = |b: u8| b.checked_sub(b'A').filter(|v| *v < 16);
    coded.chunks_exact(2).map(|c| Some(half(c[0])? << 4 | half(c[1])?)).collect()
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let found = match look.udp() {
        true => name_service(here).or_else(|| datagram(here)),
        false => session(here),
    };
    // A datagram of the service may carry SMB (browsing, mail slots).
    if look.udp()
        && found.is_some()
        && here.find(b"\xffSMB", 256).is_some()
        && here.u8(0).is_some_and(|k| (0x10..=0x12).contains(&k))
    {
        return Answer::Certain("smb", 0.97);
    }
    match found {
        Some(name) => {
            let text = name.first_of(15).trim_ascii_end();
            facts.set("netbios_name", text);
            Answer::Certain("netbios", 0.97)
        }
        None if look.udp() || here.len() > 4 => Answer::NotForUs,
        None => Answer::Unsure,
    }
}

/// A question or a record whose name is encoded so.
fn name_service(here: &[u8]) -> Option<Vec<u8>> {
    let (flags, questions, answers) = (here.be16(2)?, here.be16(4)?, here.be16(6)?);
    let opcode = flags >> 11 & 15;
    let name = name(here, 12)?;
    let counts = questions <= 2 && answers <= 2 && questions + answers + here.be16(8)? + here.be16(10)? >= 1;
    (matches!(opcode, 0 | 5..=9) && counts).then_some(name)
}

/// Types 0x10 to 0x16; the sender's name stands behind a header of 14 bytes.
fn datagram(here: &[u8]) -> Option<Vec<u8>> {
    let (kind, flags) = (here.u8(0)?, here.u8(1)?);
    let named = matches!(kind, 0x10..=0x12) && flags & 0xf0 == 0;
    named.then(|| name(here, 14)).flatten()
}

/// SESSION REQUEST: called name, calling name.
fn session(here: &[u8]) -> Option<Vec<u8>> {
    let is_request = here.u8(0)? == 0x81 && here.u8(1)? <= 1 && (68..=72).contains(&here.be16(2)?);
    is_request.then(|| name(here, 4)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn a_name_query_on_any_port() {
        let query =
            [&[1, 2, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 32][..], b"EOEPEEEFDHCACACACACACACACACACAAA", &[0, 0, 32, 0, 1]]
                .concat();
        let label = feed(Over::UDP, 137, 9137, &[(true, &query)]);
        assert_eq!(label.named.unwrap().name, "netbios");
        assert!(label.attrs.unwrap().contains(&("netbios_name", "NODE7".to_owned())));
        assert_ne!(named(Over::UDP, 137, 137, &query[..40]), Some("netbios"));
    }
}
