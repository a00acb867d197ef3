//! Detectors judge what meters measured: ticks in, findings out.
//!
//! One file per kind in `detect/` and one line in [`KINDS`]; documentation, configuration and the page derive from that list.
//! A detector says what it sees as [`Symptom`]s; the ledger makes findings of them: one open finding per kind and subject,
//! the worst value kept, closed after as long without cause as the kind's `hold_ms` says.

mod case;
mod causes;
mod config;
mod docs;
mod engine;
mod ledger;
mod map;
mod near;
mod needless;
mod sender_rate;
mod silence;
mod symptom;
mod window;

mod cnp_pressure;
mod congestion_control_off;
mod control_plane;
mod corruption;
mod ecmp_imbalance;
mod ecn_congestion;
mod fabric_loss;
mod failover;
mod goback_waste;
mod incast;
mod job_hang;
mod job_slowdown;
mod link_degraded;
mod link_flap;
mod link_saturated;
mod link_silent;
mod microburst;
mod mirror_loss;
mod packet_trim;
mod pfc_congestion;
mod pfc_deadlock;
mod pfc_storm;
mod policy;
mod qos_misconfigured;
mod qp_error;
mod reordering;
mod rtt_inflation;
mod slow_receiver;
mod straggler;
mod timeout_retransmit;

use crate::jobs::JobState;

pub use case::Case;
pub use causes::{Follows, Relation};
pub use config::{ConfigError, DetectConfig, Knob, Knobs, Preset};
pub use docs::markdown;
pub use engine::{Engine, View};
pub use map::Map;
pub use symptom::{About, Symptom};

/// Judges one kind. State is bounded by links, or by the queue pairs of the present window.
pub trait Detector: Send {
    /// Looks at a tick; pushes what it shows.
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>);

    /// Between two ticks: what is clear already and the next tick is to confirm. The view holds an empty tick, and the map when each
    /// link last carried a packet. What is pushed is shown at once, and kept only once a tick shows it, so that looking changes no
    /// result.
    fn look(&self, _view: &View<'_>, _out: &mut Vec<Symptom>) {}

    /// Looks at the jobs as they are known after a tick.
    fn judge_jobs(&mut self, _jobs: &[JobState], _now_ns: u64, _out: &mut Vec<Symptom>) {}

    /// No more ticks: says what still waited to be sure. The view holds an empty tick.
    fn finish(&mut self, _view: &View<'_>, _out: &mut Vec<Symptom>) {}
}

/// A kind of finding: its name and words, its thresholds, and what makes its detector.
pub struct Kind {
    /// Name in reports: `fabric_loss`.
    pub name: &'static str,
    /// For people: `Loss in the fabric`.
    pub title: &'static str,
    /// What on the wire shows it, and how bad it is held to be.
    pub shows: &'static str,
    /// What to do next, one sentence.
    pub advice: &'static str,
    /// Thresholds, each with unit and source. One of them is `hold_ms`.
    pub knobs: &'static [Knob],
    /// Kinds that bring this one about, the most telling first.
    pub follows: &'static [Follows],
    /// Makes a detector with its thresholds.
    pub make: fn(&Knobs) -> Box<dyn Detector>,
    /// One plain sentence with the numbers and names of a case.
    pub explain: fn(&Case) -> String,
}

/// Every kind, in the order of documentation: transport, our own sight, congestion, links, jobs, the user.
pub static KINDS: &[&Kind] = &[
    &fabric_loss::KIND,
    &timeout_retransmit::KIND,
    &goback_waste::KIND,
    &corruption::KIND,
    &reordering::KIND,
    &qp_error::KIND,
    &mirror_loss::KIND,
    &ecn_congestion::KIND,
    &cnp_pressure::KIND,
    &congestion_control_off::KIND,
    &incast::KIND,
    &microburst::KIND,
    &pfc_congestion::KIND,
    &pfc_storm::KIND,
    &pfc_deadlock::KIND,
    &packet_trim::KIND,
    &qos_misconfigured::KIND,
    &slow_receiver::KIND,
    &link_saturated::KIND,
    &ecmp_imbalance::KIND,
    &link_degraded::KIND,
    &rtt_inflation::KIND,
    &link_silent::KIND,
    &link_flap::KIND,
    &failover::KIND,
    &control_plane::KIND,
    &straggler::KIND,
    &job_hang::KIND,
    &job_slowdown::KIND,
    &policy::KIND,
];

#[cfg(test)]
mod tests;
