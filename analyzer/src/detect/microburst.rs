//! A queue that fills and empties within a millisecond.

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
}

impl Microburst {
    fn new(knobs: &Knobs) -> Self {
        Self { full: knobs.get("full_share"), max_ns: knobs.ns("max_ms"), min_marks: knobs.count("min_marks") }
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

impl Detector for Microburst {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            let found = slots.iter().filter_map(|slot| self.slot(view, link, slot));
            out.extend(found.map(|s| senders(view, link, s)));
        }
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
