//! Senders that are told to slow down again and again.

use crate::report::Severity;
use crate::tick::{QpKey, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{Part, Windows, trim};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "cnp_pressure",
    title: "Many congestion notifications",
    shows: "Congestion notification packets (BTH opcode 0x81, IBTA A17.9.3) a second to one queue pair: its sender is held well below line rate.",
    advice: "Find the marked queue on the way of this queue pair; if several share it, spread them.",
    knobs: &[
        Knob {
            name: "warn_per_s",
            unit: "packets/s",
            values: [100.0, 1000.0, 100.0],
            what: "to one queue pair over the window",
            source: "own; receivers leave 4 to 50 us between two",
        },
        Knob {
            name: "min_packets",
            unit: "packets",
            values: [20.0, 100.0, 20.0],
            what: "notifications in the window before a rate is judged",
            source: "own: fewer say little",
        },
        Knob { name: "window_ms", unit: "ms", values: [1000.0; 3], what: "window of the rate", source: "own" },
        Knob {
            name: "min_observed_ms",
            unit: "ms",
            values: [100.0; 3],
            what: "shortest time a rate is taken over",
            source: "own",
        },
        hold(1000.0),
    ],
    follows: &[
        follows("incast", Relation::Path),
        follows("link_degraded", Relation::Path),
        follows("ecmp_imbalance", Relation::Path),
        follows("ecn_congestion", Relation::Path),
        follows("ecn_congestion", Relation::Anywhere),
    ],
    make: |knobs| Box::new(CnpPressure::new(knobs)),
    explain,
};

struct CnpPressure {
    warn: f64,
    min: f64,
    window_ns: u64,
    min_observed_ns: u64,
    counts: Windows<QpKey>,
}

impl CnpPressure {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.get("warn_per_s"),
            min: knobs.get("min_packets"),
            window_ns: knobs.ns("window_ms"),
            min_observed_ns: knobs.ns("min_observed_ms"),
            counts: Windows::new(knobs.ns("window_ms")),
        }
    }
}

impl Detector for CnpPressure {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let observed =
            view.observed_ns().clamp(self.min_observed_ns.max(1), self.window_ns.max(self.min_observed_ns).max(1));
        for qp in view.tick.qps.iter().filter(|q| q.cnp_packets > 0) {
            let (first, _) = moments(qp, &[Sign::Cnp]);
            let some = qp.cnp_packets as f64;
            let (at_ns, end_ns) = (view.tick.start_ns, view.tick.end_ns);
            let sum = self.counts.add(qp.key, Part { at_ns, end_ns, some, all: some, first_ns: first });
            let rate = sum.some * 1e9 / observed as f64;
            if rate < self.warn || sum.some < self.min {
                continue;
            }
            let symptom = Symptom::new(About::Qp(qp.key), Severity::Warning, sum.first_ns, qp.last_ns)
                .worst(rate, "packets/s", self.warn)
                .sum("cnp_packets", some)
                .note(format!("{} tells {} to slow down", qp.key.src, qp.key.dst));
            // What is slowed down goes the other way.
            let symptom = symptom.qp(qp, view.map).witnesses(qp, &[Sign::Cnp]);
            out.push(view.map.to_host(qp.key.src).into_iter().fold(symptom, Symptom::on));
        }
        self.counts.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    format!("{} {} times a second ({:.0} in all).", case.note(), trim(case.value), case.sum("cnp_packets"))
}
