//! Flows that leave one link for another, and how long that took.

use std::collections::BTreeMap;

use crate::report::Severity;
use crate::tick::{LinkId, Move, QpKey};

use super::config::{Knob, Knobs, hold};
use super::window::{count, duration};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "failover",
    title: "Flows moved from one link to another",
    shows: "The last packet of a flow on one link and its first on an alternative link; the time between is its convergence. \
            A link that carries nothing afterwards has failed (warning); one that goes on has shed flows (information). \
            The class tells what noticed: the data plane (within 1 ms), BFD or loss of carrier (within 50 ms), routing or bonding (longer).",
    advice: "Check the link that was left: port state, optics, BFD and routing log at that time.",
    knobs: &[
        Knob {
            name: "data_plane_ms",
            unit: "ms",
            values: [1.0; 3],
            what: "convergence up to this is the data plane's own",
            source: "DPFR: sub-millisecond",
        },
        Knob {
            name: "bfd_ms",
            unit: "ms",
            values: [50.0; 3],
            what: "convergence up to this is that of BFD or loss of carrier",
            source: "RFC 5880 timers: 3 x 10 to 3 x 17 ms",
        },
        Knob {
            name: "critical_ms",
            unit: "ms",
            values: [200.0, 1000.0, 1000.0],
            what: "convergence beyond this is critical",
            source: "BFD and routing: hundreds of ms",
        },
        Knob {
            name: "max_moves_per_flow",
            unit: "moves",
            values: [2.0; 3],
            what: "a flow that moves more often in one tick is sprayed, not failed over",
            source: "own",
        },
        hold(200.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Failover::new(knobs)),
    explain,
};

struct Failover {
    data_plane_ns: u64,
    bfd_ns: u64,
    critical_ns: u64,
    max_moves: usize,
}

/// Flows that left one link in one tick.
#[derive(Default)]
struct Exodus<'a> {
    moves: Vec<&'a Move>,
}

impl Exodus<'_> {
    /// Gaps, shortest first.
    fn gaps(&self) -> Vec<u64> {
        let mut gaps: Vec<u64> =
            self.moves.iter().map(|m| m.first_on_to_ns.saturating_sub(m.last_on_from_ns)).collect();
        gaps.sort_unstable();
        gaps
    }

    /// The time that the event cost: the longest stall of a flow that had to repeat what it had sent. Without one, the shortest
    /// gap: a flow that had nothing to send says only that the move took no longer than its pause.
    fn convergence_ns(&self) -> u64 {
        let cut = self.moves.iter().filter(|m| m.rewound_packets > 0);
        let stalled = cut.map(|m| m.first_on_to_ns.saturating_sub(m.last_on_from_ns)).max();
        stalled.or_else(|| self.gaps().first().copied()).unwrap_or(0)
    }
}

impl Failover {
    fn new(knobs: &Knobs) -> Self {
        Self {
            data_plane_ns: knobs.ns("data_plane_ms"),
            bfd_ns: knobs.ns("bfd_ms"),
            critical_ns: knobs.ns("critical_ms"),
            max_moves: knobs.count("max_moves_per_flow").max(1) as usize,
        }
    }

    fn class(&self, ns: u64) -> &'static str {
        match ns {
            n if n <= self.data_plane_ns => "data plane",
            n if n <= self.bfd_ns => "BFD or loss of carrier",
            _ => "routing or bonding",
        }
    }

    fn symptom(&self, view: &View<'_>, from: LinkId, exodus: &Exodus<'_>) -> Option<Symptom> {
        let last_of_flows = exodus.moves.iter().map(|m| m.last_on_from_ns).max()?;
        let newest = exodus.moves.iter().map(|m| m.first_on_to_ns).max()?;
        let first_move = exodus.moves.iter().map(|m| m.first_on_to_ns).min()?;
        let last = view.map.last_ns(from);
        let dead = last < first_move;
        let convergence = exodus.convergence_ns();
        let severity = match (dead, convergence > self.critical_ns) {
            (true, true) => Severity::Critical,
            (true, false) => Severity::Warning,
            (false, _) => Severity::Info,
        };
        let since =
            if dead { last.max(last_of_flows) } else { exodus.moves.iter().map(|m| m.last_on_from_ns).min()? };
        let gaps = exodus.gaps();
        let middle = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
        let cut = exodus.moves.iter().filter(|m| m.rewound_packets > 0).count();
        let mut symptom = Symptom::new(About::Link(from), severity, since.min(first_move), newest)
            .worst(convergence as f64 / 1e6, "ms", if dead { 0.0 } else { self.critical_ns as f64 / 1e6 })
            .sum("flows", exodus.moves.len() as f64)
            .sum("flows_cut", cut as f64)
            .peak("convergence_ns", convergence as f64)
            .peak("gap_ns_p50", middle as f64)
            .peak("gap_ns_max", gaps.last().copied().unwrap_or(0) as f64)
            .peak("rewound_packets_max", exodus.moves.iter().map(|m| m.rewound_packets).max().unwrap_or(0).into())
            .note(format!("{}; class: {}", self.fate(view, exodus, dead), self.class(convergence)));
        for m in &exodus.moves {
            if let Some(dst_qp) = m.flow.dst_qp {
                symptom.qps.push(QpKey { src: m.flow.src, dst: m.flow.dst, dst_qp });
            }
            symptom.involved.push(format!("{} -> {} to {}", m.flow.src, m.flow.dst, view.map.name(m.to)));
        }
        Some(symptom)
    }

    fn fate(&self, view: &View<'_>, exodus: &Exodus<'_>, dead: bool) -> String {
        let mut to: Vec<String> = exodus.moves.iter().map(|m| view.map.name(m.to)).collect();
        to.sort();
        to.dedup();
        let more = to.len().saturating_sub(3);
        to.truncate(3);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let old = if dead { "the old link carries nothing since" } else { "the old link goes on" };
        format!("to {}{more}; {old}", to.join(", "))
    }
}

impl Detector for Failover {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let mut moves_of = BTreeMap::new();
        for m in &view.tick.moves {
            *moves_of.entry(m.flow).or_insert(0usize) += 1;
        }
        let mut exoduses: BTreeMap<LinkId, Exodus<'_>> = BTreeMap::new();
        for m in view.tick.moves.iter().filter(|m| view.map.alternatives(m.from, m.to)) {
            if moves_of.get(&m.flow).is_some_and(|&n| n <= self.max_moves) {
                exoduses.entry(m.from).or_default().moves.push(m);
            }
        }
        out.extend(exoduses.iter().filter_map(|(from, exodus)| self.symptom(view, *from, exodus)));
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} left {} {}; {} had to repeat, the longest was without a link for {}.",
        count(case.sum("flows"), "flow"),
        case.name,
        case.note(),
        count(case.sum("flows_cut"), "flow"),
        duration(case.peak("convergence_ns") as u64)
    )
}
