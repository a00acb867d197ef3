//! Packets of one queue pair that overtake each other.

use crate::report::Severity;
use crate::tick::Sign;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::count;
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "reordering",
    title: "Packets out of order, or twice",
    shows: "A PSN that was missing comes late and is no repeat: packets of one queue pair took different ways (packet spraying) \
            or queues. A receiver without reorder support answers with NAKs, and the sender repeats for nothing. \
            A packet that comes twice on one link and is answered twice was doubled by the network, not by the mirror.",
    advice: "If the fabric sprays packets on purpose, check that the adapters accept them out of order; if not, find what splits the flow.",
    knobs: &[
        Knob {
            name: "min_packets",
            unit: "packets",
            values: [1.0, 3.0, 1.0],
            what: "late packets of one queue pair in one tick",
            source: "own: information, not a fault by itself",
        },
        hold(1000.0),
    ],
    follows: &[follows("failover", Relation::Path)],
    make: |knobs| Box::new(Reordering::new(knobs)),
    explain,
};

const SIGNS: [Sign; 2] = [Sign::Inversion, Sign::Doubled];

struct Reordering {
    min: u64,
}

impl Reordering {
    fn new(knobs: &Knobs) -> Self {
        Self { min: knobs.count("min_packets").max(1) }
    }
}

impl Detector for Reordering {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for qp in view.tick.qps.iter().filter(|q| q.roce.inversions + q.roce.duplicated >= self.min) {
            let (first, last) = moments(qp, &SIGNS);
            let symptom = Symptom::new(About::Qp(qp.key), Severity::Info, first, last)
                .counted((qp.roce.inversions + qp.roce.duplicated) as f64, "packets", self.min as f64)
                .sum("late_packets", qp.roce.inversions as f64)
                .sum("doubled_packets", qp.roce.duplicated as f64)
                .sum("data_packets", qp.roce.data_packets as f64)
                .peak("depth_packets_max", f64::from(qp.inversion_depth_max));
            out.push(symptom.qp(qp, view.map).witnesses(qp, &SIGNS));
        }
    }
}

fn explain(case: &Case) -> String {
    let (late, doubled) = (case.sum("late_packets"), case.sum("doubled_packets"));
    let depth = format!(
        "{} of {} came late, up to {:.0} behind the newest",
        count(late, "packet"),
        case.name,
        case.peak("depth_packets_max")
    );
    let twice = format!("{} of {} came twice and were answered twice", count(doubled, "packet"), case.name);
    match (late > 0.0, doubled > 0.0) {
        (true, true) => format!("{depth}; {twice}."),
        (false, true) => format!("{twice}."),
        _ => format!("{depth}."),
    }
}
