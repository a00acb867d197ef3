//! Routing loops: packets that come back with less time to live, and routers that say so.

use std::collections::BTreeMap;

use super::UNWANTED;
use super::state::{Said, entry};
use crate::control::ControlEvent;
use crate::detect::About;
use crate::packet::Addr;

const WINDOW_NS: u64 = 1_000_000_000;
/// Sightings of one packet, each with less time to live, that are no path any more.
const ROUNDS: usize = 3;
/// Routers in a loop answer for it; a traced path has one answer of each router on it.
const MOST_ROUTERS: usize = 4;

#[derive(Debug, Default)]
struct Exceeded {
    since_ns: u64,
    last_ns: u64,
    times: u64,
    routers: Vec<Addr>,
    many: bool,
}

/// Loops by destination, and by sender and destination.
#[derive(Debug)]
pub struct Hops {
    per_s: f64,
    hops: u64,
    exceeded: BTreeMap<Addr, Exceeded>,
    again: BTreeMap<(Addr, Addr), (u64, Vec<u8>)>,
}

impl Hops {
    pub fn new(per_s: f64, hops: u64) -> Self {
        Self { per_s, hops, exceeded: BTreeMap::new(), again: BTreeMap::new() }
    }

    pub fn exceeded(&mut self, event: &ControlEvent, to: Addr, said: &mut Said<'_>) {
        let Some(so_far) = entry(&mut self.exceeded, to) else { return };
        if event.at_ns > so_far.since_ns.saturating_add(WINDOW_NS) {
            *so_far = Exceeded { since_ns: event.at_ns, ..Exceeded::default() };
        }
        so_far.times += u64::from(event.count);
        so_far.last_ns = event.last_ns;
        if !so_far.routers.contains(&event.src) {
            so_far.many |= so_far.routers.len() >= MOST_ROUTERS;
            so_far.routers.extend((!so_far.many).then_some(event.src));
        }
        if so_far.times as f64 >= self.per_s && !so_far.many {
            let note = format!(
                "packets to {to} run out of hops {} times within a second: they may go round in a loop",
                so_far.times
            );
            said.about(About::Host(to), event, UNWANTED, "ICMP time exceeded", note);
        }
    }

    pub fn again(&mut self, event: &ControlEvent, hops: u8, said: &mut Said<'_>) {
        let Some((last_ns, seen)) = entry(&mut self.again, (event.src, event.dst)) else { return };
        *last_ns = event.last_ns;
        if !seen.contains(&hops) && seen.len() < usize::from(u8::MAX) {
            seen.push(hops);
        }
        if u64::from(hops) >= self.hops && seen.len() >= ROUNDS {
            let note = format!(
                "packets from {} to {} come back here with up to {hops} hops less: they go round in a routing loop",
                event.src, event.dst
            );
            said.about(About::Host(event.dst), event, UNWANTED, "the same packet again, with less time to live", note);
        }
    }

    pub fn pass(&mut self, now_ns: u64) {
        self.exceeded.retain(|_, e| now_ns <= e.last_ns.saturating_add(WINDOW_NS));
        self.again.retain(|_, (last_ns, _)| now_ns <= last_ns.saturating_add(WINDOW_NS));
    }
}
