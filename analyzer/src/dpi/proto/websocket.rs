//! WebSocket frames whose handshake was not seen (RFC 6455 5.2).

use crate::dpi::bytes::{Bytes, is_text};
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entry.
pub const PROTOCOLS: &[Protocol] =
    &[Protocol::new("websocket", "WebSocket, joined in the middle", Group::Rpc, Over::TCP, &[], "RFC 6455", |l, _| {
        probe(l)
    })];

/// A final frame that fills the segment; text must read as text, behind its mask.
fn probe(look: &Look<'_>) -> Answer {
    let here = look.here;
    let (Some(first), Some(second)) = (here.u8(0), here.u8(1)) else { return Answer::Unsure };
    let opcode = first & 15;
    let (len, at) = match second & 0x7f {
        126 => (usize::from(here.be16(2).unwrap_or(0)), 4),
        127 => (here.be64(2).unwrap_or(0) as usize, 10),
        short => (usize::from(short), 2),
    };
    let masked = second & 0x80 != 0;
    let body_at: usize = at + if masked { 4 } else { 0 };
    let exact = here.len() == body_at.saturating_add(len);
    if first & 0xf0 != 0x80 || !matches!(opcode, 1 | 8..=10) || !exact || len == 0 {
        return Answer::NotForUs;
    }
    let key = here.part(at, 4).unwrap_or_default();
    let plain: Vec<u8> = match masked {
        true => here.from(body_at).iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k).collect(),
        false => here.from(body_at).to_vec(),
    };
    match opcode {
        1 if len >= 4 && is_text(&plain) => Answer::Certain("websocket", if masked { 0.9 } else { 0.75 }),
        8 if plain.be16(0).is_some_and(|code| (1000..=1015).contains(&code)) => Answer::Certain("websocket", 0.75),
        _ => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::{feed_mid, named};

    #[test]
    fn frames_in_both_directions() {
        let masked = b"\x81\x85\x01\x02\x03\x04\x69\x67\x6f\x68\x6e";
        assert_eq!(named(Over::TCP, 9, 1, masked), Some("websocket"));
        let label = feed_mid(Over::TCP, 9, 1, &[(false, b"\x81\x05hello"), (false, b"\x81\x05world")]);
        assert_eq!(label.named.unwrap().name, "websocket");
        assert_eq!(named(Over::TCP, 9, 1, b"\x81\x05hell"), None);
    }
}
