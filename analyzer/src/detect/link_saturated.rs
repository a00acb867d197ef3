//! A link that has no room left.

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::{Runs, percent, trim, utilisation};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "link_saturated",
    title: "Link full",
    shows: "Bytes, with preamble and gap, against the link's speed. With congestion marks the queue stands already at less: senders that \
            back off leave some of the speed unused. A short full time is information, a long one, or one with marks, a warning.",
    advice: "More is offered than the link carries: spread over parallel links, add speed, or move one of its flows.",
    knobs: &[
        Knob {
            name: "full_share",
            unit: "share",
            values: [0.95; 3],
            what: "of the link's speed in a slot of 10 ms",
            source: "own",
        },
        Knob {
            name: "marked_share",
            unit: "share",
            values: [0.75, 0.85, 0.75],
            what: "of the link's speed in a slot of 10 ms that shows congestion marks",
            source: "own: DCQCN's sawtooth",
        },
        Knob {
            name: "marked_ms",
            unit: "ms",
            values: [30.0, 1000.0, 30.0],
            what: "so long with marks: a warning",
            source: "own: several round trips of any congestion control",
        },
        Knob {
            name: "info_ms",
            unit: "ms",
            values: [1000.0; 3],
            what: "so long without marks: information",
            source: "own",
        },
        Knob {
            name: "warn_ms",
            unit: "ms",
            values: [5000.0; 3],
            what: "so long without marks: a warning",
            source: "own",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [5.0, 20.0, 5.0],
            what: "marked packets in a slot from which it counts as marked",
            source: "own",
        },
        hold(100.0),
    ],
    follows: &[
        follows("incast", Relation::SameLink),
        follows("ecmp_imbalance", Relation::SameLink),
        follows("failover", Relation::Anywhere),
    ],
    make: |knobs| Box::new(LinkSaturated::new(knobs)),
    explain,
};

struct LinkSaturated {
    full: f64,
    marked: f64,
    marked_ns: u64,
    info_ns: u64,
    warn_ns: u64,
    min_marks: u64,
    full_runs: Runs<LinkId>,
    marked_runs: Runs<LinkId>,
}

impl LinkSaturated {
    fn new(knobs: &Knobs) -> Self {
        Self {
            full: knobs.get("full_share"),
            marked: knobs.get("marked_share"),
            marked_ns: knobs.ns("marked_ms"),
            info_ns: knobs.ns("info_ms"),
            warn_ns: knobs.ns("warn_ms"),
            min_marks: knobs.count("min_marks"),
            full_runs: Runs::new(10_000_000),
            // One slot of a sawtooth may fall below.
            marked_runs: Runs::new(10_000_000),
        }
    }

    fn slot(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let speed = view.map.speed_bps(link)?;
        let used = utilisation(slot, speed);
        let mut found = None;
        if used >= self.full {
            let (since, long) = self.full_runs.hit(link, slot.at_ns, slot.end_ns());
            let severity = if long >= self.warn_ns { Severity::Warning } else { Severity::Info };
            found = (long >= self.info_ns).then_some((since, severity));
        }
        if used >= self.marked && slot.ce_packets >= self.min_marks {
            let (since, long) =
                self.marked_runs.hit(link, slot.at_ns.max(slot.ce_first_ns.min(slot.end_ns())), slot.end_ns());
            if long >= self.marked_ns {
                found = Some((since, Severity::Warning));
            }
        }
        let (since, severity) = found?;
        Some(
            Symptom::new(About::Link(link), severity, since, slot.end_ns())
                .worst(used, "share", if used >= self.full { self.full } else { self.marked })
                .sum("bytes", slot.bytes as f64)
                .sum("ce_packets", slot.ce_packets as f64)
                .peak("rate_bps_10ms_max", slot.bytes as f64 * 8e9 / slot.length_ns.max(1) as f64)
                .peak("speed_bps", speed as f64),
        )
    }
}

impl Detector for LinkSaturated {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            for slot in slots.iter() {
                out.extend(self.slot(view, link, slot).map(|s| busiest(view, link, s)));
            }
        }
        self.full_runs.forget(view.map.now_ns());
        self.marked_runs.forget(view.map.now_ns());
    }
}

/// The busiest flows on a link in this tick.
pub(super) fn busiest(view: &View<'_>, link: LinkId, mut symptom: Symptom) -> Symptom {
    let mut here: Vec<_> = view.qps_on(link).collect();
    here.sort_by_key(|q| (std::cmp::Reverse(q.bytes), q.key));
    for qp in here.into_iter().take(4) {
        symptom = symptom.qp(qp, view.map);
    }
    symptom
}

fn explain(case: &Case) -> String {
    format!(
        "{} runs at up to {} of its {} Gbit/s for {}; {:.0} packets carry congestion marks.",
        case.name,
        percent(case.value),
        trim(case.peak("speed_bps") / 1e9),
        case.lasting(),
        case.sum("ce_packets")
    )
}
