//! Round trips that take much longer than they used to.

use crate::by_link::ByLink;
use crate::report::{Quantiles, Severity};
use crate::sketch::Latency;
use crate::tick::{LinkId, LinkTick};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::{duration, trim};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "rtt_inflation",
    title: "Round trips grew",
    shows: "Time from request to acknowledgement at the tap: 99th percentile of a tick against that of all before. Where the median grew as much, \
            every request waits (warning); where only the tail did, some do (information).",
    advice: "See which queue on the way is marked or paused at that time; without either, the receiving host answers late.",
    knobs: &[
        Knob {
            name: "factor",
            unit: "times",
            values: [3.0, 5.0, 5.0],
            what: "of the link's own baseline",
            source: "Hawkeye (SIGCOMM'25) triggers at 2 to 4 times the largest RTT",
        },
        Knob {
            name: "min_baseline",
            unit: "samples",
            values: [200.0, 200.0, 200.0],
            what: "round trips before a baseline is one",
            source: "own",
        },
        Knob { name: "min_samples", unit: "samples", values: [20.0; 3], what: "round trips in a tick", source: "own" },
        Knob {
            name: "min_us",
            unit: "us",
            values: [50.0, 1000.0, 10_000.0],
            what: "least growth of the percentile",
            source: "own: below, it is the sender's pacing",
        },
        hold(1000.0),
    ],
    follows: &[
        follows("link_degraded", Relation::Path),
        follows("incast", Relation::Path),
        follows("pfc_storm", Relation::Path),
        follows("pfc_congestion", Relation::Path),
        follows("ecn_congestion", Relation::Path),
        follows("slow_receiver", Relation::Path),
        follows("failover", Relation::Path),
        follows("timeout_retransmit", Relation::Path),
    ],
    make: |knobs| Box::new(RttInflation::new(knobs)),
    explain,
};

struct RttInflation {
    factor: f64,
    min_baseline: u64,
    min_samples: u64,
    min_ns: f64,
    baselines: ByLink<Latency>,
}

impl RttInflation {
    fn new(knobs: &Knobs) -> Self {
        Self {
            factor: knobs.get("factor").max(1.0),
            min_baseline: knobs.count("min_baseline"),
            min_samples: knobs.count("min_samples").max(1),
            min_ns: knobs.get("min_us") * 1e3,
            baselines: ByLink::default(),
        }
    }

    fn inflated(&self, now: &Quantiles, was: &Quantiles) -> Option<Severity> {
        let grew = |now: u64, was: u64| {
            let (now, was) = (now as f64, was.max(1) as f64);
            now >= was * self.factor && now - was >= self.min_ns
        };
        match (grew(now.p99, was.p99), grew(now.p50, was.p50)) {
            (true, true) => Some(Severity::Warning),
            (true, false) => Some(Severity::Info),
            _ => None,
        }
    }

    fn link(&self, link: &LinkTick, view: &View<'_>) -> Option<Symptom> {
        let id = LinkId(link.link);
        let now = link.rtt.quantiles().filter(|q| q.count >= self.min_samples)?;
        let was = self.baselines.get(id)?.quantiles().filter(|q| q.count >= self.min_baseline)?;
        let severity = self.inflated(&now, &was)?;
        let mut symptom = Symptom::new(About::Link(id), severity, link.first_ns, link.last_ns)
            .worst(now.p99 as f64 / was.p99.max(1) as f64, "times", self.factor)
            .peak("rtt_ns_p99", now.p99 as f64)
            .peak("rtt_ns_p50", now.p50 as f64)
            .peak("baseline_rtt_ns_p99", was.p99 as f64)
            .peak("baseline_rtt_ns_p50", was.p50 as f64)
            .sum("round_trips", now.count as f64);
        let slow = view.qps_on(id).filter(|q| q.rtt.quantiles().is_some_and(|r| r.max >= was.p99));
        for qp in slow.take(4) {
            symptom = symptom.qp(qp, view.map);
        }
        Some(symptom)
    }
}

impl Detector for RttInflation {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for link in view.tick.links.iter().filter(|l| !l.rtt.0.is_empty()) {
            match self.link(link, view) {
                Some(symptom) => out.push(symptom),
                // What is inflated is no part of the baseline.
                None => self.baselines.made(LinkId(link.link)).into_iter().for_each(|b| b.merge(&link.rtt)),
            }
        }
    }
}

fn explain(case: &Case) -> String {
    format!(
        "Round trips over {} took up to {} (99th percentile), {} times the {} they took before.",
        case.name,
        duration(case.peak("rtt_ns_p99") as u64),
        trim(case.value),
        duration(case.peak("baseline_rtt_ns_p99") as u64)
    )
}
