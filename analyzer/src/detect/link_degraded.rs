//! A link that no longer reaches its speed.

use std::collections::VecDeque;

use crate::by_link::ByLink;
use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::config::{Knob, Knobs, hold};
use super::link_saturated::busiest;
use super::sender_rate::{SenderRates, Slow};
use super::window::{percent, trim};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "link_degraded",
    title: "Link slower than it should be",
    shows: "The busiest 100 us of a link stay well under its own earlier ones (or its rated speed) though a queue stands before it: its packets carry \
            congestion marks while it is not full, and a parallel link, or the link itself before, reached more. \
            Marks of a queue further back look alike; the finding upstream of it then names the cause. \
            Without marks: a host's link on which eight messages in a row all took much longer from first to last packet than before, \
            while other hosts send as fast as ever, and nothing told the host to slow down.",
    advice: "Compare negotiated and rated speed, lanes and FEC of the port; look for a shaper or a policer.",
    knobs: &[
        Knob {
            name: "ceiling_share",
            unit: "share",
            values: [0.6; 3],
            what: "of what the link or its parallels reached, under which its ceiling counts as lowered",
            source: "own",
        },
        Knob {
            name: "min_slots",
            unit: "slots of 10 ms",
            values: [3.0; 3],
            what: "so many in a row under the lowered ceiling, with marks",
            source: "own: three steps of a short training iteration",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [5.0, 20.0, 5.0],
            what: "marked packets in each of them",
            source: "own",
        },
        Knob {
            name: "min_past_slots",
            unit: "slots of 10 ms",
            values: [3.0; 3],
            what: "earlier slots that reached more, before the link's own past counts",
            source: "own",
        },
        hold(200.0),
    ],
    follows: &[super::causes::follows("link_degraded", super::Relation::Upstream)],
    make: |knobs| Box::new(LinkDegraded::new(knobs)),
    explain,
};

struct LinkDegraded {
    share: f64,
    min_slots: usize,
    min_marks: u64,
    min_past: usize,
    pasts: ByLink<Past>,
    senders: SenderRates,
}

#[derive(Default)]
struct Past {
    /// Highest bins of 100 us, in order of size; enough to leave out a few strays.
    highest: Vec<u64>,
    /// When it last reached more than the present ceiling allows.
    run: VecDeque<LinkSlot>,
}

/// Slots of a run kept.
const MAX_RUN: usize = 128;
/// High bins kept.
const MAX_HIGH: usize = 16;

impl LinkDegraded {
    fn new(knobs: &Knobs) -> Self {
        Self {
            share: knobs.get("ceiling_share"),
            min_slots: knobs.count("min_slots").max(1) as usize,
            min_marks: knobs.count("min_marks").max(1),
            min_past: knobs.count("min_past_slots").max(1) as usize,
            pasts: ByLink::default(),
            senders: SenderRates::default(),
        }
    }

    fn slot(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot, beside: u64) -> Option<Symptom> {
        let past = self.pasts.made(link)?;
        let own = past.highest.get(self.min_past - 1).copied().unwrap_or(0);
        let rated = view.map.speed_bps(link).map_or(0, |bps| bps / 80_000);
        // Beside: what a parallel link reached; the rated speed alone is no proof, for nothing may offer more.
        let reached = own.max(beside.min(if rated > 0 { rated } else { beside }));
        let low = (slot.max_bytes_100us as f64) < reached as f64 * self.share;
        if !(low && slot.ce_packets >= self.min_marks) {
            past.remember(slot, self.share);
            return None;
        }
        if past.run.len() == MAX_RUN {
            past.run.remove(1);
        }
        past.run.push_back(*slot);
        let first = past.run.front()?;
        let ceiling = past.run.iter().map(|s| s.max_bytes_100us).max()?;
        let symptom =
            Symptom::new(About::Link(link), Severity::Warning, first.at_ns.max(first.ce_first_ns), slot.ce_last_ns)
                .worst(1.0 - ceiling as f64 / reached.max(1) as f64, "share", 1.0 - self.share)
                .sum("ce_packets", slot.ce_packets as f64)
                .peak("ceiling_bps", ceiling as f64 * 80_000.0)
                .peak("reached_before_bps", own as f64 * 80_000.0)
                .peak("parallel_reached_bps", beside as f64 * 80_000.0)
                .peak("rated_bps", rated as f64 * 80_000.0);
        (past.run.len() >= self.min_slots).then(|| busiest(view, link, symptom))
    }
}

impl LinkDegraded {
    fn slow_sender(&self, slow: &Slow) -> Symptom {
        Symptom::new(About::Link(slow.link), Severity::Warning, slow.since_ns, slow.last_ns)
            .worst(1.0 - slow.bps / slow.before_bps, "share", 1.0 - self.share)
            .peak("message_rate_bps", slow.bps)
            .peak("reached_before_bps", slow.before_bps)
            .note("messages")
    }
}

impl Past {
    /// A slot that is no part of a lowered ceiling. An idle one between does not end a run; a fast one does.
    fn remember(&mut self, slot: &LinkSlot, share: f64) {
        let ceiling = self.run.iter().map(|s| s.max_bytes_100us).max().unwrap_or(0);
        if slot.max_bytes_100us as f64 * share > ceiling as f64 {
            self.run.clear();
        }
        let at = self.highest.partition_point(|&h| h > slot.max_bytes_100us);
        if at < MAX_HIGH {
            self.highest.insert(at, slot.max_bytes_100us);
            self.highest.truncate(MAX_HIGH);
        }
    }
}

impl Detector for LinkDegraded {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let reached = |l: &LinkId| Some(view.link(*l)?.max_bytes_100us);
        for (link, _, slots) in view.links() {
            let parallels = view.map.parallels(link);
            let beside = parallels.iter().filter_map(reached).max().unwrap_or(0);
            for slot in slots.iter() {
                out.extend(self.slot(view, link, slot, beside));
            }
        }
        let slow = self.senders.judge(view, self.share);
        out.extend(slow.iter().map(|s| busiest(view, s.link, self.slow_sender(s))));
    }
}

fn explain(case: &Case) -> String {
    let before = case.peak("reached_before_bps").max(case.peak("parallel_reached_bps"));
    if case.note() == "messages" {
        return format!(
            "Messages leave {} at {} Mbit/s at most, where it was {} Mbit/s before ({} less), while other hosts send as fast as ever.",
            case.name,
            trim(case.peak("message_rate_bps") / 1e6),
            trim(before / 1e6),
            percent(case.value)
        );
    }
    format!(
        "{} does not get over {} Gbit/s although packets queue for it; before, or beside it, {} Gbit/s were reached ({} less).",
        case.name,
        trim(case.peak("ceiling_bps") / 1e9),
        trim(before / 1e9),
        percent(case.value)
    )
}
