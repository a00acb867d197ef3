//! All lanes: found by hash, for each message asks for its lane; looked through in order of their queue pairs.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::lane::Lane;
use crate::tick::QpKey;

/// The table. Its bound is kept by [`Lanes::retain`].
#[derive(Debug, Default)]
pub(super) struct Lanes {
    all: Vec<Lane>,
    by_key: HashMap<QpKey, u32, FixedState>,
    /// Places in order of their keys.
    order: Vec<u32>,
}

impl Lanes {
    /// A lane, made where there is none.
    pub fn made(&mut self, key: QpKey) -> Option<&mut Lane> {
        if !self.by_key.contains_key(&key) {
            self.insert(Lane::new(key));
        }
        self.get_mut(&key)
    }

    fn insert(&mut self, lane: Lane) {
        let (place, key) = (self.all.len() as u32, lane.key);
        let all = &self.all;
        let at = self.order.partition_point(|&p| all.get(p as usize).is_some_and(|l| l.key < key));
        self.order.insert(at, place);
        self.by_key.insert(key, place);
        self.all.push(lane);
    }

    /// A lane, if it is there.
    pub fn get(&self, key: &QpKey) -> Option<&Lane> {
        self.all.get(*self.by_key.get(key)? as usize)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &QpKey) -> Option<&mut Lane> {
        self.all.get_mut(*self.by_key.get(key)? as usize)
    }

    /// All, in order of their queue pairs.
    pub fn values(&self) -> impl Iterator<Item = &Lane> {
        self.order.iter().filter_map(|&place| self.all.get(place as usize))
    }

    /// All, in no order that means anything.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.all.iter_mut()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Forgets the others.
    pub fn retain(&mut self, keep: impl Fn(&Lane) -> bool) {
        let all = std::mem::take(self).all;
        for lane in all.into_iter().filter(keep) {
            self.insert(lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Addr;

    #[test]
    fn lanes_stand_in_order_of_their_keys_also_after_some_were_forgotten() {
        let key = |n: u8| QpKey { src: Addr::v4([10, 0, 0, n]), dst: Addr::v4([10, 0, 1, n]), dst_qp: 7 };
        let mut lanes = Lanes::default();
        for n in [5, 1, 9, 3, 5] {
            lanes.made(key(n)).unwrap().total += 1;
        }
        let order = |lanes: &Lanes| lanes.values().map(|l| (l.key, l.total)).collect::<Vec<_>>();
        assert_eq!(order(&lanes), [(key(1), 1), (key(3), 1), (key(5), 2), (key(9), 1)]);
        lanes.retain(|lane| lane.key != key(3));
        assert_eq!((order(&lanes).len(), lanes.len(), lanes.get(&key(3)).is_none()), (3, 3, true));
        assert_eq!(lanes.get(&key(9)).map(|l| l.key), Some(key(9)));
    }
}
