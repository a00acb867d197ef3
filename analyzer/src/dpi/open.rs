//! A conversation whose label is still open.

use super::facts::Facts;
use super::mask::Mask;
use super::protocol::Name;
use super::stream::Head;
use crate::tick::FlowKey;

/// Payload packets of one direction after which the label closes.
pub const MAX_PACKETS: u16 = 16;
/// Fewer bytes than this teach little: where segments are small, so many more packets are looked at.
const FEW_BYTES: usize = 256;
const MORE_PACKETS: u16 = 16;
/// Prologues followed one after another.
pub const MAX_LAYERS: u8 = 4;

/// A name with its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named {
    /// The name.
    pub name: Name,
    /// `dpi` or `port`.
    pub engine: &'static str,
    /// 0..1.
    pub confidence: f32,
}

/// What is kept while the label is open. Direction 0 is that of the smaller end.
#[derive(Debug)]
pub struct Open {
    /// Whose it is.
    pub key: FlowKey,
    /// Where it stands in the pool, and how often that place was taken.
    pub place: u32,
    /// How often that place was taken.
    pub life: u32,
    /// First bytes of either direction.
    pub heads: [Head; 2],
    /// Protocols excluded in either direction.
    pub dead: [Mask; 2],
    /// The protocol that named it and wants to see more.
    pub chosen: Option<usize>,
    /// Named once by weak evidence.
    pub suspect: Option<(Name, u8)>,
    /// The label so far.
    pub named: Option<Named>,
    /// Facts so far.
    pub facts: Facts,
    /// Prologues passed.
    pub layers: u8,
    /// An announcement named it; that is still to be told.
    pub announced: bool,
    /// What carries the conversation and keeps its name.
    pub outer: Option<Named>,
    /// Which direction opened the connection.
    pub initiator: Option<usize>,
    /// Memory counted for it by the inspector.
    pub counted: usize,
}

impl Open {
    /// For nobody yet.
    pub fn new(place: u32) -> Self {
        Self {
            key: FlowKey::NONE,
            place,
            life: 0,
            heads: Default::default(),
            dead: Default::default(),
            chosen: None,
            suspect: None,
            named: None,
            facts: Facts::default(),
            layers: 0,
            announced: false,
            outer: None,
            initiator: None,
            counted: 0,
        }
    }

    /// Forgets everything; what memory it has it keeps as far as that is little.
    pub fn renew(&mut self) {
        let [mut a, mut b] = std::mem::take(&mut self.heads);
        a.renew();
        b.renew();
        *self = Self { life: self.life.wrapping_add(1), heads: [a, b], ..Self::new(self.place) };
    }

    /// Bytes held for later looks.
    pub fn held(&self) -> usize {
        self.heads.iter().map(|h| h.bytes.capacity()).sum()
    }

    /// Neither direction may teach more.
    pub fn is_spent(&self) -> bool {
        self.heads
            .iter()
            .any(|h| h.packets >= MAX_PACKETS && h.bytes.len() >= FEW_BYTES || h.packets >= MAX_PACKETS + MORE_PACKETS)
    }

    /// A prologue has ended: what follows is looked at afresh.
    pub fn enter(&mut self, skip: [usize; 2], named: Named, stays: bool) {
        if stays && self.outer.is_none() {
            self.outer = Some(named);
        }
        for (head, count) in self.heads.iter_mut().zip(skip) {
            head.skip(count);
            head.packets = 0;
        }
        self.dead = [Mask::default(); 2];
        self.chosen = None;
        self.suspect = None;
        self.named = Some(named);
        self.layers += 1;
    }
}

/// Settles what is outside and what is inside.
pub fn wrap_up(named: Option<Named>, outer: Option<Named>, facts: &mut Facts) -> Option<Named> {
    if let Some(outer) = outer {
        let inside = named.filter(|n| n.name != outer.name);
        facts.note("inside", inside.map_or("", |n| n.name));
    }
    outer.or(named)
}
