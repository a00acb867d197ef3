//! Packets whose payload a switch cut off because its queue was full.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::by_link::ByLink;
use crate::report::Severity;
use crate::tick::{LinkId, QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{count, percent};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "packet_trim",
    title: "Packets trimmed by a switch",
    shows: "A data packet shorter than its IP header says, in another DSCP than the others of its queue pair: a switch had no room for it \
            and sent its headers on, so that the receiver asks for it at once. Every one is a packet that would have been dropped. \
            A mirror that cuts leaves the DSCP as it was. Where the switch corrects the IP length, trimming can't be told.",
    advice: "Treat it as loss by congestion: see which senders met at that queue, and whether its ECN thresholds mark early enough.",
    knobs: &[
        Knob {
            name: "warn_packets",
            unit: "packets",
            values: [1.0; 3],
            what: "trimmed packets of one tick on one link that open a warning",
            source: "SONiC: trimming replaces a drop",
        },
        Knob {
            name: "critical_share",
            unit: "share",
            values: [1e-3; 3],
            what: "trimmed of all data packets on the link since it was first seen",
            source: "own",
        },
        hold(1000.0),
    ],
    follows: &[follows("incast", Relation::Path), follows("link_saturated", Relation::Path)],
    make: |knobs| Box::new(PacketTrim::new(knobs)),
    explain,
};

struct PacketTrim {
    warn: u64,
    critical: f64,
    /// Trimmed and all data packets so far, per link.
    totals: ByLink<(u64, u64)>,
}

impl PacketTrim {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.count("warn_packets").max(1),
            critical: knobs.get("critical_share"),
            totals: ByLink::default(),
        }
    }
}

impl Detector for PacketTrim {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        let lost = Lost::of(view);
        for (link, tick, _) in view.links() {
            let Some(total) = self.totals.made(link) else { continue };
            *total = (total.0 + tick.roce.trimmed, total.1 + tick.roce.data_packets);
            if tick.roce.trimmed < self.warn {
                continue;
            }
            let share = total.0 as f64 / total.1.max(1) as f64;
            let severity = if share >= self.critical { Severity::Critical } else { Severity::Warning };
            let concerned = lost.concerned(link);
            let first_ns = concerned.iter().map(|qp| moments(qp, &[Sign::Trimmed]).0).min();
            let mut symptom =
                Symptom::new(About::Link(link), severity, first_ns.unwrap_or(tick.first_ns), tick.last_ns)
                    .counted(tick.roce.trimmed as f64, "packets", self.warn as f64)
                    .sum("trimmed_packets", tick.roce.trimmed as f64)
                    .peak("trimmed_share", share);
            for qp in concerned {
                symptom = symptom.qp(qp, view.map).witnesses(qp, &[Sign::Trimmed]);
            }
            out.push(symptom);
        }
    }
}

/// Most queue pairs named for a link that carries none of those that lost payload: no finding keeps more.
const NAMED: usize = 256;

/// Queue pairs that lost payload in a tick, and which of them did on the way to each link.
#[derive(Default)]
struct Lost<'a> {
    all: Vec<&'a QpTick>,
    by_link: HashMap<LinkId, Vec<&'a QpTick>, FixedState>,
}

impl<'a> Lost<'a> {
    fn of(view: &View<'a>) -> Self {
        let mut lost = Self::default();
        for qp in view.tick.qps.iter().filter(|q| q.roce.trimmed > 0) {
            let last = view.map.to_host(qp.key.dst).filter(|last| *last != qp.link);
            for link in [Some(qp.link), last].into_iter().flatten() {
                lost.by_link.entry(link).or_default().push(qp);
            }
            if lost.all.len() < NAMED {
                lost.all.push(qp);
            }
        }
        lost
    }

    /// Those that may have lost payload on the way to this link: those that it carries, else all that lost some.
    fn concerned(&self, link: LinkId) -> &[&'a QpTick] {
        self.by_link.get(&link).unwrap_or(&self.all)
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} on {} came without payload, up to {} of its data packets: a switch before it had no room for them.",
        count(case.value, "packet"),
        case.name,
        percent(case.peak("trimmed_share"))
    )
}
