//! What one conversation teaches about others: names of addresses from DNS, and conversations announced by control channels.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::facts::{Expected, Facts};
use super::protocol::Name;
use crate::packet::Addr;
use crate::tick::FlowKey;

/// Addresses with a name.
const MAX_NAMES: usize = 16_384;
/// Announced conversations.
const MAX_ANNOUNCED: usize = 4096;

/// A map that forgets its oldest entry when it is full.
#[derive(Debug)]
struct Bounded<K, V> {
    map: HashMap<K, V, FixedState>,
    order: VecDeque<K>,
    capacity: usize,
}

impl<K: Copy + Eq + Hash, V> Bounded<K, V> {
    fn new(capacity: usize) -> Self {
        Self { map: HashMap::default(), order: VecDeque::new(), capacity }
    }

    fn put(&mut self, key: K, value: V) {
        if self.map.insert(key, value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }
}

/// What an inspector among several says instead of remembering names: one memory for all answers, in the order of the frames.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// DNS named an address.
    Learnt(Addr, Arc<str>),
    /// A conversation without a name of its own was labelled.
    Asked(FlowKey),
}

/// What was heard, each with the number of its frame.
#[derive(Debug, Default)]
struct Ear {
    frame: u64,
    heard: Vec<(u64, Heard)>,
}

/// The tables of one worker.
#[derive(Debug)]
pub struct Memory {
    names: Bounded<Addr, Arc<str>>,
    announced: Bounded<(Addr, u16), Name>,
    /// Among several.
    ear: Option<Box<Ear>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { names: Bounded::new(MAX_NAMES), announced: Bounded::new(MAX_ANNOUNCED), ear: None }
    }
}

impl Memory {
    /// Takes what a message taught; `ends` are the two ends of its conversation.
    pub fn learn(&mut self, facts: &mut Facts, ends: [Addr; 2]) {
        for (addr, name) in facts.learnt.drain(..) {
            match &mut self.ear {
                None => self.names.put(addr, name.into()),
                Some(ear) => ear.heard.push((ear.frame, Heard::Learnt(addr, name.into()))),
            }
        }
        for Expected { addr, port, name } in facts.expected.drain(..) {
            let listeners = if addr == Addr::default() { ends } else { [addr, addr] };
            for listener in listeners {
                self.announced.put((listener, port), name);
            }
        }
    }

    /// One of several: names are kept elsewhere.
    pub(crate) fn only_hear(&mut self) {
        self.ear = Some(Box::default());
    }

    /// One of several: the frame whose turn it is.
    #[inline]
    pub(crate) fn turn(&mut self, frame: u64) {
        if let Some(ear) = &mut self.ear {
            ear.frame = frame;
        }
    }

    /// One of several: what was heard since the last call.
    pub(crate) fn take_heard(&mut self) -> Vec<(u64, Heard)> {
        self.ear.as_mut().map(|ear| std::mem::take(&mut ear.heard)).unwrap_or_default()
    }

    /// One for several: takes what another heard; gives the name that was asked for.
    pub(crate) fn hears(&mut self, heard: &Heard) -> Option<Arc<str>> {
        match heard {
            Heard::Learnt(addr, name) => {
                self.names.put(*addr, name.clone());
                None
            }
            Heard::Asked(key) => self.name_for(key),
        }
    }

    /// Nobody has a name.
    pub(crate) fn is_nameless(&self) -> bool {
        self.names.map.is_empty()
    }

    /// The name that DNS gave one end of a conversation.
    pub fn name_of_either(&mut self, key: &FlowKey) -> Option<Arc<str>> {
        if let Some(ear) = &mut self.ear {
            ear.heard.push((ear.frame, Heard::Asked(*key)));
        }
        self.name_for(key)
    }

    fn name_for(&self, key: &FlowKey) -> Option<Arc<str>> {
        [key.dst, key.src].iter().find_map(|addr| self.name_of(*addr)).cloned()
    }

    /// The name that DNS gave an address.
    pub fn name_of(&self, addr: Addr) -> Option<&Arc<str>> {
        if self.names.map.is_empty() {
            return None;
        }
        self.names.map.get(&addr)
    }

    /// Whether anything was announced for either end.
    pub fn is_announced(&self, ends: [(Addr, u16); 2]) -> bool {
        !self.announced.map.is_empty() && ends.iter().any(|end| self.announced.map.contains_key(end))
    }

    /// What was announced for either end, once: a port is used again by others.
    pub fn take_announced(&mut self, ends: [(Addr, u16); 2]) -> Option<Name> {
        if self.announced.map.is_empty() {
            return None;
        }
        ends.iter().find_map(|end| self.announced.map.remove(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_the_bound() {
        let mut table = Bounded::new(2);
        for i in 0..3 {
            table.put(i, i);
        }
        table.put(2, 9);
        assert_eq!((table.map.len(), table.map.get(&0), table.map.get(&2)), (2, None, Some(&9)));
    }

    #[test]
    fn an_announcement_without_address_counts_for_both_ends() {
        let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        let mut memory = Memory::default();
        let mut facts = Facts::default();
        facts.expect(Addr::default(), 2000, "ftp-data");
        facts.learn(a, "a.example");
        memory.learn(&mut facts, [a, b]);
        assert_eq!(memory.take_announced([(a, 1), (b, 2000)]), Some("ftp-data"));
        assert_eq!(memory.name_of(a).map(|n| &**n), Some("a.example"));
        assert!(facts.is_empty());
    }
}
