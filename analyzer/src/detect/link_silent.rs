//! A link that falls silent while what runs beside it goes on.

use crate::report::Severity;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::silence::{Silence, Silent};
use super::window::{count, duration};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "link_silent",
    title: "Link silent while its peers work",
    shows: "No packet on a link for much longer than it ever paused before, while parallel links (or the other hosts) carry packets. \
            A warning where something waits: flows moved away from it, or requests over it or to its host are repeated without answer; \
            else information, for a link may be idle because nothing was left to send.",
    advice: "Check the port's state and counters at both ends; if the port is up, the path behind it.",
    knobs: &[MIN_SILENCE, GAP_FACTOR, MIN_PACKETS, MIN_GAPS, UNANSWERED, hold(1000.0)],
    follows: &[follows("failover", Relation::Path), follows("pfc_storm", Relation::Path)],
    make: |knobs| Box::new(LinkSilent::new(knobs)),
    explain,
};

pub(super) const MIN_SILENCE: Knob = Knob {
    name: "min_silence_ms",
    unit: "ms",
    values: [10.0, 100.0, 100.0],
    what: "least silence",
    source: "own: far beyond any switching or pause time",
};
pub(super) const GAP_FACTOR: Knob = Knob {
    name: "gap_factor",
    unit: "times",
    values: [3.0; 3],
    what: "times the link's own 99.9th percentile of idle gaps (gaps over 100 us)",
    source: "own",
};
pub(super) const MIN_PACKETS: Knob = Knob {
    name: "min_packets",
    unit: "packets",
    values: [100.0; 3],
    what: "packets that a link has carried before its silence is judged by its habit",
    source: "own: fewer give no habit to compare with",
};
pub(super) const MIN_GAPS: Knob = Knob {
    name: "min_gaps",
    unit: "gaps",
    values: [50.0; 3],
    what: "idle gaps that a link had before its silence is judged by its habit alone, with nothing that waits for it",
    source: "own: fewer show no rhythm",
};
pub(super) const UNANSWERED: Knob = Knob {
    name: "unanswered_timeouts",
    unit: "timeouts",
    values: [2.0, 3.0, 2.0],
    what: "timeouts towards a host that sends nothing at all, before its silence is judged without regard to its habit",
    source: "own: one may be a stall of the host",
};

struct LinkSilent {
    silence: Silence,
}

impl LinkSilent {
    fn new(knobs: &Knobs) -> Self {
        Self { silence: Silence::new(knobs) }
    }
}

impl Detector for LinkSilent {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        out.extend(self.silence.judge(view).iter().map(|silent| symptom(view, silent)));
    }

    fn look(&self, view: &View<'_>, out: &mut Vec<Symptom>) {
        out.extend(self.silence.look(view).iter().map(|silent| symptom(view, silent)));
    }
}

fn symptom(view: &View<'_>, silent: &Silent) -> Symptom {
    let severity = if silent.waits() { Severity::Warning } else { Severity::Info };
    let note = match (silent.moved, silent.timeouts) {
        (0, 0) => "nothing shows that anything waits for it".to_owned(),
        (0, n) => format!("{} of what uses it or its host went unanswered", count(n as f64, "timeout")),
        (n, _) => format!("{} moved away from it", count(n as f64, "flow")),
    };
    let mut symptom = Symptom::new(About::Link(silent.link), severity, silent.since_ns, silent.until_ns)
        .worst(silent.silence_ns as f64 / 1e6, "ms", silent.allowed_ns as f64 / 1e6)
        .peak("silence_ns", silent.silence_ns as f64)
        .peak("usual_idle_gap_ns", silent.usual_ns as f64)
        .peak("flows_moved_away", silent.moved as f64)
        .peak("unanswered_timeouts", silent.timeouts as f64)
        .note(note);
    symptom.hosts.extend(view.map.info(silent.link).and_then(|i| i.host));
    symptom
}

fn explain(case: &Case) -> String {
    let usual = match case.peak("usual_idle_gap_ns") as u64 {
        0 => String::new(),
        ns => format!(" (its idle gaps before were up to {})", duration(ns)),
    };
    let silence = duration(case.peak("silence_ns") as u64);
    format!("No packet on {} for {silence}{usual}, while its peers carried on; {}.", case.name, case.note())
}
