//! Parallel links that do not share their load.

use std::collections::BTreeMap;

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::link_saturated::busiest;
use super::window::{Runs, percent, trim, utilisation};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "ecmp_imbalance",
    title: "Parallel links out of balance",
    shows: "The busiest of parallel links against the mean of those in the mirror. With congestion marks on the busiest, while another has room, \
            flows collide that need not: a warning. Without, information: few large flows are never even.",
    advice: "See which flows share the busy link; more source ports per queue pair, adaptive routing or another hash seed spread them.",
    knobs: &[
        Knob { name: "warn_ratio", unit: "times", values: [1.5; 3], what: "busiest of the mean", source: "own" },
        Knob {
            name: "critical_ratio",
            unit: "times",
            values: [2.0; 3],
            what: "busiest of the mean, over long_ms",
            source: "own",
        },
        Knob {
            name: "marked_ms",
            unit: "ms",
            values: [10.0, 1000.0, 10.0],
            what: "so long with marks on the busiest: a warning",
            source: "own",
        },
        Knob {
            name: "long_ms",
            unit: "ms",
            values: [5000.0; 3],
            what: "so long without marks: information",
            source: "own",
        },
        Knob {
            name: "min_share",
            unit: "share",
            values: [0.5; 3],
            what: "of its speed that the busiest uses, before balance matters",
            source: "own",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [5.0, 20.0, 5.0],
            what: "marked packets in a slot from which the busiest counts as congested",
            source: "own",
        },
        hold(100.0),
    ],
    follows: &[
        follows("failover", Relation::Anywhere),
        follows("link_degraded", Relation::SameLink),
        follows("link_silent", Relation::Anywhere),
    ],
    make: |knobs| Box::new(EcmpImbalance::new(knobs)),
    explain,
};

struct EcmpImbalance {
    warn: f64,
    critical: f64,
    marked_ns: u64,
    long_ns: u64,
    min_share: f64,
    min_marks: u64,
    marked_runs: Runs<LinkId>,
    long_runs: Runs<LinkId>,
}

/// Parallel links in one slot of time.
struct Side {
    busiest: LinkId,
    slot: LinkSlot,
    ratio: f64,
    links: usize,
}

impl EcmpImbalance {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.get("warn_ratio"),
            critical: knobs.get("critical_ratio"),
            marked_ns: knobs.ns("marked_ms"),
            long_ns: knobs.ns("long_ms"),
            min_share: knobs.get("min_share"),
            min_marks: knobs.count("min_marks"),
            marked_runs: Runs::new(10_000_000),
            long_runs: Runs::new(100_000_000),
        }
    }

    fn side(&mut self, view: &View<'_>, side: &Side) -> Option<Symptom> {
        let slot = &side.slot;
        let used = view.map.speed_bps(side.busiest).map_or(0.0, |speed| utilisation(slot, speed));
        if side.ratio < self.warn || used < self.min_share {
            return None;
        }
        let marked = slot.ce_packets >= self.min_marks;
        let (long_since, long) = self.long_runs.hit(side.busiest, slot.at_ns, slot.end_ns());
        let mut found = (long >= self.long_ns).then_some((long_since, Severity::Info));
        if marked {
            let (since, lasting) = self.marked_runs.hit(side.busiest, slot.at_ns.max(slot.ce_first_ns), slot.end_ns());
            let critical = long >= self.long_ns && side.ratio >= self.critical;
            let severity = if critical { Severity::Critical } else { Severity::Warning };
            found = (lasting >= self.marked_ns.min(slot.length_ns / 2)).then_some((since, severity)).or(found);
        }
        let (since, severity) = found?;
        let last = if marked { slot.ce_last_ns } else { slot.end_ns() };
        Some(
            Symptom::new(About::Link(side.busiest), severity, since, last)
                .worst(side.ratio, "times", self.warn)
                .sum("ce_packets", slot.ce_packets as f64)
                .peak("speed_share_10ms_max", used)
                .peak("parallel_links", side.links as f64),
        )
    }
}

/// The busiest of each set of parallel links, slot by slot. Links that carried nothing count as empty.
fn sides(view: &View<'_>) -> Vec<Side> {
    let mut slots: BTreeMap<u64, BTreeMap<LinkId, LinkSlot>> = BTreeMap::new();
    for (link, _, own) in view.links() {
        if view.map.info(link).is_some_and(|i| i.group.is_some()) {
            own.iter().for_each(|&s| _ = slots.entry(s.at_ns).or_default().insert(link, s));
        }
    }
    let mut all = Vec::new();
    for at in slots.values() {
        all.extend(at.iter().filter_map(|(link, slot)| side(view, *link, slot, at)));
    }
    all
}

fn side(view: &View<'_>, link: LinkId, slot: &LinkSlot, at: &BTreeMap<LinkId, LinkSlot>) -> Option<Side> {
    let others = view.map.parallels(link);
    let bytes = |l: &LinkId| at.get(l).map_or(0, |s| s.bytes);
    let most = others.iter().map(bytes).max()?;
    let sum: u64 = others.iter().map(bytes).sum::<u64>() + slot.bytes;
    let links = others.len() + 1;
    let mean = sum as f64 / links as f64;
    // One of two equally busy ones is none.
    (slot.bytes > most && mean > 0.0).then(|| Side {
        busiest: link,
        slot: *slot,
        ratio: slot.bytes as f64 / mean,
        links,
    })
}

impl Detector for EcmpImbalance {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for s in sides(view) {
            out.extend(self.side(view, &s).map(|symptom| busiest(view, s.busiest, symptom)));
        }
        self.marked_runs.forget(view.map.now_ns());
        self.long_runs.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} carries {} times the mean of its {:.0} parallel links in the mirror, up to {} of its speed, for {}; {:.0} packets carry congestion marks.",
        case.name,
        trim(case.value),
        case.peak("parallel_links"),
        percent(case.peak("speed_share_10ms_max")),
        case.lasting(),
        case.sum("ce_packets")
    )
}
