//! A class held shut without a break.

use crate::report::Severity;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::duration;
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "pfc_storm",
    title: "Pause storm",
    shows: "One class of a link held shut without a break: each pause frame comes before the last one's time is over, and none lets \
            the sender go on. A hung host or adapter does this, and everything behind the link stops with it.",
    advice: "Take the port that pauses out of service (or let the switch's PFC watchdog drop the class) and restart that host's adapter.",
    knobs: &[
        Knob {
            name: "warn_ms",
            unit: "ms",
            values: [20.0; 3],
            what: "held without a break: early warning",
            source: "own: no queue takes that long to empty",
        },
        Knob {
            name: "critical_ms",
            unit: "ms",
            values: [200.0; 3],
            what: "held without a break",
            source: "SONiC PFC watchdog, detection time 200 ms; a dead host sent over 2,000 pauses a second (SIGCOMM'16)",
        },
        hold(200.0),
    ],
    follows: &[follows("pfc_storm", Relation::Downstream)],
    make: |knobs| Box::new(PfcStorm::new(knobs)),
    explain,
};

struct PfcStorm {
    warn_ns: u64,
    critical_ns: u64,
}

impl PfcStorm {
    fn new(knobs: &Knobs) -> Self {
        Self { warn_ns: knobs.ns("warn_ms"), critical_ns: knobs.ns("critical_ms") }
    }
}

impl Detector for PfcStorm {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            for slot in slots.iter().filter(|s| s.held_ns() >= self.warn_ns) {
                let severity = if slot.held_ns() >= self.critical_ns { Severity::Critical } else { Severity::Warning };
                let back = other_way(view, link, slot.at_ns);
                let symptom = Symptom::new(About::Link(link), severity, slot.held_since_ns, slot.held_until_ns)
                    .worst(slot.held_ns() as f64 / 1e6, "ms", self.warn_ns as f64 / 1e6)
                    .peak("held_ns_max", slot.held_ns() as f64)
                    .sum("pause_frames", slot.pfc_frames as f64)
                    .sum("packets_passed_meanwhile", slot.held_packets as f64)
                    .sum("packets_from_the_pausing_side", back)
                    .note(who(view, link));
                out.push(with_host(view, link, symptom));
            }
        }
    }
}

/// Packets that the pausing side sent in the same slot.
fn other_way(view: &View<'_>, link: LinkId, at_ns: u64) -> f64 {
    let reverse = view.map.reverse(link);
    let tick = view.tick.links.iter().find(|l| Some(LinkId(l.link)) == reverse);
    tick.map_or(0.0, |l| l.slots.iter().filter(|s| s.at_ns == at_ns).map(|s| s.packets as f64).sum())
}

fn who(view: &View<'_>, link: LinkId) -> String {
    view.map.info(link).map_or_else(String::new, |i| format!("{} holds {}", i.to, i.from))
}

/// The host that pauses, when the link ends at one.
pub(super) fn with_host(view: &View<'_>, link: LinkId, mut symptom: Symptom) -> Symptom {
    symptom.hosts.extend(view.map.info(link).filter(|i| i.to_host).and_then(|i| i.host));
    symptom
}

fn explain(case: &Case) -> String {
    format!(
        "{} without a break: a class of {} was shut for {} by {:.0} pause frames.",
        case.note(),
        case.name,
        duration(case.peak("held_ns_max") as u64),
        case.sum("pause_frames")
    )
}
