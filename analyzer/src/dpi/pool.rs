//! Where conversations with an open label stand: places that are used again, with the memory that they had.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use super::open::Open;
use crate::tick::FlowKey;

/// Conversations with an open label of which more is kept. The longest open one closes when another needs the place.
const MAX_OPEN: usize = 65_536;
/// Bytes held for all of them: beyond this the longest open ones close.
const MAX_HELD: usize = 64 << 20;

/// The places.
#[derive(Debug, Default)]
pub struct Pool {
    places: Vec<Option<Box<Open>>>,
    free: Vec<u32>,
    /// Place and life of those taken, the oldest first; some have been freed since.
    order: VecDeque<(u32, u32)>,
    held: usize,
    /// Labels closed before their time for want of room.
    closed_early: u64,
}

impl Pool {
    /// A place for a conversation, empty.
    pub fn begin(&mut self, key: FlowKey) -> Box<Open> {
        let free = self.free.pop().and_then(|place| self.places.get_mut(place as usize)?.take());
        let mut open = free.unwrap_or_else(|| {
            let place = self.places.len() as u32;
            self.places.push(None);
            Box::new(Open::new(place))
        });
        open.key = key;
        self.order.push_back((open.place, open.life));
        open
    }

    /// Takes what is kept of a conversation, if its place is still its own.
    pub fn take(&mut self, place: NonZeroU32, key: &FlowKey) -> Option<Box<Open>> {
        let place = self.places.get_mut(place.get() as usize - 1)?;
        if place.as_ref().is_none_or(|open| open.key != *key) {
            return None;
        }
        place.take()
    }

    /// Puts it back; gives the number of its place.
    pub fn put_back(&mut self, mut open: Box<Open>) -> Option<NonZeroU32> {
        self.held -= open.counted.min(self.held);
        open.counted = open.held();
        self.held += open.counted;
        let place = open.place;
        if let Some(empty) = self.places.get_mut(place as usize) {
            *empty = Some(open);
        }
        self.make_room();
        NonZeroU32::new(place + 1)
    }

    /// Its label has closed.
    pub fn free(&mut self, mut open: Box<Open>) {
        self.held -= open.counted.min(self.held);
        open.renew();
        let place = open.place;
        if let Some(empty) = self.places.get_mut(place as usize) {
            *empty = Some(open);
            self.free.push(place);
        }
    }

    /// Conversations kept.
    pub fn taken(&self) -> usize {
        self.places.len() - self.free.len()
    }

    fn make_room(&mut self) {
        while self.taken() > MAX_OPEN || self.held > MAX_HELD {
            let Some((place, life)) = self.order.pop_front() else { break };
            let Some(slot) = self.places.get_mut(place as usize) else { continue };
            if let Some(open) = slot.take_if(|open| open.life == life && open.key != FlowKey::NONE) {
                self.closed_early += 1;
                self.free(open);
            }
        }
        if self.order.len() > 2 * MAX_OPEN {
            let places = &self.places;
            self.order.retain(|&(place, life)| {
                places.get(place as usize).is_some_and(|slot| slot.as_ref().is_some_and(|open| open.life == life))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u16) -> FlowKey {
        FlowKey { sport: n, ..FlowKey::NONE }
    }

    #[test]
    fn a_place_serves_again_and_is_nobody_elses() {
        let mut pool = Pool::default();
        let open = pool.begin(key(1));
        let place = pool.put_back(open).unwrap();
        assert!(pool.take(place, &key(2)).is_none());
        let open = pool.take(place, &key(1)).unwrap();
        pool.free(open);
        assert_eq!(pool.taken(), 0);
        let open = pool.begin(key(2));
        assert_eq!(pool.put_back(open), Some(place));
        assert!(pool.take(place, &key(1)).is_none());
    }

    #[test]
    fn the_longest_open_makes_room() {
        let mut pool = Pool::default();
        let places: Vec<NonZeroU32> = (0..=MAX_OPEN)
            .map(|n| {
                let open = pool.begin(FlowKey { dst_qp: Some(n as u32), ..FlowKey::NONE });
                pool.put_back(open).unwrap()
            })
            .collect();
        assert_eq!((pool.taken(), pool.closed_early), (MAX_OPEN, 1));
        let of = |n: u32| FlowKey { dst_qp: Some(n), ..FlowKey::NONE };
        assert!(pool.take(places[0], &of(0)).is_none());
        assert!(pool.take(places[1], &of(1)).is_some());
    }
}
