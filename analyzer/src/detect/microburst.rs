//! A queue that fills and empties within a millisecond.

use std::collections::BTreeMap;

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::config::{Knob, Knobs, hold};
use super::incast::senders;
use super::window::{of_100us, percent};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "microburst",
    title: "Microburst",
    shows: "Bins of 100 us at the link's speed with congestion marks, few of them and far apart: averages of a second show an idle link.",
    advice: "Harmless alone; where it costs marks or losses again and again, spread the senders or raise the marking threshold.",
    knobs: &[
        Knob {
            name: "full_share",
            unit: "share",
            values: [0.85; 3],
            what: "of the link's speed in a marked 100 us bin (bins do not begin with the burst, so a full one is rare)",
            source: "own",
        },
        Knob {
            name: "max_ms",
            unit: "ms",
            values: [1.0; 3],
            what: "longest burst that is a microburst",
            source: "IMC'17: most bursts last tens of us",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [3.0, 10.0, 3.0],
            what: "marked packets in the burst",
            source: "own",
        },
        hold(20.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Microburst::new(knobs)),
    explain,
};

struct Microburst {
    full: f64,
    max_ns: u64,
    min_marks: u64,
    /// Each link's newest marked slot, judged when the next one shows whether the burst went on.
    waiting: BTreeMap<LinkId, (LinkSlot, bool)>,
}

impl Microburst {
    fn new(knobs: &Knobs) -> Self {
        Self {
            full: knobs.get("full_share"),
            max_ns: knobs.ns("max_ms"),
            min_marks: knobs.count("min_marks"),
            waiting: BTreeMap::new(),
        }
    }

    fn slot(&self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let speed = view.map.speed_bps(link)?;
        let lasted = slot.ce_last_ns.saturating_sub(slot.ce_first_ns);
        let full = of_100us(slot.ce_max_bytes_100us, speed);
        let is = slot.ce_packets >= self.min_marks && lasted <= self.max_ns && full >= self.full;
        is.then(|| {
            Symptom::new(About::Link(link), Severity::Info, slot.ce_first_ns, slot.ce_last_ns)
                .worst(full, "share", self.full)
                .sum("ce_packets", slot.ce_packets as f64)
                .sum("bursts", 1.0)
                .peak("senders_100us_max", f64::from(slot.ce_max_senders_100us))
                .peak("bytes_100us_max", slot.ce_max_bytes_100us as f64)
                .peak("burst_ns_max", lasted as f64)
        })
    }
}

impl Microburst {
    /// Takes a link's next marked slot; gives the one before, unless its burst went on into either neighbour.
    fn next(&mut self, link: LinkId, slot: &LinkSlot) -> Option<LinkSlot> {
        let before = self.waiting.get(&link).copied();
        let goes_on = before.is_some_and(|(b, _)| slot.ce_first_ns.saturating_sub(b.ce_last_ns) < self.max_ns);
        self.waiting.insert(link, (*slot, goes_on));
        before.filter(|(_, is_later_part)| !is_later_part && !goes_on).map(|(b, _)| b)
    }
}

impl Detector for Microburst {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            let marked = slots.iter().filter(|s| s.ce_packets > 0);
            let alone: Vec<LinkSlot> = marked.filter_map(|slot| self.next(link, slot)).collect();
            out.extend(alone.iter().filter_map(|s| self.slot(view, link, s)).map(|s| senders(view, link, s)));
        }
        // What can't go on any more is judged now.
        let (now, max) = (view.map.now_ns(), self.max_ns);
        let over = |slot: &LinkSlot| slot.ce_last_ns.saturating_add(max) < now;
        let done: Vec<(LinkId, LinkSlot)> =
            self.waiting.iter().filter(|(_, (s, later))| over(s) && !later).map(|(l, (s, _))| (*l, *s)).collect();
        self.waiting.retain(|_, (s, _)| !over(s));
        out.extend(done.iter().filter_map(|(l, s)| self.slot(view, *l, s).map(|found| senders(view, *l, found))));
    }
}

fn explain(case: &Case) -> String {
    format!(
        "A burst of {} filled {} up to {} of its speed, from {:.0} senders; {:.0} packets carry congestion marks.",
        super::window::duration(case.peak("burst_ns_max") as u64),
        case.name,
        percent(case.value.min(1.0)),
        case.peak("senders_100us_max"),
        case.sum("ce_packets")
    )
}
