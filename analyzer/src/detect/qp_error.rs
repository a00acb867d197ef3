//! Queue pairs that end in an error.

use std::collections::BTreeMap;

use crate::report::Severity;
use crate::tick::{QpKey, QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "qp_error",
    title: "Queue pair in error",
    shows: "A NAK that ends the connection (invalid request, remote access error, remote operational error: AETH syndromes 0x61 to 0x63), \
            or a sender that has repeated the same request as often as a retry count allows, with no answer from the receiver.",
    advice: "NAK: look for the program's error on both hosts (keys, permissions, crashed peer). Retries: look for what the network or the peer swallowed.",
    knobs: &[
        Knob {
            name: "warn_naks",
            unit: "packets",
            values: [1.0; 3],
            what: "fatal NAKs in one tick",
            source: "IBTA vol 1, 9.7.5.2.8: the responder enters the error state",
        },
        Knob {
            name: "retries",
            unit: "timeouts",
            values: [7.0; 3],
            what: "timeouts in a row without any answer that exhaust the retries",
            source: "IBTA vol 1, 9.9.2.4.1: a retry count has 3 bits",
        },
        hold(5000.0),
    ],
    follows: &[
        follows("link_silent", Relation::Path),
        follows("failover", Relation::Path),
        follows("pfc_storm", Relation::Path),
    ],
    make: |knobs| Box::new(QpError::new(knobs)),
    explain,
};

struct QpError {
    naks: u64,
    retries: u64,
    /// Timeouts since the receiver last answered, and when the first was.
    unanswered: BTreeMap<QpKey, (u64, u64)>,
}

/// Queue pairs followed at once while they wait for an answer.
const MAX_WAITING: usize = 65_536;

const SIGNS: [(Sign, &str); 3] = [
    (Sign::NakInvalidRequest, "invalid request"),
    (Sign::NakRemoteAccess, "remote access error"),
    (Sign::NakRemoteOperation, "remote operational error"),
];

impl QpError {
    fn new(knobs: &Knobs) -> Self {
        let naks = knobs.count("warn_naks").max(1);
        Self { naks, retries: knobs.count("retries").max(1), unanswered: BTreeMap::new() }
    }

    fn nak(&self, view: &View<'_>, qp: &QpTick) -> Option<Symptom> {
        let fatal: u64 = qp.naks.iter().skip(1).sum();
        if fatal < self.naks {
            return None;
        }
        let signs = SIGNS.map(|(sign, _)| sign);
        let (first, last) = moments(qp, &signs);
        let counts = qp.naks.iter().skip(1).zip(SIGNS);
        let what: Vec<&str> = counts.filter(|(n, _)| **n > 0).map(|(_, (_, name))| name).collect();
        let symptom = Symptom::new(About::Qp(qp.key), Severity::Warning, first, last)
            .counted(fatal as f64, "packets", self.naks as f64)
            .sum("fatal_nak_packets", fatal as f64)
            .note(format!("refused a request of {}: {}", qp.key.dst, what.join(", ")));
        Some(symptom.qp(qp, view.map).witnesses(qp, &signs))
    }

    fn retries(&mut self, view: &View<'_>, qp: &QpTick, answered_ns: u64) -> Option<Symptom> {
        if qp.roce.timeouts == 0 {
            return None;
        }
        let (first, last) = moments(qp, &[Sign::Timeout]);
        let room = self.unanswered.len() < MAX_WAITING || self.unanswered.contains_key(&qp.key);
        let waiting = if room { self.unanswered.entry(qp.key).or_insert((0, first)) } else { return None };
        if answered_ns >= first {
            *waiting = (0, last);
        }
        waiting.0 += qp.roce.timeouts;
        let (timeouts, since) = *waiting;
        let symptom = (timeouts >= self.retries).then(|| {
            Symptom::new(About::Qp(qp.key), Severity::Critical, since.min(first), last)
                .worst(timeouts as f64, "timeouts", self.retries as f64)
                .peak("timeouts_without_answer", timeouts as f64)
                .note(format!("has repeated without any answer from {}: its retries are used up", qp.key.dst))
        });
        symptom.map(|s| s.qp(qp, view.map).witnesses(qp, &[Sign::Timeout]))
    }
}

impl Detector for QpError {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        // When each receiver last sent something to each sender, in this tick.
        let mut heard: BTreeMap<_, u64> = BTreeMap::new();
        for qp in &view.tick.qps {
            let last = heard.entry((qp.key.src, qp.key.dst)).or_default();
            *last = qp.last_ns.max(*last);
        }
        let unanswered = |key: &QpKey| !heard.contains_key(&(key.dst, key.src));
        self.unanswered.retain(|key, _| unanswered(key));
        for qp in &view.tick.qps {
            out.extend(self.nak(view, qp));
            let answered = heard.get(&(qp.key.dst, qp.key.src)).copied().unwrap_or(0);
            out.extend(self.retries(view, qp, answered));
        }
    }
}

fn explain(case: &Case) -> String {
    let subject = match &case.about {
        About::Qp(key) if case.sum("fatal_nak_packets") > 0.0 => key.src.to_string(),
        _ => case.name.clone(),
    };
    format!("{subject} {}.", case.note())
}
