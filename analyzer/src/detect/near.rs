//! Queue pairs of a tick by the link that carries them and by the hosts that they join: a detector that looks for those near a
//! symptom pays for what it finds, also where everything is sick at once.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::FixedState;

use crate::packet::Addr;
use crate::tick::{FlowTick, LinkId, QpTick};

type Places<K> = HashMap<K, Vec<u32>, FixedState>;

/// Indices over one tick's queue pairs, each made when it is first asked for.
#[derive(Debug, Default)]
pub struct Near {
    by_link: OnceCell<Places<LinkId>>,
    by_ends: OnceCell<Places<(Addr, Addr)>>,
    by_src: OnceCell<Places<Addr>>,
    by_dst: OnceCell<Places<Addr>>,
    flows_by_dst: OnceCell<Places<Addr>>,
}

impl Near {
    /// Those that a link carries, in the order of the tick.
    pub fn on<'a>(&'a self, qps: &'a [QpTick], link: LinkId) -> impl Iterator<Item = &'a QpTick> {
        at(qps, self.by_link.get_or_init(|| places(qps, |q| q.link)).get(&link))
    }

    /// Those from one host to another, in the order of the tick.
    pub fn between<'a>(&'a self, qps: &'a [QpTick], src: Addr, dst: Addr) -> impl Iterator<Item = &'a QpTick> {
        at(qps, self.by_ends.get_or_init(|| places(qps, |q| (q.key.src, q.key.dst))).get(&(src, dst)))
    }

    /// Those from one host, in the order of the tick.
    pub fn from<'a>(&'a self, qps: &'a [QpTick], src: Addr) -> impl Iterator<Item = &'a QpTick> {
        at(qps, self.by_src.get_or_init(|| places(qps, |q| q.key.src)).get(&src))
    }

    /// Those to one host, in the order of the tick.
    pub fn to<'a>(&'a self, qps: &'a [QpTick], dst: Addr) -> impl Iterator<Item = &'a QpTick> {
        at(qps, self.by_dst.get_or_init(|| places(qps, |q| q.key.dst)).get(&dst))
    }

    /// Flows to one host, in the order of the tick.
    pub fn flows_to<'a>(&'a self, flows: &'a [FlowTick], dst: Addr) -> impl Iterator<Item = &'a FlowTick> {
        at(flows, self.flows_by_dst.get_or_init(|| places(flows, |f| f.key.dst)).get(&dst))
    }
}

fn places<T, K: Hash + Eq>(items: &[T], key: impl Fn(&T) -> K) -> Places<K> {
    let mut all: Places<K> = HashMap::default();
    items.iter().zip(0..).for_each(|(item, place)| all.entry(key(item)).or_default().push(place));
    all
}

fn at<'a, T>(items: &'a [T], places: Option<&'a Vec<u32>>) -> impl Iterator<Item = &'a T> {
    places.into_iter().flatten().filter_map(|&place| items.get(place as usize))
}
