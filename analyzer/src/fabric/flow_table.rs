//! Flows since the start: of fixed capacity, found by hash. A flow costs one place and two slots of the index, and no allocation
//! of its own unless it was seen on several links or its payload said something.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use super::behaviour::Rhythm;
use crate::tick::{FlowKey, FlowTick, LinkId};
use crate::worker::index::Index;

/// Links one flow is remembered on beside its first; a flow that wanders more is counted on those.
const MAX_MORE_LINKS: usize = 7;
/// Places looked at to find the longest idle when the table is full.
const WINDOW: usize = 16;
/// Flows that the first index is made for.
const FIRST: usize = 512;

/// One flow since the start.
#[derive(Clone, Debug)]
pub struct FlowTotal {
    /// Sums.
    pub sum: FlowTick,
    /// How it went.
    pub rhythm: Rhythm,
    more_links: Vec<LinkId>,
    first_link: LinkId,
}

impl FlowTotal {
    fn new(sum: FlowTick) -> Self {
        Self { rhythm: Rhythm::begin(&sum), first_link: sum.link, sum, more_links: Vec::new() }
    }

    fn add(&mut self, flow: &FlowTick) {
        self.rhythm.add(flow, self.sum.last_ns);
        self.sum.add(flow);
        let known = flow.link == self.first_link || self.more_links.contains(&flow.link);
        if !known && self.more_links.len() < MAX_MORE_LINKS {
            self.more_links.push(flow.link);
        }
    }

    /// Links that carried it, in order of appearance.
    pub fn links(&self) -> impl Iterator<Item = LinkId> {
        std::iter::once(self.first_link).chain(self.more_links.iter().copied())
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct FlowTable {
    index: Index,
    totals: Vec<FlowTotal>,
    /// When each flow was seen last, apart from the rest: looked through for the longest idle.
    seen_ns: Vec<u64>,
    hand: usize,
    hasher: FixedState,
}

impl Default for FlowTable {
    fn default() -> Self {
        let (totals, seen_ns) = (Vec::new(), Vec::new());
        Self { index: Index::new(FIRST), totals, seen_ns, hand: 0, hasher: FixedState::default() }
    }
}

impl FlowTable {
    /// Adds what a flow did; says whether another one had to be forgotten for it.
    pub fn add(&mut self, flow: &FlowTick, capacity: usize) -> bool {
        let hash = hash_of(&self.hasher, &flow.key);
        if let Some(place) = self.place(&flow.key, hash) {
            let place = place as usize;
            if let (Some(total), Some(seen_ns)) = (self.totals.get_mut(place), self.seen_ns.get_mut(place)) {
                total.add(flow);
                *seen_ns = total.sum.last_ns;
            }
            return false;
        }
        let full = self.totals.len() >= capacity.max(1);
        if full {
            self.replace(flow, hash);
        } else {
            self.push(flow, hash);
        }
        full
    }

    /// Asks memory for where a flow will be looked for.
    pub fn ask(&self, key: &FlowKey) {
        self.index.ask(hash_of(&self.hasher, key));
    }

    fn place(&self, key: &FlowKey, hash: u32) -> Option<u32> {
        self.index.find(hash, |place| self.totals.get(place as usize).is_some_and(|t| t.sum.key == *key))
    }

    /// A flow, if it is there.
    pub fn get(&self, key: &FlowKey) -> Option<&FlowTotal> {
        let place = self.place(key, hash_of(&self.hasher, key))?;
        self.totals.get(place as usize)
    }

    fn push(&mut self, flow: &FlowTick, hash: u32) {
        self.index.make_room(self.totals.len() + 1);
        self.index.insert(hash, self.totals.len() as u32);
        self.totals.push(FlowTotal::new(flow.clone()));
        self.seen_ns.push(flow.last_ns);
    }

    /// The place of the longest idle of a few.
    fn replace(&mut self, flow: &FlowTick, hash: u32) {
        let length = self.totals.len();
        let window = (0..WINDOW.min(length)).map(|i| (self.hand + i) % length);
        let place = window.min_by_key(|&i| self.seen_ns.get(i).copied().unwrap_or(0)).unwrap_or(0);
        self.hand = (self.hand + WINDOW) % length;
        let (Some(total), Some(seen_ns)) = (self.totals.get_mut(place), self.seen_ns.get_mut(place)) else { return };
        let old = std::mem::replace(total, FlowTotal::new(flow.clone()));
        *seen_ns = flow.last_ns;
        self.index.remove(hash_of(&self.hasher, &old.sum.key), place as u32);
        self.index.insert(hash, place as u32);
    }

    /// Flows in the table.
    pub fn len(&self) -> usize {
        self.totals.len()
    }

    /// None yet.
    pub fn is_empty(&self) -> bool {
        self.totals.is_empty()
    }

    /// All of them, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &FlowTotal> {
        self.totals.iter()
    }
}

fn hash_of(hasher: &FixedState, key: &FlowKey) -> u32 {
    let hash = hasher.hash_one(key);
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::tests::flow_of;

    #[test]
    fn a_full_table_forgets_the_longest_idle_of_a_few_and_counts() {
        let mut table = FlowTable::default();
        let forgotten = (0..5_000).filter(|&n| table.add(&flow_of(n, u64::from(n) + 1), 1_000)).count();
        assert_eq!((forgotten, table.len()), (4_000, 1_000));
        assert!(table.iter().all(|t| t.sum.last_ns > 3_900), "about the newest stay");
    }

    #[test]
    fn what_is_there_is_found_again_however_it_grew() {
        let mut table = FlowTable::default();
        for round in 1..=3 {
            assert_eq!((0..3_000).filter(|&n| table.add(&flow_of(n, round), 1 << 18)).count(), 0);
        }
        assert_eq!(table.len(), 3_000);
        assert!(table.iter().all(|t| t.sum.packets == 3 && t.links().count() == 1));
    }

    #[test]
    fn links_are_remembered_up_to_the_bound() {
        let mut table = FlowTable::default();
        for link in 0..20 {
            table.add(&FlowTick { link: LinkId(link), ..flow_of(1, 1) }, 8);
        }
        assert_eq!(table.iter().flat_map(FlowTotal::links).map(|l| l.0).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    /// What a flow costs the fabric: stated in docs/performance.md.
    #[test]
    fn a_flow_is_small() {
        assert!(size_of::<FlowTotal>() + 8 + 4 * size_of::<u64>() <= 336, "{}", size_of::<FlowTotal>());
    }
}
