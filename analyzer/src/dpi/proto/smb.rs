//! SMB 1 to 3 (MS-CIFS, MS-SMB2), straight over TCP or in a NetBIOS session.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] =
    &[Protocol::new("smb", "Server Message Block", Group::Storage, Over::TCP, &[445, 139], "MS-CIFS, MS-SMB2", probe)];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    if !b"\0".starts_with(here.first_of(1)) {
        return Answer::NotForUs;
    }
    let Some(magic) = here.part(4, 4) else { return Answer::Unsure };
    let version = match magic {
        b"\xffSMB" => "1",
        b"\xfeSMB" => "2 or 3",
        b"\xfdSMB" => "3, encrypted",
        b"\xfcSMB" => "3, compressed",
        _ => return Answer::NotForUs,
    };
    facts.note("smb_version", version);
    Answer::Certain("smb", 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn each_version() {
        assert_eq!(named(Over::TCP, 1, 4450, b"\0\0\0\x40\xfeSMB\x40\0\0\0"), Some("smb"));
        assert_eq!(named(Over::TCP, 1, 139, b"\0\0\0\x40\xffSMB\x72\0\0\0"), Some("smb"));
        assert_eq!(named(Over::TCP, 1, 445, b"\0\0\0\x40\xffSMX\x72\0\0\0"), None);
    }
}
