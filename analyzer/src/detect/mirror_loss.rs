//! What our own sight lost: never a fault of the fabric.

use std::collections::BTreeMap;

use crate::report::Severity;
use crate::tick::{LinkId, QpTick, TapTick};
use crate::tick_merge::TapKey;

use super::config::{Knob, Knobs, hold};
use super::window::{count, percent};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "mirror_loss",
    title: "The mirror lost frames",
    shows: "Gaps in the sequence numbers of GRE or ERSPAN, drop counts of the capture, or PSN gaps on several queue pairs at \
            once that no receiver complains of and no sender repeats. Counts in this time are too low; it is never counted as loss in the fabric.",
    advice: "Lower what the mirror carries (truncate, fewer ports, sample) or give it more bandwidth; see the tap's drop counters.",
    knobs: &[
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.001, 0.001, 0.01],
            what: "lost of all frames of a tap in one tick",
            source: "Lumina (SIGCOMM'23) rejects traces with any mirror loss",
        },
        Knob {
            name: "min_gap_qps",
            unit: "queue pairs",
            values: [3.0, 3.0, 3.0],
            what: "queue pairs with unanswered PSN gaps in one tick that show a mirror without sequence numbers to lose frames",
            source: "own: one may be a quirk of a sender",
        },
        hold(1000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(MirrorLoss::new(knobs)),
    explain,
};

struct MirrorLoss {
    warn: f64,
    min_qps: usize,
}

impl MirrorLoss {
    fn new(knobs: &Knobs) -> Self {
        Self { warn: knobs.get("warn_share"), min_qps: knobs.count("min_gap_qps").max(1) as usize }
    }

    fn told(&self, view: &View<'_>, tap: &TapTick) -> Symptom {
        let share = tap.lost as f64 / (tap.lost + tap.frames).max(1) as f64;
        let severity = if share >= self.warn { Severity::Warning } else { Severity::Info };
        let first = if tap.lost_first_ns > 0 { tap.lost_first_ns } else { view.tick.start_ns };
        Symptom::new(About::Tap((tap.source.clone(), tap.key)), severity, first, tap.lost_last_ns)
            .counted(tap.lost as f64, "frames", 1.0)
            .sum("lost_frames", tap.lost as f64)
            .sum("received_frames", tap.frames as f64)
            .peak("lost_share", share)
            .note("by its own sequence numbers or drop counters")
    }

    /// Taps by the queue pairs that jumped on them, with nobody asking for what is missing.
    fn inferred(&self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let mut by_tap: BTreeMap<TapKey, Vec<&QpTick>> = BTreeMap::new();
        let complaints = view.tick.qps.iter().any(|q| q.roce.nak_sequence > 0);
        let told: Vec<TapKey> =
            view.tick.taps.iter().filter(|t| t.lost > 0).map(|t| (t.source.clone(), t.key)).collect();
        for qp in view.tick.qps.iter().filter(|q| q.roce.psn_gaps > 0 && q.roce.retransmitted + q.roce.inversions == 0)
        {
            if let Some(key) = tap_of(view, qp.link).filter(|_| !complaints) {
                by_tap.entry(key).or_default().push(qp);
            }
        }
        by_tap.retain(|key, qps| qps.len() >= self.min_qps && !told.contains(key));
        for (key, qps) in by_tap {
            let gaps: u64 = qps.iter().map(|q| q.roce.psn_gaps).sum();
            let (first, last) = (qps.iter().map(|q| q.first_ns).min(), qps.iter().map(|q| q.last_ns).max());
            let symptom = Symptom::new(About::Tap(key), Severity::Info, first.unwrap_or(0), last.unwrap_or(0))
                .counted(gaps as f64, "frames", self.min_qps as f64)
                .sum("unanswered_psn_gaps", gaps as f64)
                .peak("queue_pairs", qps.len() as f64)
                .note("inferred: PSNs jump on several queue pairs and nobody asks for what is missing");
            out.push(qps.iter().fold(symptom, |s, qp| s.qp(qp, view.map)));
        }
    }
}

fn tap_of(view: &View<'_>, link: LinkId) -> Option<TapKey> {
    let info = view.map.info(link)?;
    Some((info.tap.clone(), info.mirror))
}

impl Detector for MirrorLoss {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        out.extend(view.tick.taps.iter().filter(|t| t.lost > 0).map(|tap| self.told(view, tap)));
        self.inferred(view, out);
    }
}

fn explain(case: &Case) -> String {
    let share = case.peak("lost_share");
    let of = if share > 0.0 { format!(", up to {} of its frames", percent(share)) } else { String::new() };
    format!("The mirror {} lost {}{of}: {}.", case.name, count(case.value, "frame"), case.note())
}
