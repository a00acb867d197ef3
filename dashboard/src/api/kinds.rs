//! What a kind of finding is about, in words. The page has the same in its languages; a kind that stands in no list is still shown.

use serde::Serialize;

/// Whose trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    /// Links and switches.
    Network,
    /// A host, its adapter or its program.
    Host,
    /// A training job's own pace.
    Job,
    /// The mirror: not the fabric at all.
    Sight,
}

/// Kind, side, and what it means, to follow the name of its subject.
const KINDS: &[(&str, Side, &str)] = &[
    ("ecn_congestion", Side::Network, "is congested: switches mark its packets"),
    ("cnp_pressure", Side::Network, "is told to slow down"),
    ("congestion_control_off", Side::Host, "ignores congestion marks"),
    ("pfc_congestion", Side::Network, "is held by pause frames"),
    ("pfc_storm", Side::Host, "is shut by a pause storm"),
    ("pfc_deadlock", Side::Network, "is in a pause deadlock"),
    ("slow_receiver", Side::Host, "cannot receive fast enough"),
    ("fabric_loss", Side::Network, "loses packets"),
    ("timeout_retransmit", Side::Network, "waited for a timeout to repeat lost packets"),
    ("goback_waste", Side::Network, "repeats much of what it sends"),
    ("reordering", Side::Network, "delivers packets out of order"),
    ("mirror_loss", Side::Sight, "lost mirrored packets: our sight, not the fabric"),
    ("link_silent", Side::Network, "fell silent"),
    ("link_flap", Side::Network, "goes down and up"),
    ("failover", Side::Network, "changed its path"),
    ("ecmp_imbalance", Side::Network, "is loaded unevenly"),
    ("incast", Side::Network, "gets too many senders at once"),
    ("microburst", Side::Network, "has bursts near line rate"),
    ("link_saturated", Side::Network, "is full"),
    ("link_degraded", Side::Network, "runs under its speed"),
    ("rtt_inflation", Side::Network, "answers late"),
    ("corruption", Side::Network, "damages packets"),
    ("packet_trim", Side::Network, "trims packets"),
    ("qos_misconfigured", Side::Host, "marks its classes wrongly"),
    ("straggler", Side::Job, "makes its job wait"),
    ("job_hang", Side::Job, "hangs"),
    ("job_slowdown", Side::Job, "is slower than before"),
    ("qp_error", Side::Host, "broke a queue pair"),
    ("control_plane", Side::Network, "changed its control sessions"),
    ("policy", Side::Host, "broke a rule"),
];

/// Whose trouble a kind is; the network's where it is not known.
pub(super) fn side(kind: &str) -> Side {
    KINDS.iter().find(|(name, ..)| *name == kind).map_or(Side::Network, |&(_, side, _)| side)
}

/// What it means, to follow a subject's name.
pub(super) fn words(kind: &str) -> &'static str {
    KINDS.iter().find(|(name, ..)| *name == kind).map_or("has a finding", |&(.., words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_has_its_words_here_and_in_each_language_of_the_page() {
        let languages =
            [include_str!("../../page/js/lang/en-kinds.js"), include_str!("../../page/js/lang/zh-kinds.js")];
        for kind in analyzer::detect::KINDS {
            assert!(KINDS.iter().any(|(name, ..)| *name == kind.name), "{} has no words", kind.name);
            for key in ["kind", "says"].map(|of| format!("\"{of}.{}\"", kind.name)) {
                assert!(languages.iter().all(|language| language.contains(&key)), "{key} is not in every language");
            }
        }
    }
}
