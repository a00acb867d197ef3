//! Protocol Buffers sent bare over TCP or UDP, by programs of one's own: no magic, only the grammar of their fields.

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] = &[Protocol::new(
    "protobuf",
    "Protocol Buffers without a protocol around them",
    Group::Rpc,
    Over::BOTH,
    &[],
    "Protocol Buffers: encoding",
    |l, _| probe(l),
)];

/// Messages within messages that are looked into.
const MAX_DEPTH: u8 = 3;
/// Highest field number believed: real ones are small.
const MAX_FIELD: u64 = 1000;

/// What a walk over fields found.
#[derive(Default)]
struct Walk {
    fields: usize,
    /// Fields that hold text or a message.
    meaning: usize,
    /// The last field is not complete.
    cut: bool,
}

/// A number in base 128, least group first; `None` beyond ten bytes or the end.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in 0..10 {
        let byte = bytes.u8(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(7 * shift).unwrap_or(0);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Walks over fields to the end. `None` where something else stands.
fn walk(bytes: &[u8], depth: u8) -> Option<Walk> {
    let (mut at, mut found) = (0, Walk::default());
    while at < bytes.len() && !found.cut {
        let tag = varint(bytes, &mut at)?;
        if !(1..=MAX_FIELD).contains(&(tag >> 3)) {
            return None;
        }
        match tag & 7 {
            0 => found.cut = varint(bytes, &mut at).is_none(),
            1 => at += 8,
            5 => at += 4,
            2 => {
                let len = usize::try_from(varint(bytes, &mut at)?).ok().filter(|len| (1..1 << 24).contains(len))?;
                let value = bytes.from(at).first_of(len);
                let text = value.len() >= 3 && is_text(value);
                let inner = || depth < MAX_DEPTH && walk(value, depth + 1).is_some_and(|w| !w.cut && w.fields > 0);
                found.meaning += usize::from(text || value.len() == len && inner());
                at = at.saturating_add(len);
            }
            _ => return None,
        }
        found.fields += 1;
    }
    found.cut |= at > bytes.len();
    Some(found)
}

/// A message alone, or behind its length (as a number of base 128, or in four bytes) to the exact end.
fn messages(here: &[u8]) -> Option<Walk> {
    let mut at = 0;
    let by_varint = varint(here, &mut at).is_some_and(|len| len as usize == here.len() - at);
    let by_word = here.be32(0).is_some_and(|len| len as usize + 4 == here.len());
    let behind = |start: usize| walk(here.from(start), 0).filter(|w| !w.cut);
    let framed = if by_word { behind(4) } else { None }.or_else(|| if by_varint { behind(at) } else { None });
    framed.or_else(|| walk(here, 0))
}

fn probe(look: &Look<'_>) -> Answer {
    let Some(found) = messages(look.here) else { return Answer::NotForUs };
    // Few fields read well by chance: they must hold text or messages, again and again.
    match (found.fields, found.meaning) {
        _ if found.cut => Answer::Unsure,
        (8.., 2..) => Answer::Certain("protobuf", 0.75),
        (3.., 1..) if look.packets > 1 || look.there.len() > 3 && messages(look.there).is_some() => {
            Answer::Certain("protobuf", 0.55)
        }
        _ => Answer::Unsure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed, named};

    /// A person of the documentation's example: name, identifier, address, a phone number.
    const PERSON: &[u8] = b"\x0a\x08John Doe\x10\xd2\x09\x1a\x10jdoe@example.com\x22\x0c\x0a\x08555-4321\x10\x01";

    #[test]
    fn a_conversation_of_messages() {
        for over in [Over::TCP, Over::UDP] {
            let turns = [(true, PERSON), (false, PERSON), (true, PERSON), (false, PERSON)];
            assert_eq!(feed(over, 40_000, 9999, &turns).named.map(|n| n.name), Some("protobuf"));
        }
        let framed = [&(PERSON.len() as u32).to_be_bytes()[..], PERSON].concat();
        assert!(messages(&framed).is_some_and(|w| (w.fields, w.meaning, w.cut) == (4, 3, false)));
    }

    #[test]
    fn what_only_resembles_it() {
        assert_eq!(named(Over::UDP, 40_000, 9999, PERSON), None);
        let numbers: &[u8] = b"\x08\x01\x10\x02\x18\x03\x20\x04\x28\x05\x30\x06\x38\x07\x40\x08";
        let turns = [(true, numbers), (false, numbers), (true, numbers)];
        assert_eq!(feed(Over::UDP, 40_000, 9999, &turns).named, None);
        assert!(messages(b"\x0f\x01\x02\x03").is_none());
        assert!(messages(&[0xff; 64]).is_none());
        assert!(messages(&PERSON[..20]).is_some_and(|w| w.cut));
    }
}
