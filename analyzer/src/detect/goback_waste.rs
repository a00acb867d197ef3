//! What retransmission costs: bytes sent again against bytes that were new.

use crate::report::Severity;
use crate::tick::{QpKey, QpTick, Sign};

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::symptom::moments;
use super::window::{Part, Sum, Windows, count, percent, trim};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "goback_waste",
    title: "Bandwidth spent on repeats",
    shows: "Repeated payload against new payload of a queue pair: go-back-N sends everything after a lost packet again. \
            The same PSN repeated again and again without acknowledged progress is livelock. Without any loss or NAK beside it \
            (timers that ran out) it is information.",
    advice: "Find the loss that causes the repeats; selective repeat or a smaller window lowers what each loss costs.",
    knobs: &[
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.01, 0.05, 0.10],
            what: "repeated of new bytes over the window",
            source: "own",
        },
        Knob {
            name: "critical_share",
            unit: "share",
            values: [0.10, 0.25, 0.50],
            what: "repeated of new bytes over the window",
            source: "own",
        },
        Knob {
            name: "min_packets",
            unit: "packets",
            values: [10.0, 10.0, 30.0],
            what: "repeats in the window before a share is judged",
            source: "own: fewer say little",
        },
        Knob {
            name: "livelock_repeats",
            unit: "repeats",
            values: [3.0, 5.0, 8.0],
            what: "rounds of repeats without acknowledged progress, with more repeated than new bytes, that are livelock",
            source: "SIGCOMM'16: go-back-0 livelock at 0.4 % loss",
        },
        Knob { name: "window_ms", unit: "ms", values: [1000.0; 3], what: "window of the share", source: "own" },
        hold(1000.0),
    ],
    follows: &[
        follows("failover", Relation::Path),
        follows("packet_trim", Relation::Path),
        follows("fabric_loss", Relation::Path),
        follows("corruption", Relation::Path),
        follows("link_silent", Relation::Path),
        follows("timeout_retransmit", Relation::Path),
        follows("pfc_storm", Relation::Anywhere),
    ],
    make: |knobs| Box::new(GobackWaste::new(knobs)),
    explain,
};

struct GobackWaste {
    warn: f64,
    critical: f64,
    min_packets: f64,
    livelock: u32,
    bytes: Windows<QpKey>,
    packets: Windows<QpKey>,
    /// Packets known to be lost.
    lost: Windows<QpKey>,
}

impl GobackWaste {
    fn new(knobs: &Knobs) -> Self {
        Self {
            warn: knobs.get("warn_share"),
            critical: knobs.get("critical_share"),
            min_packets: knobs.get("min_packets"),
            livelock: knobs.count("livelock_repeats") as u32,
            bytes: Windows::new(knobs.ns("window_ms")),
            packets: Windows::new(knobs.ns("window_ms")),
            lost: Windows::new(2 * knobs.ns("window_ms")),
        }
    }

    fn severity(&self, waste: f64, packets: f64, livelock: bool) -> Option<Severity> {
        let enough = packets >= self.min_packets;
        match waste {
            _ if livelock => Some(Severity::Critical),
            w if enough && w >= self.critical => Some(Severity::Critical),
            w if enough && w >= self.warn => Some(Severity::Warning),
            _ => None,
        }
    }
}

fn part(view: &View<'_>, qp: &QpTick, some: u64, all: u64) -> Part {
    let (first_ns, _) = moments(qp, &[Sign::Retransmit, Sign::Timeout, Sign::LostBeforeTap]);
    let (at_ns, end_ns) = (view.tick.start_ns, view.tick.end_ns);
    Part { at_ns, end_ns, some: some as f64, all: all as f64, first_ns }
}

/// NAKs that the receiver sent to this queue pair's sender in the tick.
fn naks_for(view: &View<'_>, qp: &QpTick) -> u64 {
    if qp.roce.retransmitted == 0 {
        return 0;
    }
    view.qps_between(qp.key.dst, qp.key.src).map(|q| q.roce.nak_sequence).sum()
}

/// Repeated of new; repeats of nothing new are all waste.
fn waste(sum: &Sum) -> f64 {
    if sum.all > 0.0 { sum.some / sum.all } else { 1.0 }
}

impl Detector for GobackWaste {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for qp in &view.tick.qps {
            let c = &qp.roce;
            let bytes = self.bytes.add(qp.key, part(view, qp, c.retransmitted_bytes, c.useful_bytes));
            let packets = self.packets.add(qp.key, part(view, qp, c.retransmitted, c.data_packets));
            let stuck = qp.repeats_of_one_psn_max >= self.livelock && packets.some >= self.min_packets;
            let lost =
                self.lost.add(qp.key, part(view, qp, c.lost_before_tap + c.lost_after_tap + naks_for(view, qp), 0));
            let livelock = stuck && waste(&bytes) >= 1.0;
            let Some(severity) = self.severity(waste(&bytes), packets.some, livelock) else { continue };
            if c.retransmitted == 0 {
                continue;
            }
            // Repeats of what was not lost cost bandwidth, but are no fault of the network.
            let severity = if lost.some > 0.0 { severity } else { Severity::Info };
            let last_ns = qp.last_ns;
            let symptom = Symptom::new(About::Qp(qp.key), severity, bytes.first_ns.min(last_ns), last_ns)
                .worst(waste(&bytes), "share", self.warn)
                .sum("repeated_packets", c.retransmitted as f64)
                .sum("repeated_bytes", c.retransmitted_bytes as f64)
                .peak("repeated_share", waste(&bytes))
                .peak("repeats_without_progress", f64::from(qp.repeats_of_one_psn_max));
            let symptom = if livelock { symptom.note(", without progress: livelock") } else { symptom };
            out.push(symptom.qp(qp, view.map).witnesses(qp, &[Sign::Retransmit, Sign::Timeout]));
        }
        self.bytes.forget(view.map.now_ns());
        self.packets.forget(view.map.now_ns());
        self.lost.forget(view.map.now_ns());
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} repeated {} ({} MB), {} of its new bytes{}.",
        case.name,
        count(case.sum("repeated_packets"), "packet"),
        trim(case.sum("repeated_bytes") / 1e6),
        percent(case.value),
        case.note()
    )
}
