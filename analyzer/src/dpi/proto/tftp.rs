//! TFTP (RFC 1350, RFC 2347). The transfer runs between ports of its own: the request announces the client's.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "tftp",
    "Trivial File Transfer Protocol",
    Group::Terminal,
    Over::UDP,
    &[69],
    "RFC 1350, RFC 2347",
    probe,
)
.datagrams(4, &[(0x00, 0x00)])];

fn probe(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    match here.be16(0) {
        Some(1 | 2) => request(look, facts),
        Some(6) if look.packets == 1 => options(here.from(2)),
        Some(5) if here.be16(2).is_some_and(|c| c <= 8) && here.from(4).strip_suffix(b"\0").is_some_and(is_text) => {
            Answer::Certain("tftp", 0.75)
        }
        Some(3 | 4) => transfer(look),
        _ => Answer::NotForUs,
    }
}

fn request(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let mut fields = look.here.from(2).split(|b| *b == 0);
    let (file, mode) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let known = [&b"octet"[..], b"netascii", b"mail"].iter().any(|m| mode.eq_ignore_ascii_case(m));
    if file.is_empty() || !is_text(file) || !known {
        return Answer::NotForUs;
    }
    facts.set("file", file);
    facts.expect(look.src, look.sport, "tftp");
    Answer::Certain("tftp", 0.98)
}

/// OACK: pairs of known names and numbers.
fn options(pairs: &[u8]) -> Answer {
    let known = [&b"blksize\0"[..], b"tsize\0", b"timeout\0", b"windowsize\0"];
    if known.iter().any(|k| pairs.begins_like(k)) { Answer::Certain("tftp", 0.95) } else { Answer::NotForUs }
}

/// Data blocks and acknowledgements that count together: nothing else begins so on both sides.
fn transfer(look: &Look<'_>) -> Answer {
    let (here, there) = (look.here, look.there);
    let (Some(kind), Some(block)) = (here.be16(0), here.be16(2)) else { return Answer::NotForUs };
    let sized = if kind == 4 { here.len() == 4 } else { here.len() <= 4 + 65_464 };
    if !sized {
        return Answer::NotForUs;
    }
    let pair = match (there.be16(0), there.be16(2)) {
        (Some(3), Some(b)) => kind == 4 && b == block,
        (Some(4), Some(b)) => kind == 3 && block == b.wrapping_add(1),
        _ => return Answer::Unsure,
    };
    if pair { Answer::Certain("tftp", 0.85) } else { Answer::NotForUs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    #[test]
    fn request_and_transfer() {
        assert_eq!(named(Over::UDP, 4000, 6969, b"\0\x01boot/x\0octet\0blksize\x001428\0"), Some("tftp"));
        assert_eq!(named(Over::UDP, 4000, 69, b"\0\x01boot/x\0binary\0"), None);
        let label = feed(Over::UDP, 4000, 5000, &[(false, b"\0\x03\0\x01data"), (true, b"\0\x04\0\x01")]);
        assert_eq!(label.named.unwrap().name, "tftp");
    }
}
