//! Packets lost in the fabric, located before or after the tap.

use crate::by_link::ByLink;
use crate::report::Severity;
use crate::tick::{LinkId, QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{count, percent};
use super::{About, Case, Detector, Kind, Map, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "fabric_loss",
    title: "Packets lost in the fabric",
    shows: "A receiver asks for a PSN again (NAK, PSN sequence error, AETH syndrome 0x60), or a missing PSN is repeated. \
            Original and repeat both seen: lost after the tap. A gap, then the repeat: lost before it. \
            Frames that only the mirror lost are never repeated and count as `mirror_loss`.",
    advice: "Check optics, FCS errors and buffer drops of the named link and of the next one on that side of the tap.",
    knobs: &[
        Knob {
            name: "warn_packets",
            unit: "packets",
            values: [1.0, 10.0, 3.0],
            what: "lost packets of one tick on one link that open a warning",
            source: "any loss on a lossless fabric is a fault; go-back-N makes each one dear (SIGCOMM'16)",
        },
        Knob {
            name: "critical_packets",
            unit: "packets",
            values: [10.0, 1000.0, 100.0],
            what: "lost packets over the finding's life that make it critical, together with critical_share",
            source: "own: enough that the share means something",
        },
        Knob {
            name: "critical_share",
            unit: "share",
            values: [1e-6, 1e-3, 1e-1],
            what: "lost of all data packets on the link",
            source: "own",
        },
        hold(1000.0),
    ],
    follows: &[
        follows("failover", Relation::Path),
        follows("packet_trim", Relation::Path),
        follows("corruption", Relation::Path),
        follows("link_silent", Relation::Path),
    ],
    make: |knobs| Box::new(FabricLoss::new(knobs)),
    explain,
};

const SIGNS: [Sign; 3] = [Sign::LostBeforeTap, Sign::LostAfterTap, Sign::NakSequence];

struct FabricLoss {
    warn: f64,
    critical: f64,
    critical_share: f64,
    totals: ByLink<Total>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    lost: f64,
    data: f64,
}

/// What one tick shows of one link.
struct Found<'a> {
    before: f64,
    after: f64,
    naks: f64,
    qps: Vec<&'a QpTick>,
}

impl FabricLoss {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.get("warn_packets"),
            critical: knobs.get("critical_packets"),
            critical_share: knobs.get("critical_share"),
            totals: ByLink::default(),
        }
    }

    fn symptom(&mut self, link: LinkId, found: &Found<'_>, map: &Map) -> Symptom {
        let lost = (found.before + found.after).max(found.naks);
        let mut beyond_table = Total::default();
        let total = self.totals.made(link).unwrap_or(&mut beyond_table);
        total.lost += lost;
        // A link that is not in the mirror itself: what its queue pairs sent in this tick stands in.
        let sent: u64 = found.qps.iter().map(|q| q.roce.data_packets).sum();
        let data = if total.data > 0.0 { total.data } else { sent as f64 };
        let share = if data > 0.0 { (total.lost / data).min(1.0) } else { 0.0 };
        let critical = total.lost >= self.critical && share >= self.critical_share;
        let severity = match (critical, lost >= self.warn) {
            (true, _) => Severity::Critical,
            (false, true) => Severity::Warning,
            (false, false) => Severity::Info,
        };
        let (mut since, mut last) = (u64::MAX, 0);
        for qp in &found.qps {
            let (first, end) = moments(qp, &SIGNS);
            (since, last) = (since.min(first), last.max(end));
        }
        let mut symptom = Symptom::new(About::Link(link), severity, since, last)
            .counted(lost, "packets", self.warn)
            .sum("lost_before_tap_packets", found.before)
            .sum("lost_after_tap_packets", found.after)
            .sum("nak_packets", found.naks)
            .peak("lost_share", share)
            .note(place(found));
        for qp in &found.qps {
            symptom = symptom.qp(qp, map).witnesses(qp, &SIGNS);
        }
        symptom
    }
}

fn place(found: &Found<'_>) -> &'static str {
    match (found.before > 0.0, found.after > 0.0) {
        (true, false) => "before the tap: on this link or nearer to the sender",
        (false, true) => "after the tap: on this link or nearer to the receiver",
        (true, true) => "on both sides of the tap",
        (false, false) => "the data direction is not in the mirror, so the place is not known",
    }
}

impl Detector for FabricLoss {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for link in &view.tick.links {
            if let Some(total) = self.totals.made(LinkId(link.link)) {
                total.data += link.roce.data_packets as f64;
            }
        }
        let mut by_link: std::collections::BTreeMap<LinkId, Found<'_>> = std::collections::BTreeMap::new();
        let mut add = |link: LinkId, before: u64, after: u64, naks: u64, qp| {
            let found = by_link.entry(link).or_insert(Found { before: 0.0, after: 0.0, naks: 0.0, qps: Vec::new() });
            found.before += before as f64;
            found.after += after as f64;
            found.naks += naks as f64;
            found.qps.push(qp);
        };
        let located = |src, dst| view.qps_between(src, dst).any(|q| q.roce.lost_before_tap + q.roce.lost_after_tap > 0);
        for qp in &view.tick.qps {
            let (before, after) = (qp.roce.lost_before_tap, qp.roce.lost_after_tap);
            if before > 0 {
                add(qp.link, before, 0, 0, qp);
            }
            if after > 0 {
                add(beyond(qp, view.map), 0, after, 0, qp);
            }
            // A NAK speaks of the data that comes the other way. Where that is seen, it is located there.
            if qp.roce.nak_sequence > 0 && !located(qp.key.dst, qp.key.src) {
                let link = view.map.reverse(qp.link).unwrap_or(qp.link);
                add(link, 0, 0, qp.roce.nak_sequence, qp);
            }
        }
        for (link, found) in by_link {
            out.push(self.symptom(link, &found, view.map));
        }
    }
}

/// The link beyond the tap: the receiver's access link where the flow's own link is the sender's, else the flow's link.
fn beyond(qp: &QpTick, map: &Map) -> LinkId {
    let senders = map.from_host(qp.key.src) == Some(qp.link);
    map.to_host(qp.key.dst).filter(|_| senders).unwrap_or(qp.link)
}

fn explain(case: &Case) -> String {
    let lost = case.value;
    format!(
        "{} lost on {} within {} ({} of its data packets), {}.",
        count(lost, "packet"),
        case.name,
        case.lasting(),
        percent(case.peak("lost_share")),
        case.note()
    )
}
