//! What a kind of finding is about, in words. The page has the same in its languages; a kind that stands in no list is still shown.

/// Kind and what it means, to follow the name of its subject.
const KINDS: &[(&str, &str)] = &[
    ("ecn_congestion", "is congested: switches mark its packets"),
    ("cnp_pressure", "is told to slow down"),
    ("congestion_control_off", "ignores congestion marks"),
    ("pfc_congestion", "is held by pause frames"),
    ("pfc_storm", "is shut by a pause storm"),
    ("pfc_deadlock", "is in a pause deadlock"),
    ("slow_receiver", "cannot receive fast enough"),
    ("fabric_loss", "loses packets"),
    ("timeout_retransmit", "waited for a timeout to repeat lost packets"),
    ("goback_waste", "repeats much of what it sends"),
    ("reordering", "delivers packets out of order"),
    ("mirror_loss", "lost mirrored packets: our sight, not the fabric"),
    ("link_silent", "fell silent"),
    ("link_flap", "goes down and up"),
    ("failover", "changed its path"),
    ("ecmp_imbalance", "is loaded unevenly"),
    ("incast", "gets too many senders at once"),
    ("microburst", "has bursts near line rate"),
    ("link_saturated", "is full"),
    ("link_degraded", "runs under its speed"),
    ("rtt_inflation", "answers late"),
    ("corruption", "damages packets"),
    ("packet_trim", "trims packets"),
    ("qos_misconfigured", "marks its classes wrongly"),
    ("straggler", "makes its job wait"),
    ("job_hang", "hangs"),
    ("job_slowdown", "is slower than before"),
    ("qp_error", "broke a queue pair"),
    ("control_plane", "changed its control sessions"),
    ("policy", "broke a rule"),
];

/// What it means, to follow a subject's name.
pub(super) fn words(kind: &str) -> &'static str {
    KINDS.iter().find(|(name, ..)| *name == kind).map_or("has a finding", |&(_, words)| words)
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
