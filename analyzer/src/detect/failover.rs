//! Flows that leave one link for another, and how long that took.

use std::collections::{BTreeMap, BTreeSet};

use crate::by_link::ByLink;
use crate::report::Severity;
use crate::sketch::Latency;
use crate::tick::{FlowKey, LinkId, Move, QpKey};

use super::config::{Knob, Knobs, hold};
use super::window::{count, duration};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "failover",
    title: "Flows moved from one link to another",
    shows: "The last packet of a flow on one link and its first on an alternative link; the time between is its convergence. \
            A link that carries nothing afterwards, for longer than it ever paused before, has failed (warning); one that goes on has \
            shed flows (information). \
            Where the taps show it, a link that failed itself (local) is told from one behind which something failed (remote). \
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
        hold(1000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Failover::new(knobs)),
    explain,
};

struct Failover {
    data_plane_ns: u64,
    bfd_ns: u64,
    critical_ns: u64,
    exits: Exits,
}

/// Flows that left one link at one time.
#[derive(Clone)]
pub(super) struct Exodus {
    /// The link they left.
    pub from: LinkId,
    moves: Vec<Move>,
    /// The link failed: it carries nothing since, or flows lost what they had on it.
    pub failed: bool,
    /// It was told before.
    told: bool,
}

/// Who left which link, and whether that link failed. It may be clear only later that nothing comes on it any more.
#[derive(Default)]
pub(super) struct Exits {
    /// Idle gaps of each link, and the longest usual of them, ns.
    usual: ByLink<(Latency, u64)>,
    /// Links that carried nothing since, which their habit may explain.
    open: Vec<Exodus>,
}

/// Most events that wait to be decided.
const OPEN: usize = 4_096;
/// What has not been decided after this stays as it was said.
const OPEN_NS: u64 = 1_000_000_000;

impl Exits {
    /// Events of this tick, and those before it of which it is clear now that the link failed.
    pub fn judge(&mut self, view: &View<'_>) -> Vec<Exodus> {
        let mut all = self.decided(view);
        for mut exodus in exoduses(view) {
            let silent = exodus.dead(view);
            exodus.failed = exodus.lost(view) || silent && self.beyond_habit(view, &exodus);
            if silent && !exodus.failed && self.open.len() < OPEN {
                self.open.push(Exodus { told: true, ..exodus.clone() });
            }
            all.push(exodus);
        }
        self.learn(view);
        all
    }

    fn decided(&mut self, view: &View<'_>) -> Vec<Exodus> {
        let now_ns = view.map.now_ns();
        let mut open = std::mem::take(&mut self.open);
        open.retain(|e| e.dead(view) && e.first_move_ns() + OPEN_NS > now_ns);
        let (mut decided, open): (Vec<Exodus>, _) = open.into_iter().partition(|e| self.beyond_habit(view, e));
        self.open = open;
        decided.iter_mut().for_each(|e| e.failed = true);
        decided
    }

    /// The link carries nothing for longer than it used to pause.
    fn beyond_habit(&self, view: &View<'_>, exodus: &Exodus) -> bool {
        let usual_ns = self.usual.get(exodus.from).map_or(0, |(_, usual)| *usual);
        view.map.now_ns().saturating_sub(view.map.last_ns(exodus.from)) > usual_ns
    }

    fn learn(&mut self, view: &View<'_>) {
        for link in view.tick.links.iter().filter(|l| !l.idle.0.is_empty()) {
            let Some((idle, usual)) = self.usual.made(LinkId(link.link)) else { continue };
            idle.merge(&link.idle);
            *usual = idle.quantiles().map_or(0, |q| q.p999);
        }
    }
}

fn gap_ns(m: &Move) -> u64 {
    m.first_on_to_ns.saturating_sub(m.last_on_from_ns)
}

impl Exodus {
    fn first_move_ns(&self) -> u64 {
        self.moves.iter().map(|m| m.first_on_to_ns).min().unwrap_or(0)
    }

    /// The link carried nothing after they left, up to the end of the tick.
    fn dead(&self, view: &View<'_>) -> bool {
        view.map.last_ns(self.from) < self.first_move_ns()
    }

    /// Both directions of the link were silent when they left, and it came back within the tick.
    fn interrupted(&self, view: &View<'_>) -> bool {
        let back = view.map.reverse(self.from);
        back.is_some_and(|back| [self.from, back].iter().all(|l| silent_at(view, *l, self.first_move_ns())))
    }

    fn cut(&self) -> impl Iterator<Item = &Move> {
        self.moves.iter().filter(|m| m.rewound_packets > 0)
    }

    /// Flows lost what they had on the link.
    fn lost(&self, view: &View<'_>) -> bool {
        self.cut().next().is_some() || self.interrupted(view)
    }

    /// The last packet on the link before they left.
    pub fn since_ns(&self, view: &View<'_>) -> u64 {
        let last_of_flows = self.moves.iter().map(|m| m.last_on_from_ns).max().unwrap_or(0);
        let last = if self.dead(view) { view.map.last_ns(self.from).max(last_of_flows) } else { last_of_flows };
        last.min(self.first_move_ns())
    }

    /// Gaps, shortest first.
    fn gaps(&self) -> Vec<u64> {
        let mut gaps: Vec<u64> = self.moves.iter().map(gap_ns).collect();
        gaps.sort_unstable();
        gaps
    }

    /// The time that the event cost: the longest stall of a flow that had to repeat what it had sent. Without one, the shortest
    /// gap: a flow that had nothing to send says only that the move took no longer than its pause.
    fn convergence_ns(&self) -> u64 {
        let stalled = self.cut().map(gap_ns).max();
        stalled.or_else(|| self.gaps().first().copied()).unwrap_or(0)
    }

    /// Whether the link itself failed or what lies beyond it, where the taps show that; else nothing is said.
    fn place(&self, view: &View<'_>) -> &'static str {
        let Some(back) = view.map.reverse(self.from).filter(|_| self.failed) else { return "" };
        if self.dead(view) && view.map.last_ns(back) < self.first_move_ns() || self.interrupted(view) {
            return ", in either direction: the link itself or its far end failed (local)";
        }
        if self.went_on(view) { " all through it: what failed lies beyond it (remote)" } else { "" }
    }

    /// The link carried other packets while the flows that left it waited.
    fn went_on(&self, view: &View<'_>) -> bool {
        let waited_ns = self.cut().map(gap_ns).max().unwrap_or(0);
        waited_ns >= TELLING_NS
            && !self.dead(view)
            && view.link(self.from).is_some_and(|l| l.silent_ns_max < waited_ns / 2)
    }
}

/// A stall as long as this shows whether its link went on meanwhile: idle gaps of a link in use are shorter.
const TELLING_NS: u64 = 1_000_000;

/// Silence in both directions around a move that shows an interruption: far beyond any switching or pause time.
const INTERRUPTED_NS: u64 = 10_000_000;

/// Was a link silent for long at a moment of the tick?
fn silent_at(view: &View<'_>, link: LinkId, at_ns: u64) -> bool {
    let Some(tick) = view.link(link) else {
        return view.map.last_ns(link) + INTERRUPTED_NS <= at_ns;
    };
    let began = tick.silent_until_ns.saturating_sub(tick.silent_ns_max);
    let ended = tick.silent_ns_max >= INTERRUPTED_NS && (began..tick.silent_until_ns).contains(&at_ns);
    ended || tick.last_ns < at_ns && view.tick.end_ns >= tick.last_ns + INTERRUPTED_NS
}

/// A flow that moves more often than this in one tick, and with every tenth packet, is sprayed.
const SPRAYED_MOVES: u64 = 8;

/// Moves between links that are alternatives of each other, of flows that are not sprayed over them packet by packet.
pub(super) fn moves<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Move> {
    let mut count: BTreeMap<FlowKey, u64> = BTreeMap::new();
    view.tick.moves.iter().for_each(|m| *count.entry(m.flow).or_default() += 1);
    let often: BTreeSet<FlowKey> = count.iter().filter(|(_, n)| **n > SPRAYED_MOVES).map(|(key, _)| *key).collect();
    let flows = view.tick.flows.iter().filter(|f| often.contains(&f.key));
    let sprayed: BTreeSet<FlowKey> =
        flows.filter(|f| count.get(&f.key).is_some_and(|n| n * 10 > f.packets)).map(|f| f.key).collect();
    let alternatives: BTreeSet<(LinkId, LinkId)> =
        view.tick.moves.iter().map(|m| (m.from, m.to)).filter(|(a, b)| view.map.alternatives(*a, *b)).collect();
    view.tick.moves.iter().filter(move |m| alternatives.contains(&(m.from, m.to)) && !sprayed.contains(&m.flow))
}

/// Moves away from one link that are further apart than this are two events: a flow that was idle comes later by its own pause.
const APART_NS: u64 = 20_000_000;

/// Events of a tick: flows that left the same link at about the same time.
fn exoduses(view: &View<'_>) -> Vec<Exodus> {
    let mut by_link: BTreeMap<LinkId, Vec<Move>> = BTreeMap::new();
    moves(view).for_each(|m| by_link.entry(m.from).or_default().push(*m));
    let mut all: Vec<Exodus> = Vec::new();
    for (from, mut moves) in by_link {
        moves.sort_by_key(|m| (m.last_on_from_ns, m.first_on_to_ns, m.flow));
        let mut newest = 0;
        for m in moves {
            let last_ns = m.last_on_from_ns;
            match all.last_mut().filter(|e| e.from == from && last_ns <= newest + APART_NS) {
                Some(exodus) => exodus.moves.push(m),
                None => all.push(Exodus { from, moves: vec![m], failed: false, told: false }),
            }
            newest = last_ns;
        }
    }
    all
}

impl Failover {
    fn new(knobs: &Knobs) -> Self {
        Self {
            data_plane_ns: knobs.ns("data_plane_ms"),
            bfd_ns: knobs.ns("bfd_ms"),
            critical_ns: knobs.ns("critical_ms"),
            exits: Exits::default(),
        }
    }

    fn class(&self, ns: u64) -> &'static str {
        match ns {
            n if n <= self.data_plane_ns => "data plane",
            n if n <= self.bfd_ns => "BFD or loss of carrier",
            _ => "routing or bonding",
        }
    }

    fn symptom(&self, view: &View<'_>, exodus: &Exodus) -> Symptom {
        let newest = exodus.moves.iter().map(|m| m.first_on_to_ns).max().unwrap_or(0);
        let convergence = exodus.convergence_ns();
        let severity = match (exodus.failed, convergence > self.critical_ns) {
            (true, true) => Severity::Critical,
            (true, false) => Severity::Warning,
            (false, _) => Severity::Info,
        };
        let gaps = exodus.gaps();
        let rewound = exodus.moves.iter().map(|m| m.rewound_packets).max().unwrap_or(0);
        let mut symptom = Symptom::new(About::Link(exodus.from), severity, exodus.since_ns(view), newest)
            .worst(convergence as f64 / 1e6, "ms", self.data_plane_ns as f64 / 1e6)
            .peak("convergence_ns", convergence as f64)
            .low("gap_ns_min", quantile(&gaps, 0.0) as f64)
            .peak("gap_ns_p50", quantile(&gaps, 0.5) as f64)
            .peak("gap_ns_p99", quantile(&gaps, 0.99) as f64)
            .peak("gap_ns_max", quantile(&gaps, 1.0) as f64)
            .peak("rewound_packets_max", rewound.into())
            .note(format!("{}; class: {}", fate(view, exodus), self.class(convergence)));
        if exodus.told {
            return symptom;
        }
        let repeated: u64 = exodus.cut().map(|m| u64::from(m.rewound_packets)).sum();
        symptom = symptom
            .sum("flows", exodus.moves.len() as f64)
            .sum("flows_cut", exodus.cut().count() as f64)
            .sum("retransmitted_packets", repeated as f64);
        for m in &exodus.moves {
            if let Some(dst_qp) = m.flow.dst_qp {
                symptom.qps.push(QpKey { src: m.flow.src, dst: m.flow.dst, dst_qp });
            }
            let gap = duration(gap_ns(m));
            symptom.involved.push(format!("{} -> {} to {} after {gap}", m.flow.src, m.flow.dst, view.map.name(m.to)));
        }
        symptom
    }
}

fn fate(view: &View<'_>, exodus: &Exodus) -> String {
    let mut to: Vec<String> = exodus.moves.iter().map(|m| view.map.name(m.to)).collect();
    to.sort();
    to.dedup();
    let more = to.len().saturating_sub(3);
    to.truncate(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let old = if exodus.dead(view) { "the old link carries nothing since" } else { "the old link goes on" };
    format!("to {}{more}; {old}{}", to.join(", "), exodus.place(view))
}

/// Of sorted values: the smallest that so large a share of them does not exceed; 0 of none.
fn quantile(sorted: &[u64], share: f64) -> u64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

impl Detector for Failover {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let events = self.exits.judge(view);
        out.extend(events.iter().map(|exodus| self.symptom(view, exodus)));
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} left {} {}; {} had to repeat {}, the longest was without a link for {}{}.",
        count(case.sum("flows"), "flow"),
        case.name,
        case.note(),
        count(case.sum("flows_cut"), "flow"),
        count(case.sum("retransmitted_packets"), "packet"),
        duration(case.peak("convergence_ns") as u64),
        spread(case)
    )
}

/// Gaps of all flows, where there are several.
fn spread(case: &Case) -> String {
    if case.sum("flows") < 2.0 {
        return String::new();
    }
    let [p50, p99] = ["gap_ns_p50", "gap_ns_p99"].map(|name| duration(case.peak(name) as u64));
    let [least, most] = [case.low("gap_ns_min"), case.peak("gap_ns_max")].map(|ns| duration(ns as u64));
    format!(" (gaps of all: from {least} to {most}, p50 {p50}, p99 {p99})")
}
