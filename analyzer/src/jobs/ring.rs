//! Closed rings: who follows whom, in how many pieces a round travels, and what the algorithm then prescribes.

use std::collections::{BTreeMap, BTreeSet};

use super::lane::Msg;
use crate::packet::Addr;

/// Pieces per round that are tried.
const PIECES: [usize; 8] = [1, 2, 3, 4, 6, 8, 16, 32];
/// Share of messages that may start before what they would depend on has ended.
const VIOLATIONS: f64 = 0.15;

/// The hosts of a directed cycle in order, if the edges are exactly one cycle over three or more hosts, or one in both directions.
/// Starts at the lowest address.
pub(super) fn closed(edges: &BTreeSet<(Addr, Addr)>) -> Option<Vec<Addr>> {
    let mut next: BTreeMap<Addr, Vec<Addr>> = BTreeMap::new();
    for &(from, to) in edges {
        next.entry(from).or_default().push(to);
    }
    let both = edges.iter().all(|&(a, b)| edges.contains(&(b, a)));
    let out = if both { 2 } else { 1 };
    if next.len() < 3 + usize::from(both) || next.values().any(|to| to.len() != out) {
        return None;
    }
    let start = *next.keys().next()?;
    let mut order = vec![start];
    let mut previous = start;
    let mut at = *next.get(&start)?.first()?;
    while at != start {
        if order.len() > next.len() {
            return None;
        }
        order.push(at);
        let onward = next.get(&at)?.iter().copied().find(|&n| !both || n != previous)?;
        previous = at;
        at = onward;
    }
    (order.len() == next.len()).then_some(order)
}

/// Into how many messages the piece of one round is cut: the smallest number by which every message starts only after the
/// message so many earlier of the incoming lane has ended. `None` where no such number holds.
pub(super) fn pieces_per_round(pairs: &[(&[Msg], &[Msg])]) -> Option<usize> {
    PIECES.into_iter().find(|&c| violations(pairs, c).is_some_and(|share| share <= VIOLATIONS))
}

/// Share of outgoing messages that start before the incoming one `pieces` earlier has ended.
fn violations(pairs: &[(&[Msg], &[Msg])], pieces: usize) -> Option<f64> {
    let (mut bad, mut all) = (0_usize, 0_usize);
    for (incoming, outgoing) in pairs {
        for (needed, sent) in incoming.iter().zip(outgoing.iter().skip(pieces)) {
            all += 1;
            bad += usize::from(sent.start_ns < needed.end_ns);
        }
    }
    (all > 0).then(|| bad as f64 / all as f64)
}

/// Chains of edges in order, longest first; a closed ring is one chain. Hosts with more than one successor end a chain.
pub(super) fn chains(edges: &BTreeSet<(Addr, Addr)>) -> Vec<Vec<Addr>> {
    let mut next: BTreeMap<Addr, Vec<Addr>> = BTreeMap::new();
    let mut into: BTreeMap<Addr, usize> = BTreeMap::new();
    for &(from, to) in edges {
        next.entry(from).or_default().push(to);
        *into.entry(to).or_default() += 1;
    }
    let starts = next.keys().copied().filter(|h| !into.contains_key(h));
    let mut out: Vec<Vec<Addr>> = starts
        .map(|start| {
            let mut chain = vec![start];
            while let Some([only]) = chain.last().and_then(|h| next.get(h)).map(Vec::as_slice) {
                if chain.contains(only) {
                    break;
                }
                chain.push(*only);
            }
            chain
        })
        .collect();
    out.sort_by_key(|c| (std::cmp::Reverse(c.len()), c.clone()));
    out
}
