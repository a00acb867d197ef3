//! Marks that nobody answers.

use std::collections::BTreeMap;

use crate::packet::Addr;
use crate::report::Severity;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "congestion_control_off",
    title: "Congestion marks without notifications",
    shows: "A host receives RDMA packets marked CE for a second of load and sends not one congestion notification, though its acknowledgements are seen.",
    advice: "If that is meant (PFC alone, or congestion control of another kind), mute it; else switch on the notification point of that host's adapter.",
    knobs: &[
        Knob {
            name: "min_ms",
            unit: "ms",
            values: [1000.0; 3],
            what: "from the first to the last mark without a notification",
            source: "own; large operators run 400G with DCQCN off (SIGCOMM'24)",
        },
        Knob {
            name: "min_marks",
            unit: "packets",
            values: [100.0, 1000.0, 50.0],
            what: "marked packets without a notification",
            source: "own",
        },
        hold(5000.0),
    ],
    follows: &[follows("ecn_congestion", Relation::Path)],
    make: |knobs| Box::new(CongestionControlOff::new(knobs)),
    explain,
};

struct CongestionControlOff {
    min_ns: u64,
    min_marks: u64,
    silent: BTreeMap<Addr, Silent>,
}

/// A host that was marked and has not notified since.
#[derive(Clone, Copy, Default)]
struct Silent {
    marks: u64,
    since_ns: u64,
    last_ns: u64,
}

/// Hosts followed.
const MAX_HOSTS: usize = 65_536;

impl CongestionControlOff {
    fn new(knobs: &Knobs) -> Self {
        Self { min_ns: knobs.ns("min_ms"), min_marks: knobs.count("min_marks"), silent: BTreeMap::new() }
    }
}

impl Detector for CongestionControlOff {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        for qp in view.tick.qps.iter().filter(|q| q.cnp_packets > 0) {
            self.silent.remove(&qp.key.src);
        }
        let marked = view.tick.qps.iter().filter(|q| q.ce_packets > 0 && q.roce.data_packets > 0);
        for qp in marked {
            let answers = view.qps_between(qp.key.dst, qp.key.src).next().is_some();
            let notified = view.qps_from(qp.key.dst).any(|q| q.cnp_packets > 0);
            let room = self.silent.len() < MAX_HOSTS || self.silent.contains_key(&qp.key.dst);
            if !answers || notified || !room {
                continue;
            }
            let fresh = Silent { marks: 0, since_ns: qp.first_ns, last_ns: qp.last_ns };
            let host = self.silent.entry(qp.key.dst).or_insert(fresh);
            host.marks += qp.ce_packets;
            host.last_ns = host.last_ns.max(qp.last_ns);
            let long = host.last_ns.saturating_sub(host.since_ns);
            if long >= self.min_ns && host.marks >= self.min_marks {
                let symptom = Symptom::new(About::Host(qp.key.dst), Severity::Info, host.since_ns, host.last_ns)
                    .worst(host.marks as f64, "packets", self.min_marks as f64)
                    .peak("ce_packets_without_cnp", host.marks as f64);
                out.push(symptom.qp(qp, view.map));
            }
        }
    }
}

fn explain(case: &Case) -> String {
    format!(
        "{} received {} with congestion marks within {} and sent no congestion notification.",
        case.name,
        super::window::count(case.value, "packet"),
        case.lasting()
    )
}
