//! Congestion by its pauses: how long a link's sender is held by priority flow control.

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::{Part, Windows, percent, trim};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "pfc_congestion",
    title: "Congestion, by pause frames",
    shows: "Time that a link's sender is told to pause a class (IEEE 802.1Qbb: quanta of 512 bit times, cut short by quanta 0), \
            as a share of time; where the link's speed is not known, pause frames a second. Pause frames often do not reach a mirror: \
            the report says per link whether they do.",
    advice: "The port that pauses has a queue it can't empty: look at what leaves that switch or host, not at this link.",
    knobs: &[
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.01, 0.05, 0.01],
            what: "paused of the window",
            source: "own",
        },
        Knob {
            name: "critical_share",
            unit: "share",
            values: [0.10, 0.30, 0.10],
            what: "paused of the window",
            source: "own",
        },
        Knob {
            name: "warn_share_10ms",
            unit: "share",
            values: [0.10, 0.20, 0.10],
            what: "paused of one slot of 10 ms: a short congestion that the window would thin out",
            source: "own",
        },
        Knob {
            name: "warn_frames_per_s",
            unit: "frames/s",
            values: [200.0, 200.0, 200.0],
            what: "pause frames a second over the window, where the time is not known",
            source: "60,000 pauses in 5 minutes in a buffer misconfiguration (SIGCOMM'16)",
        },
        Knob {
            name: "window_ms",
            unit: "ms",
            values: [1000.0; 3],
            what: "window of the shares; a shorter capture is judged over what it has",
            source: "own",
        },
        Knob {
            name: "min_observed_ms",
            unit: "ms",
            values: [100.0; 3],
            what: "least part of the window that is observed before it is judged",
            source: "own",
        },
        hold(200.0),
    ],
    follows: &[
        follows("pfc_storm", Relation::SameLink),
        follows("slow_receiver", Relation::SameLink),
        follows("pfc_storm", Relation::Downstream),
        follows("slow_receiver", Relation::Downstream),
        follows("incast", Relation::Downstream),
        follows("link_degraded", Relation::Downstream),
        follows("pfc_congestion", Relation::Downstream),
        follows("ecn_congestion", Relation::Downstream),
        follows("link_saturated", Relation::Downstream),
    ],
    make: |knobs| Box::new(PfcCongestion::new(knobs)),
    explain,
};

struct PfcCongestion {
    warn: f64,
    critical: f64,
    warn_slot: f64,
    warn_frames: f64,
    window_ns: u64,
    min_observed_ns: u64,
    paused: Windows<LinkId>,
    frames: Windows<LinkId>,
}

impl PfcCongestion {
    fn new(knobs: &Knobs) -> Self {
        let window_ns = knobs.ns("window_ms");
        Self {
            warn: knobs.get("warn_share"),
            critical: knobs.get("critical_share"),
            warn_slot: knobs.get("warn_share_10ms"),
            warn_frames: knobs.get("warn_frames_per_s"),
            window_ns,
            min_observed_ns: knobs.ns("min_observed_ms"),
            paused: Windows::new(window_ns),
            frames: Windows::new(window_ns),
        }
    }

    fn slot(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let part = |some: f64| Part { at_ns: slot.at_ns, end_ns: slot.end_ns(), some, all: 0.0, first_ns: begun(slot) };
        let paused = self.paused.add(link, part(slot.paused_ns as f64));
        let frames = self.frames.add(link, part(slot.pfc_frames as f64));
        let observed = view.observed_ns().clamp(1, self.window_ns);
        let enough = view.observed_ns() >= self.min_observed_ns.min(self.window_ns);
        let share = paused.some / observed as f64;
        let own = slot.paused_ns as f64 / slot.length_ns.max(1) as f64;
        let rate = frames.some * 1e9 / observed as f64;
        let by_window = enough && share >= self.warn;
        let by_frames = enough && view.map.speed_bps(link).is_none() && rate >= self.warn_frames;
        if slot.pfc_frames == 0 && slot.paused_ns == 0 || !(by_window || by_frames || own >= self.warn_slot) {
            return None;
        }
        let since = if by_window || by_frames { paused.first_ns.min(frames.first_ns) } else { begun(slot) };
        let severity = if enough && share >= self.critical { Severity::Critical } else { Severity::Warning };
        let symptom = Symptom::new(About::Link(link), severity, since, ended(slot))
            .sum("paused_ns", slot.paused_ns as f64)
            .sum("pause_frames", slot.pfc_frames as f64)
            .peak("paused_share_10ms_max", own)
            .peak("held_ns_max", slot.held_ns() as f64);
        Some(match by_frames {
            true => symptom.worst(rate, "frames/s", self.warn_frames),
            false => symptom.worst(share.max(if own >= self.warn_slot { own } else { 0.0 }), "share", self.warn),
        })
    }
}

/// When the pauses of a slot began: exact for the longest hold that began in it.
fn begun(slot: &LinkSlot) -> u64 {
    if slot.held_since_ns >= slot.at_ns { slot.held_since_ns } else { slot.at_ns }
}

fn ended(slot: &LinkSlot) -> u64 {
    if slot.held_until_ns > 0 { slot.held_until_ns.min(slot.end_ns()) } else { slot.end_ns() }
}

impl Detector for PfcCongestion {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            let who = || view.map.info(link).map_or_else(String::new, |i| format!("{} pauses {}", i.to, i.from));
            let found = slots.iter().filter_map(|slot| self.slot(view, link, slot));
            out.extend(found.map(|s| s.note(who())));
        }
        self.paused.forget(view.map.now_ns());
        self.frames.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    if case.unit == "frames/s" {
        let (frames, rate) = (case.sum("pause_frames"), trim(case.value));
        return format!("{}: {frames:.0} pause frames on {}, up to {rate} a second.", case.note(), case.name);
    }
    format!(
        "{}: {} is held for up to {} of the time, {} ms in all, by {:.0} pause frames.",
        case.note(),
        case.name,
        percent(case.value),
        trim(case.sum("paused_ns") / 1e6),
        case.sum("pause_frames")
    )
}
