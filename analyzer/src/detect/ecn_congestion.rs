//! Congestion by its marks: the share of packets that a queue marked CE.

use crate::report::Severity;
use crate::slot::LinkSlot;
use crate::tick::LinkId;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::window::{Part, Sum, Windows, count, percent, whole};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "ecn_congestion",
    title: "Congestion, by ECN marks",
    shows: "Share of ECN-capable packets that carry CE (RFC 3168). Marks are set where a queue grows and stay on the packet: \
            a link that shows them either has the queue or is downstream of it.",
    advice: "See who shares the link's queue (flows of this link, incast, parallel links that idle), then its ECN thresholds.",
    knobs: &[
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.01, 0.05, 0.05],
            what: "marked of ECN-capable packets over the window",
            source: "own",
        },
        Knob {
            name: "critical_share",
            unit: "share",
            values: [0.10, 0.30, 0.50],
            what: "marked of ECN-capable packets over the window",
            source: "own",
        },
        Knob {
            name: "warn_share_10ms",
            unit: "share",
            values: [0.05, 0.20, 0.20],
            what: "marked within one slot of 10 ms: a short congestion that the window would thin out",
            source: "own",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [10.0, 20.0, 10.0],
            what: "marked packets before a share is judged",
            source: "own: fewer say little",
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
            what: "least part of the window that is observed before critical is said",
            source: "own",
        },
        hold(200.0),
    ],
    follows: &[
        follows("incast", Relation::SameLink),
        follows("link_degraded", Relation::SameLink),
        follows("ecmp_imbalance", Relation::SameLink),
        follows("pfc_storm", Relation::Path),
        follows("failover", Relation::Anywhere),
        follows("ecn_congestion", Relation::Upstream),
    ],
    make: |knobs| Box::new(EcnCongestion::new(knobs)),
    explain,
};

struct EcnCongestion {
    warn: f64,
    critical: f64,
    warn_slot: f64,
    min_marks: f64,
    min_observed_ns: u64,
    shares: Windows<LinkId>,
}

impl EcnCongestion {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.get("warn_share"),
            critical: knobs.get("critical_share"),
            warn_slot: knobs.get("warn_share_10ms"),
            min_marks: knobs.get("min_marks"),
            min_observed_ns: knobs.ns("min_observed_ms"),
            shares: Windows::new(knobs.ns("window_ms")),
        }
    }

    fn slot(&mut self, view: &View<'_>, link: LinkId, slot: &LinkSlot) -> Option<Symptom> {
        let window = self.shares.add(link, part(slot));
        let own = slot.ce_packets as f64;
        let own_share = own / slot.ect_packets.max(1) as f64;
        let by_window = window.share() >= self.warn && window.some >= self.min_marks;
        let by_slot = own_share >= self.warn_slot && own >= self.min_marks;
        if own == 0.0 || !(by_window || by_slot) {
            return None;
        }
        let since = if by_window { window.first_ns } else { slot.ce_first_ns };
        let severity = self.severity(view, &window);
        let share = window.share().max(if by_slot { own_share } else { 0.0 });
        Some(
            Symptom::new(About::Link(link), severity, since, slot.ce_last_ns)
                .worst(share, "share", if by_window { self.warn } else { self.warn_slot })
                .sum("ce_packets", own)
                .sum("ecn_capable_packets", slot.ect_packets as f64)
                .sum("cnp_packets", slot.cnp_packets as f64)
                .peak("ce_share_10ms_max", own_share)
                .peak("senders_100us_max", f64::from(slot.ce_max_senders_100us)),
        )
    }

    fn severity(&self, view: &View<'_>, window: &Sum) -> Severity {
        let observed = view.observed_ns() >= self.min_observed_ns;
        let critical = window.share() >= self.critical && window.some >= self.min_marks && observed;
        if critical { Severity::Critical } else { Severity::Warning }
    }
}

fn part(slot: &LinkSlot) -> Part {
    Part {
        at_ns: slot.at_ns,
        end_ns: slot.end_ns(),
        some: slot.ce_packets as f64,
        all: slot.ect_packets as f64,
        first_ns: slot.ce_first_ns,
    }
}

impl Detector for EcnCongestion {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for (link, _, slots) in view.links() {
            out.extend(slots.iter().filter_map(|slot| self.slot(view, link, slot)).map(|s| involve(view, link, s)));
        }
        self.shares.forget(view.map.now_ns());
    }
}

/// Queue pairs whose marked packets pass here.
fn involve(view: &View<'_>, link: LinkId, symptom: Symptom) -> Symptom {
    let marked = view.qps_on(link).filter(|q| q.ce_packets > 0).take(16);
    marked.fold(symptom, |s, qp| s.qp(qp, view.map))
}

fn explain(case: &Case) -> String {
    format!(
        "Up to {} of packets on {} carry congestion marks: {} of {} within {}.",
        percent(case.value),
        case.name,
        count(case.sum("ce_packets"), "packet"),
        whole(case.sum("ecn_capable_packets")),
        case.lasting()
    )
}
