//! Where a flow stands: open addressing over hashes, sized once for the whole table.

use super::ahead::ask;

/// An empty slot.
const EMPTY: u64 = 0;

/// Hash and place of each flow; half full at most.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    slots: Vec<u64>,
    mask: usize,
}

/// High half the hash, low half the place plus one.
fn slot(hash: u32, place: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(place.wrapping_add(1))
}

fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

fn place_of(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

impl Index {
    /// For so many flows.
    pub fn new(capacity: usize) -> Self {
        let length = capacity.saturating_mul(2).next_power_of_two().max(16);
        Self { slots: vec![EMPTY; length], mask: length - 1 }
    }

    /// Grows where so many flows would fill more than half of it.
    pub fn make_room(&mut self, flows: usize) {
        if flows * 2 <= self.slots.len() {
            return;
        }
        let mut wider = Self::new(self.slots.len());
        for &slot in self.slots.iter().filter(|&&slot| slot != EMPTY) {
            wider.insert(hash_of(slot), place_of(slot));
        }
        *self = wider;
    }

    /// The place of a flow with this hash for which `same` says that it is the one.
    #[inline]
    pub fn find(&self, hash: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = hash as usize & self.mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == EMPTY {
                return None;
            }
            if hash_of(slot) == hash && same(place_of(slot)) {
                return Some(place_of(slot));
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Asks memory for the slot where a search for this hash begins.
    #[inline(always)]
    pub fn ask(&self, hash: u32) {
        if let Some(slot) = self.slots.get(hash as usize & self.mask) {
            ask(slot, 1);
        }
    }

    /// Where the first flow with this hash would be.
    #[inline(always)]
    pub fn guess(&self, hash: u32) -> Option<u32> {
        let slot = *self.slots.get(hash as usize & self.mask)?;
        (slot != EMPTY).then(|| place_of(slot))
    }

    /// Puts in a flow that is not there.
    pub fn insert(&mut self, hash: u32, place: u32) {
        let mut at = hash as usize & self.mask;
        while let Some(found) = self.slots.get_mut(at) {
            if *found == EMPTY {
                *found = slot(hash, place);
                return;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Takes a flow out and closes the gap, so that searches need no marks of what is gone.
    pub fn remove(&mut self, hash: u32, place: u32) {
        let mut gap = hash as usize & self.mask;
        loop {
            match self.slots.get(gap) {
                Some(&found) if found == slot(hash, place) => break,
                Some(&EMPTY) | None => return,
                Some(_) => gap = (gap + 1) & self.mask,
            }
        }
        let mut next = (gap + 1) & self.mask;
        while let Some(&moved) = self.slots.get(next) {
            if moved == EMPTY {
                break;
            }
            let home = hash_of(moved) as usize & self.mask;
            // It may move up if its home is not between the gap and where it stands.
            if next.wrapping_sub(home) & self.mask >= next.wrapping_sub(gap) & self.mask {
                if let Some(free) = self.slots.get_mut(gap) {
                    *free = moved;
                }
                gap = next;
            }
            next = (next + 1) & self.mask;
        }
        if let Some(free) = self.slots.get_mut(gap) {
            *free = EMPTY;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn home(key: u32) -> u32 {
        (key % 37).wrapping_mul(0x9e37_79b1)
    }

    /// Against a map of the standard library, with few homes so that chains form and break.
    #[test]
    fn it_finds_what_was_put_in_and_not_taken_out() {
        let (mut index, mut truth) = (Index::new(512), HashMap::new());
        let mut state = 1u32;
        for round in 0..20_000u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = state >> 16 & 0x1ff;
            let hash = home(key);
            match truth.remove(&key) {
                Some(place) => index.remove(hash, place),
                None => {
                    index.insert(hash, key);
                    truth.insert(key, key);
                }
            }
            if round % 97 == 0 {
                for key in 0..0x200 {
                    let hash = home(key);
                    assert_eq!(index.find(hash, |place| place == key), truth.get(&key).copied(), "{round} {key}");
                }
            }
        }
    }
}
