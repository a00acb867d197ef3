//! A receiver that can't take what it is sent.

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::{LinkId, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{Part, Windows, percent, utilisation};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "slow_receiver",
    title: "Receiver too slow",
    shows: "A host pauses its switch while the link to it is far from full, or answers RNR (receiver not ready, AETH syndrome 001): \
            the host, not the network, is the bottleneck.",
    advice: "Look at that host: PCIe and memory bandwidth, receive queue depth, a stopped process, an adapter in error.",
    knobs: &[
        Knob {
            name: "warn_rnr",
            unit: "packets",
            values: [1.0, 1.0, 1.0],
            what: "RNR NAKs in one tick",
            source: "NCCL maintainers: should not happen",
        },
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.01, 0.05, 0.01],
            what: "of the window that the host pauses its link",
            source: "own, as pfc_congestion",
        },
        Knob {
            name: "warn_share_10ms",
            unit: "share",
            values: [0.10, 0.20, 0.10],
            what: "of one slot of 10 ms that the host pauses its link",
            source: "own, as pfc_congestion",
        },
        Knob {
            name: "full_share",
            unit: "share",
            values: [0.95; 3],
            what: "of the link's speed in its unpaused time from which the link counts as full",
            source: "own",
        },
        Knob { name: "window_ms", unit: "ms", values: [1000.0; 3], what: "window of the share", source: "own" },
        Knob {
            name: "min_observed_ms",
            unit: "ms",
            values: [100.0; 3],
            what: "least part of the window that is observed before it is judged",
            source: "own",
        },
        hold(200.0),
    ],
    follows: &[follows("pfc_storm", Relation::Path)],
    make: |knobs| Box::new(SlowReceiver::new(knobs)),
    explain,
};

struct SlowReceiver {
    warn_rnr: u64,
    warn: f64,
    warn_slot: f64,
    full: f64,
    window_ns: u64,
    min_observed_ns: u64,
    paused: Windows<LinkId>,
}

impl SlowReceiver {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn_rnr: knobs.count("warn_rnr").max(1),
            warn: knobs.get("warn_share"),
            warn_slot: knobs.get("warn_share_10ms"),
            full: knobs.get("full_share"),
            window_ns: knobs.ns("window_ms"),
            min_observed_ns: knobs.ns("min_observed_ms"),
            paused: Windows::new(knobs.ns("window_ms")),
        }
    }

    fn not_ready(&self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for qp in view.tick.qps.iter().filter(|q| q.roce.rnr >= self.warn_rnr) {
            let (first, last) = moments(qp, &[Sign::Rnr]);
            let symptom = Symptom::new(About::Host(qp.key.src), Severity::Warning, first, last)
                .worst(qp.roce.rnr as f64, "packets", self.warn_rnr as f64)
                .sum("rnr_packets", qp.roce.rnr as f64)
                .note("answers that it is not ready (RNR)");
            out.push(symptom.qp(qp, view.map).witnesses(qp, &[Sign::Rnr]));
        }
    }

    fn pauses(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let host = view.map.info(link).filter(|i| i.to_host)?.host?;
        let first_ns = if slot.held_since_ns >= slot.at_ns { slot.held_since_ns } else { slot.at_ns };
        let part = Part { at_ns: slot.at_ns, end_ns: slot.end_ns(), some: slot.paused_ns as f64, all: 0.0, first_ns };
        let sum = self.paused.add(link, part);
        let share = sum.some / view.observed_ns().clamp(1, self.window_ns) as f64;
        let own = slot.paused_ns as f64 / slot.length_ns.max(1) as f64;
        let by_window = share >= self.warn && view.observed_ns() >= self.min_observed_ns.min(self.window_ns);
        // A hold through the whole slot is a storm, or becomes one.
        if slot.paused_ns == 0 || own > 0.95 || !(by_window || own >= self.warn_slot) || self.is_full(view, link, slot)
        {
            return None;
        }
        let since = if by_window { sum.first_ns } else { first_ns };
        let last = if slot.held_until_ns > 0 { slot.held_until_ns } else { slot.end_ns() };
        let symptom = Symptom::new(About::Host(host), Severity::Warning, since, last)
            .worst(share.max(if own >= self.warn_slot { own } else { 0.0 }), "share", self.warn)
            .sum("paused_ns", slot.paused_ns as f64)
            .sum("pause_frames", slot.pfc_frames as f64)
            .peak("paused_share_10ms_max", own)
            .note("pauses its switch while the link to it is not full");
        Some(symptom.on(link))
    }

    /// Full in the time that it was let send?
    fn is_full(&self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> bool {
        let free = 1.0 - slot.paused_ns as f64 / slot.length_ns.max(1) as f64;
        let used = view.map.speed_bps(link).map_or(0.0, |speed| utilisation(slot, speed));
        used > 0.9 || free > 0.05 && used > 0.5 && used / free >= self.full && free > 0.9
    }
}

impl Detector for SlowReceiver {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        self.not_ready(view, out);
        for (link, _, slots) in view.links() {
            out.extend(slots.iter().filter_map(|slot| self.pauses(view, link, slot)));
        }
        self.paused.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    if case.sum("rnr_packets") > 0.0 {
        return format!(
            "{} {}: {:.0} times within {}.",
            case.name,
            case.note(),
            case.sum("rnr_packets"),
            case.lasting()
        );
    }
    format!(
        "{} {}: {} of the time, by {:.0} pause frames within {}.",
        case.name,
        case.note(),
        percent(case.value),
        case.sum("pause_frames"),
        case.lasting()
    )
}
