//! Many senders to one receiver at once.

use std::collections::BTreeSet;

use crate::packet::Addr;
use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::config::{Knob, Knobs, hold};
use super::window::{Runs, of_100us, percent, utilisation};
use super::{About, Case, Detector, Kind, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "incast",
    title: "Incast",
    shows: "Several senders within the same 100 us on the link to one host that is full in that time. Marked CE, paused, or with loss \
            towards that host it is a warning; else information. Up to a millisecond it is a `microburst`.",
    advice: "Spread the senders in time or lower how many there are (checkpoint writers, expert layers); check that ECN begins early enough there.",
    knobs: &[
        Knob {
            name: "min_senders",
            unit: "senders",
            values: [4.0, 8.0, 4.0],
            what: "sources in one 100 us bin",
            source: "own: two or three are the neighbours of a ring",
        },
        Knob {
            name: "full_share",
            unit: "share",
            values: [0.90; 3],
            what: "of the link's speed in that bin",
            source: "own",
        },
        Knob {
            name: "min_ms",
            unit: "ms",
            values: [1.0; 3],
            what: "duration from which it is no microburst",
            source: "IMC'17: most bursts last tens of us",
        },
        hold(30.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Incast::new(knobs)),
    explain,
};

struct Incast {
    senders: u64,
    full: f64,
    min_ns: u64,
    runs: Runs<LinkId>,
}

impl Incast {
    fn new(knobs: &Knobs) -> Self {
        let min_ns = knobs.ns("min_ms");
        Self {
            senders: knobs.count("min_senders").max(2),
            full: knobs.get("full_share"),
            min_ns,
            runs: Runs::new(10_000_000),
        }
    }

    fn slot(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let speed = view.map.speed_bps(link)?;
        let marked = slot.ce_packets > 0;
        let (senders, bytes) = match marked {
            true => (slot.ce_max_senders_100us, slot.ce_max_bytes_100us),
            false => (slot.max_senders_100us, slot.max_bytes_100us),
        };
        if u64::from(senders) < self.senders || of_100us(bytes, speed) < self.full {
            return None;
        }
        let used = utilisation(slot, speed);
        let (since, last) = match marked {
            true => (slot.ce_first_ns, slot.ce_last_ns),
            false => (slot.max_100us_at_ns, slot.max_100us_at_ns + 100_000),
        };
        let (since, mut long) = self.runs.hit(link, since, last);
        if !marked && used < 0.5 {
            long = 0;
        }
        let lost = lost_to(view, link);
        let severity = if marked || lost > 0.0 || slot.paused_ns > 0 { Severity::Warning } else { Severity::Info };
        (long >= self.min_ns).then(|| {
            Symptom::new(About::Link(link), severity, since, last)
                .worst(f64::from(senders), "senders", self.senders as f64)
                .sum("ce_packets", slot.ce_packets as f64)
                .peak("senders_100us_max", f64::from(senders))
                .peak("speed_share_10ms_max", used)
                .peak("speed_share_100us_max", of_100us(bytes, speed))
                .peak("lost_packets_in_tick", lost)
        })
    }
}

/// Packets lost or asked for again on the way to the link's host in this tick.
fn lost_to(view: &View<'_>, link: LinkId) -> f64 {
    let Some(host) = view.map.info(link).and_then(|i| i.host) else { return 0.0 };
    let to = view.qps_to(host).map(|q| q.roce.lost_before_tap + q.roce.lost_after_tap);
    let naks = view.qps_from(host).map(|q| q.roce.nak_sequence);
    to.chain(naks).sum::<u64>() as f64
}

/// Who sent most to the link's host in this tick.
pub(super) fn senders(view: &View<'_>, link: LinkId, mut symptom: Symptom) -> Symptom {
    let Some(host) = view.map.info(link).and_then(|i| i.host) else { return symptom };
    let large = view.flows_to(host).filter(|f| f.bytes > 10_000);
    let mut from: Vec<(u64, Addr)> = large.map(|f| (f.bytes, f.key.src)).collect();
    from.sort_by(|a, b| b.cmp(a));
    let names: BTreeSet<Addr> = from.into_iter().map(|(_, src)| src).take(16).collect();
    symptom.involved.extend(names.iter().map(Addr::to_string));
    symptom.hosts.push(host);
    symptom
}

impl Detector for Incast {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            if view.map.info(link).is_some_and(|i| i.to_host) {
                let found = slots.iter().filter_map(|slot| self.slot(view, link, slot));
                out.extend(found.map(|s| senders(view, link, s)));
            }
        }
        self.runs.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{:.0} senders at once fill {} up to {} for {}; {:.0} packets carry congestion marks.",
        case.value,
        case.name,
        percent(case.peak("speed_share_100us_max").min(1.0)),
        case.lasting(),
        case.sum("ce_packets")
    )
}
