//! A link that goes down and comes back, again and again.

use std::collections::VecDeque;

use crate::by_link::ByLink;
use crate::report::Severity;
use crate::tick::LinkId;

use super::config::{Knob, Knobs, hold};
use super::link_silent::{GAP_FACTOR, MIN_GAPS, MIN_PACKETS, MIN_SILENCE, UNANSWERED};
use super::silence::Silence;
use super::window::duration;
use super::{About, Case, Detector, Kind, Symptom, View, failover};

pub(super) static KIND: Kind = Kind {
    name: "link_flap",
    title: "Link goes up and down",
    shows: "A link is left by its flows, or silent while something waits for it, and carries packets again; counted within a minute. \
            Both directions of a link count as one.",
    advice: "Take the link out of service until cable, optics and port are checked: each change costs every flow that uses it.",
    knobs: &[
        Knob {
            name: "warn_flaps",
            unit: "flaps",
            values: [2.0; 3],
            what: "times down and up again within the window",
            source: "own",
        },
        Knob {
            name: "critical_flaps",
            unit: "flaps",
            values: [5.0; 3],
            what: "times down and up again within the window",
            source: "own",
        },
        Knob { name: "window_ms", unit: "ms", values: [60_000.0; 3], what: "window of the count", source: "own" },
        MIN_SILENCE,
        GAP_FACTOR,
        MIN_PACKETS,
        MIN_GAPS,
        UNANSWERED,
        hold(60_000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(LinkFlap::new(knobs)),
    explain,
};

struct LinkFlap {
    warn: usize,
    critical: usize,
    window_ns: u64,
    silence: Silence,
    exits: failover::Exits,
    states: ByLink<State>,
}

#[derive(Default)]
struct State {
    down_since_ns: Option<u64>,
    /// When it went down and when it was back.
    flaps: VecDeque<(u64, u64)>,
}

/// Flaps remembered per link.
const MAX_FLAPS: usize = 64;

impl LinkFlap {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.count("warn_flaps").max(1) as usize,
            critical: knobs.count("critical_flaps") as usize,
            window_ns: knobs.ns("window_ms"),
            silence: Silence::new(knobs),
            exits: failover::Exits::default(),
            states: ByLink::default(),
        }
    }

    fn back(&mut self, link: LinkId, at_ns: u64) -> bool {
        let Some(state) = self.states.get_mut(link) else { return false };
        let Some(since) = state.down_since_ns.filter(|&since| at_ns > since) else { return false };
        state.down_since_ns = None;
        if state.flaps.len() == MAX_FLAPS {
            state.flaps.pop_front();
        }
        state.flaps.push_back((since, at_ns));
        true
    }

    fn symptom(&mut self, view: &View<'_>, link: LinkId) -> Option<Symptom> {
        let from = view.map.now_ns().saturating_sub(self.window_ns);
        let state = self.states.get_mut(link)?;
        state.flaps.retain(|flap| flap.1 >= from);
        let (first, last) = (state.flaps.front()?, state.flaps.back()?);
        let n = state.flaps.len();
        let down: u64 = state.flaps.iter().map(|f| f.1 - f.0).sum();
        let severity = if n >= self.critical { Severity::Critical } else { Severity::Warning };
        let symptom = Symptom::new(About::Link(link), severity, first.0, last.1)
            .worst(n as f64, "flaps", self.warn as f64)
            .peak("flaps", n as f64)
            .peak("down_ns", down as f64)
            .peak("down_ns_mean", down as f64 / n as f64);
        (n >= self.warn).then(|| view.map.reverse(link).into_iter().fold(symptom, Symptom::on))
    }
}

/// One name for both directions.
fn whole(view: &View<'_>, link: LinkId) -> LinkId {
    view.map.reverse(link).map_or(link, |other| other.min(link))
}

impl Detector for LinkFlap {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let mut events: Vec<(u64, bool, LinkId)> = Vec::new();
        for exodus in self.exits.judge(view).iter().filter(|e| e.failed) {
            events.push((exodus.since_ns(view), false, exodus.from));
        }
        // A flow that comes to a link shows that it is up.
        events.extend(failover::moves(view).map(|m| (m.first_on_to_ns, true, m.to)));
        let silent = self.silence.judge(view);
        events.extend(silent.iter().filter(|s| s.waits()).map(|s| (s.since_ns, false, s.link)));
        events.sort_unstable();
        let mut changed: Vec<LinkId> = Vec::new();
        let known = !self.states.is_empty();
        let first_packets =
            view.tick.links.iter().filter(|l| l.packets > 0 && known).map(|l| (l.first_ns, LinkId(l.link)));
        for (at, link) in first_packets {
            let link = whole(view, link);
            // Only what was down before this tick: within it, the events say more.
            if self.states.get(link).and_then(|s| s.down_since_ns).is_some_and(|d| d < view.tick.start_ns)
                && self.back(link, at)
            {
                changed.push(link);
            }
        }
        for (at, up, link) in events {
            let link = whole(view, link);
            if up {
                if self.back(link, at) {
                    changed.push(link);
                }
            } else if let Some(state) = self.states.made(link) {
                state.down_since_ns.get_or_insert(at);
            }
        }
        changed.dedup();
        out.extend(changed.into_iter().filter_map(|link| self.symptom(view, link)));
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} went down and came back {:.0} times within {}; it was down for {} each time on average.",
        case.name,
        case.value,
        case.lasting(),
        duration(case.peak("down_ns_mean") as u64)
    )
}
