//! A sender that repeats after silence: the packet, its answer, or the answer's sender was lost or slow.

use crate::report::Severity;
use crate::tick::{QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{count, duration};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "timeout_retransmit",
    title: "Retransmission after a timeout",
    shows: "A PSN is repeated after silence and without a NAK: the sender's timer of 4.096 us x 2^t ran out (t = 14: 67 ms, \
            18: 1.07 s, 20: 4.29 s). It stalls the queue pair for the whole silence.",
    advice: "Look for loss of the last packet of a message or of its acknowledgement on this path, then for a receiver that stalls.",
    knobs: &[
        Knob {
            name: "warn_timeouts",
            unit: "timeouts",
            values: [1.0, 1.0, 3.0],
            what: "timeouts of one queue pair that make a warning",
            source: "IBTA vol 1, 9.9.2.1: the timer runs out only when an answer stays away",
        },
        Knob {
            name: "critical_timeouts",
            unit: "timeouts",
            values: [3.0, 3.0, 7.0],
            what: "timeouts over the finding's life that make it critical",
            source: "own; after 7 retries the queue pair fails (IBTA vol 1, 9.9.2.4.1)",
        },
        hold(5000.0),
    ],
    follows: &[
        follows("failover", Relation::Path),
        follows("link_silent", Relation::Path),
        follows("pfc_storm", Relation::Path),
        follows("fabric_loss", Relation::Path),
        follows("corruption", Relation::Path),
        follows("pfc_storm", Relation::Anywhere),
    ],
    make: |knobs| Box::new(TimeoutRetransmit::new(knobs)),
    explain,
};

struct TimeoutRetransmit {
    warn: u64,
    critical: u64,
    seen: super::window::Windows<crate::tick::QpKey>,
}

impl TimeoutRetransmit {
    fn new(knobs: &Knobs) -> Self {
        let seen = super::window::Windows::new(knobs.ns("hold_ms"));
        Self { warn: knobs.count("warn_timeouts"), critical: knobs.count("critical_timeouts"), seen }
    }

    fn severity(&mut self, qp: &QpTick, at_ns: u64, last_ns: u64) -> Severity {
        let some = qp.roce.timeouts as f64;
        let part = super::window::Part { at_ns, end_ns: last_ns + 1, some, all: some, first_ns: at_ns };
        let total = self.seen.add(qp.key, part).some as u64;
        match total {
            n if n >= self.critical => Severity::Critical,
            n if n >= self.warn => Severity::Warning,
            _ => Severity::Info,
        }
    }
}

impl Detector for TimeoutRetransmit {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for qp in view.tick.qps.iter().filter(|q| q.roce.timeouts > 0) {
            let (first, last) = moments(qp, &[Sign::Timeout]);
            let severity = self.severity(qp, first, last);
            let since = first.saturating_sub(qp.timeout_silence_ns_max).max(view.map.start_ns());
            let symptom = Symptom::new(About::Qp(qp.key), severity, since, last)
                .counted(qp.roce.timeouts as f64, "timeouts", self.warn as f64)
                .sum("timeouts", qp.roce.timeouts as f64)
                .sum("retransmitted_packets", qp.roce.retransmitted as f64)
                .peak("silence_ns_max", qp.timeout_silence_ns_max as f64);
            out.push(symptom.qp(qp, view.map).witnesses(qp, &[Sign::Timeout]));
        }
        self.seen.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} on {}: silent for up to {}, then {} repeated without a NAK.",
        count(case.value, "timeout"),
        case.name,
        duration(case.peak("silence_ns_max") as u64),
        count(case.sum("retransmitted_packets"), "packet")
    )
}
