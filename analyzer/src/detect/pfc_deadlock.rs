//! Paused links in a circle: nobody can send because nobody can send.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Severity;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::duration;
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "pfc_deadlock",
    title: "Pause deadlock",
    shows: "Links held shut without a break that form a circle: each switch waits for the next one (Hawkeye's circular shape).",
    advice: "Drop the paused class on one link of the circle, then remove the routes that close it (up-down routing can't).",
    knobs: &[
        Knob {
            name: "min_ms",
            unit: "ms",
            values: [400.0; 3],
            what: "every link of the circle held so long without a break",
            source: "twice the storm time",
        },
        Knob {
            name: "early_ms",
            unit: "ms",
            values: [40.0, 40.0, 200.0],
            what: "the same for a warning: a circle does not open by itself",
            source: "twice the early warning of a storm",
        },
        hold(1000.0),
    ],
    follows: &[follows("pfc_storm", Relation::Path)],
    make: |knobs| Box::new(PfcDeadlock::new(knobs)),
    explain,
};

struct PfcDeadlock {
    min_ns: u64,
    early_ns: u64,
}

/// A link held in this tick.
struct Held {
    link: LinkId,
    to: String,
    since_ns: u64,
    until_ns: u64,
}

impl PfcDeadlock {
    fn new(knobs: &Knobs) -> Self {
        Self { min_ns: knobs.ns("min_ms"), early_ns: knobs.ns("early_ms") }
    }
}

/// A circle through links held at the same time, if there is one: walks on from each node that was not walked yet.
fn circle(held: &BTreeMap<String, Vec<Held>>) -> Option<Vec<&Held>> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in held.keys() {
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let edges = held.get(*node).map_or(&[][..], Vec::as_slice);
            let Some(edge) = edges.get(*next).filter(|_| !done.contains(*node)) else {
                done.insert(node);
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(at) = path.iter().position(|(n, _)| *n == edge.to) {
                let steps = path.get(at..).unwrap_or_default();
                return steps.iter().map(|(n, i)| held.get(*n)?.get(i - 1)).collect();
            }
            path.push((&edge.to, 0));
        }
    }
    None
}

impl Detector for PfcDeadlock {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let mut held: BTreeMap<String, Vec<Held>> = BTreeMap::new();
        for (link, _, slots) in view.links() {
            let longest = slots.iter().max_by_key(|s| s.held_ns()).filter(|s| s.held_ns() >= self.early_ns);
            if let (Some(slot), Some(info)) = (longest, view.map.info(link)) {
                let (since_ns, until_ns) = (slot.held_since_ns, slot.held_until_ns);
                held.entry(info.from.clone()).or_default().push(Held { link, to: info.to.clone(), since_ns, until_ns });
            }
        }
        let Some(links) = circle(&held) else { return };
        let Some(first) = links.iter().min_by_key(|h| h.link) else { return };
        let since = links.iter().map(|h| h.since_ns).max().unwrap_or(0);
        let last = links.iter().map(|h| h.until_ns).min().unwrap_or(since).max(since);
        let ms = (last - since) as f64 / 1e6;
        let dead = last - since >= self.min_ns;
        let (severity, least) =
            if dead { (Severity::Critical, self.min_ns) } else { (Severity::Warning, self.early_ns) };
        let mut symptom = Symptom::new(About::Link(first.link), severity, since, last)
            .worst(ms, "ms", least as f64 / 1e6)
            .peak("links_in_circle", links.len() as f64)
            .peak("held_ns", (last - since) as f64);
        for h in &links {
            symptom = symptom.on(h.link);
            symptom.involved.push(view.map.name(h.link));
        }
        out.push(symptom);
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{:.0} links, {} among them, hold each other shut in a circle for {}.",
        case.peak("links_in_circle"),
        case.name,
        duration(case.peak("held_ns") as u64)
    )
}
