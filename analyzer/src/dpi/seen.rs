//! What a flow itself remembers of its inspection.

use std::num::NonZeroU32;

use super::open::Open;
use super::stream::own_first;

/// More than this is kept only of conversations of which a protocol said that it may be theirs: a flood of flows that are
/// nobody's, or of handshakes that nothing follows, costs no memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where the engine keeps more, if it does; the other direction may say so as well.
    pub(super) kept: Option<NonZeroU32>,
    /// Sequence number of the first byte, as the handshake said it.
    start: u32,
    /// Payload packets that were nobody's; of a stream, how often it was begun with.
    pub(super) looked: u8,
    shaken: Shaken,
}

/// What a direction said in the handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shaken {
    #[default]
    Not,
    /// The other direction acknowledged where this one begins.
    Told,
    Asked,
    Answered,
}

impl Seen {
    /// A segment of the handshake without payload.
    pub(super) fn shake(&mut self, other: Option<&mut Self>, seq: u32, ack: u32, is_answer: bool) {
        self.start = seq.wrapping_add(1);
        self.shaken = if is_answer { Shaken::Answered } else { Shaken::Asked };
        if let Some(other) = other.filter(|o| is_answer && o.shaken == Shaken::Not) {
            (other.start, other.shaken) = (ack, Shaken::Told);
        }
    }

    /// What the handshake said, to a conversation that begins; `self` is of its direction `dir`.
    pub(super) fn shaken_into(&self, open: &mut Open, dir: usize, other: &Self) {
        let (own_head, other_head) = own_first(&mut open.heads, dir);
        for (seen, head) in [(self, own_head), (other, other_head)] {
            if seen.shaken != Shaken::Not {
                head.starts_at(seen.start);
            }
        }
        open.initiator = match (self.shaken, other.shaken) {
            (_, Shaken::Answered) | (Shaken::Asked, _) => Some(dir),
            (Shaken::Answered, _) | (_, Shaken::Asked) => Some(1 - dir.min(1)),
            _ => open.initiator,
        };
    }
}

/// The handshake says where either stream begins.
pub(super) fn shake(open: &mut Open, dir: usize, seq: u32, ack: u32, is_answer: bool) {
    open.initiator = Some(if is_answer { 1 - dir.min(1) } else { dir });
    let (own, other) = own_first(&mut open.heads, dir);
    own.starts_at(seq.wrapping_add(1));
    if is_answer {
        other.starts_at(ack);
    }
}
