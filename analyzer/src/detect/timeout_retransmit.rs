//! A sender that repeats after silence: the packet, its answer, or the answer's sender was lost or slow.

use crate::report::Severity;
use crate::tick::{QpKey, QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::needless::{Needless, Weighed};
use super::symptom::{moments, qp_name};
use super::window::{Part, Windows, count, duration};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "timeout_retransmit",
    title: "Retransmission after a timeout",
    shows: "A PSN is repeated after silence and without a NAK: the sender's timer of 4.096 us x 2^t ran out (t = 14: 67 ms, \
            18: 1.07 s, 20: 4.29 s). It stalls the queue pair for the whole silence. Where the receiver acknowledges the request twice, it had it \
            the first time, and the network lost nothing: information. Else a warning, once the answer has had time to come.",
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
            what: "timeouts within hold_ms that make it critical",
            source: "own; after 7 retries the queue pair fails (IBTA vol 1, 9.9.2.4.1)",
        },
        Knob {
            name: "grace_ms",
            unit: "ms",
            values: [300.0; 3],
            what: "time for a second acknowledgement to show that the repeat was needless",
            source: "own: longer than any round trip",
        },
        hold(5000.0),
    ],
    follows: &[
        follows("failover", Relation::Path),
        follows("packet_trim", Relation::Path),
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
    needless: Needless,
    real: Windows<QpKey>,
}

impl TimeoutRetransmit {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.count("warn_timeouts").max(1),
            critical: knobs.count("critical_timeouts"),
            needless: Needless::new(knobs.ns("grace_ms")),
            real: Windows::new(knobs.ns("hold_ms")),
        }
    }

    /// What a tick shows at once: information until it is weighed.
    fn seen(&self, view: &View<'_>, qp: &QpTick) -> Symptom {
        let (first, last) = moments(qp, &[Sign::Timeout]);
        let since = first.saturating_sub(qp.timeout_silence_ns_max).max(view.map.start_ns());
        Symptom::new(About::Qp(qp.key), Severity::Info, since, last)
            .counted(qp.roce.timeouts as f64, "timeouts", self.warn as f64)
            .sum("timeouts", qp.roce.timeouts as f64)
            .sum("retransmitted_packets", qp.roce.retransmitted as f64)
            .peak("silence_ns_max", qp.timeout_silence_ns_max as f64)
            .qp(qp, view.map)
            .witnesses(qp, &[Sign::Timeout])
    }

    /// What it comes to, once the answers have had their time.
    fn weighed(&mut self, view: &View<'_>, key: QpKey, w: &Weighed) -> Symptom {
        let some = w.real() as f64;
        let part = Part { at_ns: w.first_ns, end_ns: w.last_ns + 1, some, all: some, first_ns: w.first_ns };
        let total = self.real.add(key, part).some as u64;
        let severity = match total {
            n if n >= self.critical => Severity::Critical,
            n if n >= self.warn => Severity::Warning,
            _ => Severity::Info,
        };
        let since = w.first_ns.saturating_sub(w.silence_ns).max(view.map.start_ns());
        let symptom = Symptom::new(About::Qp(key), severity, since, w.last_ns)
            .counted(0.0, "timeouts", self.warn as f64)
            .sum("timeouts_after_loss", some)
            .sum("timeouts_needless", (w.timeouts - w.real()) as f64);
        let symptom = if w.real() == 0 { symptom.note(NEEDLESS) } else { symptom };
        Symptom { involved: vec![qp_name(&key)], ..symptom }
    }
}

const NEEDLESS: &str = " The receiver acknowledged twice: nothing was lost, a host stalled or the timer is short.";

impl Detector for TimeoutRetransmit {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        out.extend(view.tick.qps.iter().filter(|q| q.roce.timeouts > 0).map(|qp| self.seen(view, qp)));
        for (key, w) in self.needless.judge(view) {
            out.push(self.weighed(view, key, &w));
        }
        self.real.forget(view.map.now_ns());
    }

    fn finish(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (key, w) in self.needless.rest() {
            out.push(self.weighed(view, key, &w));
        }
    }
}

fn explain(case: &Case) -> String {
    let note = if case.severity == Severity::Info { case.note() } else { "" };
    format!(
        "{} on {}: silent for up to {}, then {} repeated without a NAK.{note}",
        count(case.value, "timeout"),
        case.name,
        duration(case.peak("silence_ns_max") as u64),
        count(case.sum("retransmitted_packets"), "packet")
    )
}
