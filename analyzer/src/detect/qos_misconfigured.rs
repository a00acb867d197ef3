//! RoCE that asks for another class than the fabric keeps for it, or cannot be marked where the others can.

use std::collections::{BTreeMap, BTreeSet};

use crate::control::Says;
use crate::packet::Addr;
use crate::report::Severity;
use crate::tick::{Class, QpKey, QpTick};
use crate::topology::Classes;

use super::config::{Knob, Knobs, hold};
use super::{About, Case, Detector, Kind, Symptom, View};

/// The value of a DSCP that is not known.
const UNKNOWN: f64 = 64.0;
/// Queue pairs and hosts followed.
const MOST: usize = 65_536;

pub(super) static KIND: Kind = Kind {
    name: "qos_misconfigured",
    title: "RoCE in the wrong class",
    shows: "Data or congestion notifications of RoCE in another DSCP than the topology says (roce.data_dscp, roce.cnp_dscp), in a \
            priority for which the ports announce no flow control by DCBX, a sender whose data can't be marked (not ECT) or which uses another \
            DSCP than nearly all others, or data whose DSCP changes within a queue pair. Without a topology, DCBX or a clear majority \
            nothing is judged.",
    advice: "Compare trust mode, DSCP to priority map, ECN and traffic class (TOS of rdma_cm and of the library) of this host and its switch port \
             with those of the others.",
    knobs: &[
        Knob {
            name: "data_dscp",
            unit: "DSCP",
            values: [UNKNOWN; 3],
            what: "DSCP of RoCE data; 64: as the topology says, else as nearly all do",
            source: "the topology's roce.data_dscp",
        },
        Knob {
            name: "cnp_dscp",
            unit: "DSCP",
            values: [UNKNOWN; 3],
            what: "DSCP of congestion notifications; 64: as the topology says, else not judged",
            source: "the topology's roce.cnp_dscp",
        },
        Knob {
            name: "majority_share",
            unit: "share",
            values: [0.9; 3],
            what: "senders alike that make the others odd",
            source: "own",
        },
        Knob {
            name: "majority_hosts",
            unit: "hosts",
            values: [8.0; 3],
            what: "senders before a majority is believed",
            source: "own",
        },
        Knob {
            name: "min_ticks",
            unit: "ticks",
            values: [3.0; 3],
            what: "ticks in which a queue pair must show a class before it counts",
            source: "own: one packet of each tick is looked at",
        },
        hold(10_000.0),
    ],
    follows: &[],
    make: |knobs| Box::new(Qos::new(knobs)),
    explain,
};

/// What a queue pair asked for, one packet of a tick each.
#[derive(Clone, Debug, Default)]
struct Asked {
    /// By DSCP: ticks, and when last.
    by_dscp: BTreeMap<u8, (u64, u64)>,
    capable: u64,
    ticks: u64,
    pcp: Option<u8>,
    last_ns: u64,
}

struct Qos {
    data_dscp: Option<u8>,
    cnp_dscp: Option<u8>,
    share: f64,
    hosts: usize,
    min: u64,
    qps: BTreeMap<QpKey, Asked>,
    /// What ports announce, by who.
    announced: BTreeMap<Addr, Classes>,
    majority: Majority,
    ticks: u64,
}

impl Qos {
    fn new(knobs: &Knobs) -> Self {
        let dscp = |name| Some(knobs.get(name)).filter(|&v| v < UNKNOWN).map(|v| v as u8);
        Self {
            data_dscp: dscp("data_dscp"),
            cnp_dscp: dscp("cnp_dscp"),
            share: knobs.get("majority_share"),
            hosts: knobs.count("majority_hosts") as usize,
            min: knobs.count("min_ticks").max(1),
            qps: BTreeMap::new(),
            announced: BTreeMap::new(),
            majority: Majority::default(),
            ticks: 0,
        }
    }

    fn learn(&mut self, view: &View<'_>) {
        for event in &view.tick.control {
            if let Says::Lldp { neighbour, .. } = &event.says
                && let Some(classes) = &neighbour.classes
                && (self.announced.len() < MOST || self.announced.contains_key(&event.src))
            {
                self.announced.insert(event.src, classes.clone());
            }
        }
        for qp in &view.tick.qps {
            if let Some(class) = qp.class
                && (self.qps.len() < MOST || self.qps.contains_key(&qp.key))
            {
                self.qps.entry(qp.key).or_default().take(class, qp.first_ns);
            }
        }
        let now_ns = view.map.now_ns();
        if self.qps.len() >= MOST {
            self.qps.retain(|_, asked| asked.last_ns.saturating_add(60_000_000_000) > now_ns);
        }
    }

    /// The priority that data of a class is put into, and whether it has flow control there, where all ports that announce it agree.
    fn announced(&self, class: Class) -> Option<(u8, bool)> {
        let of = |c: &Classes| {
            let priority = class.pcp.or_else(|| c.priority_of_dscp(class.dscp)).or_else(|| c.priority_of_roce())?;
            Some((priority, c.is_lossless(priority)?))
        };
        let all: BTreeSet<(u8, bool)> = self.announced.values().filter_map(of).collect();
        all.first().copied().filter(|_| all.len() == 1)
    }

    /// What nearly all senders do, if they do.
    fn look(&self) -> Majority {
        let mut hosts: BTreeMap<Addr, (BTreeSet<u8>, bool)> = BTreeMap::new();
        for (key, asked) in self.qps.iter().filter(|(_, a)| a.ticks >= self.min) {
            let host = hosts.entry(key.src).or_default();
            host.0.extend(asked.by_dscp.keys());
            host.1 |= asked.capable > 0;
        }
        let enough = |n: usize| hosts.len() >= self.hosts && n as f64 >= self.share * hosts.len() as f64;
        let capable = enough(hosts.values().filter(|h| h.1).count());
        let every: BTreeSet<u8> = hosts.values().flat_map(|h| h.0.iter().copied()).collect();
        let with = |dscp: &u8| hosts.values().filter(|h| h.0.contains(dscp)).count();
        let dscp = every.into_iter().filter(|d| enough(with(d))).max_by_key(with);
        let odd = hosts.iter().filter(|(_, h)| dscp.is_some_and(|d| !h.0.contains(&d))).map(|(a, _)| *a).collect();
        Majority { dscp, odd, capable }
    }

    fn judge_qp(&self, qp: &QpTick) -> Option<Wrong> {
        let (class, majority) = (qp.class?, &self.majority);
        let asked = self.qps.get(&qp.key).filter(|a| a.ticks >= self.min)?;
        let (src, dscp) = (qp.key.src, class.dscp);
        if let Some(expected) = self.data_dscp.filter(|e| *e != dscp && asked.only(dscp)) {
            let note = format!("{src} sends RoCE data in DSCP {dscp}; the topology keeps {expected} for it");
            return Some(Wrong { severity: Severity::Warning, value: dscp.into(), unit: "DSCP", note });
        }
        if let Some((priority, false)) = self.announced(class) {
            let note = format!(
                "{src} sends RoCE data in priority {priority}, for which the ports announce no flow control (DCBX)"
            );
            return Some(Wrong { severity: Severity::Warning, value: priority.into(), unit: "priority", note });
        }
        let settled = asked.by_dscp.iter().filter(|(_, (ticks, _))| *ticks >= self.min).map(|(d, _)| *d);
        let settled: Vec<u8> = settled.collect();
        if let [one, other, ..] = settled.as_slice() {
            let note = format!(
                "data from {src} to {} changes between DSCP {one} and {other} within one queue pair",
                qp.key.dst
            );
            return Some(Wrong { severity: Severity::Info, value: dscp.into(), unit: "DSCP", note });
        }
        if let (true, Some(usual), true) = (self.data_dscp.is_none(), majority.dscp, majority.odd.contains(&src)) {
            let note = format!("{src} sends RoCE data in DSCP {dscp}, nearly all other hosts in {usual}");
            return Some(Wrong { severity: Severity::Info, value: dscp.into(), unit: "DSCP", note });
        }
        let deaf = majority.capable && asked.capable == 0;
        deaf.then(|| {
            let note = format!("RoCE data from {src} can't be marked (not ECT), that of nearly all other hosts can");
            Wrong { severity: Severity::Info, value: asked.ticks as f64, unit: "ticks", note }
        })
    }

    fn judge_cnp(&self, qp: &QpTick) -> Option<Wrong> {
        let (dscp, expected) = (qp.cnp_dscp?, self.cnp_dscp?);
        let note = || {
            format!(
                "{} sends congestion notifications in DSCP {dscp}; the topology keeps {expected} for them",
                qp.key.src
            )
        };
        (dscp != expected).then(|| Wrong { severity: Severity::Info, value: dscp.into(), unit: "DSCP", note: note() })
    }
}

/// Ticks between two looks at what nearly all senders do.
const LOOKS: u64 = 10;

/// What is wrong with a queue pair's class, and the number that shows it.
struct Wrong {
    severity: Severity,
    value: f64,
    unit: &'static str,
    note: String,
}

#[derive(Debug, Default)]
struct Majority {
    dscp: Option<u8>,
    /// Hosts with no queue pair in that class: what has a class of its own beside is left alone.
    odd: BTreeSet<Addr>,
    capable: bool,
}

impl Asked {
    fn take(&mut self, class: Class, at_ns: u64) {
        if self.by_dscp.len() < 8 || self.by_dscp.contains_key(&class.dscp) {
            let seen = self.by_dscp.entry(class.dscp).or_default();
            *seen = (seen.0 + 1, at_ns);
        }
        self.capable += u64::from(class.ecn_capable);
        self.ticks += 1;
        self.pcp = class.pcp.or(self.pcp);
        self.last_ns = at_ns;
    }

    fn only(&self, dscp: u8) -> bool {
        self.by_dscp.keys().all(|d| *d == dscp)
    }
}

impl Detector for Qos {
    fn judge(&mut self, view: &View<'_>, out: &mut Vec<Symptom>) {
        self.learn(view);
        if self.ticks.is_multiple_of(LOOKS) {
            self.majority = self.look();
        }
        self.ticks += 1;
        for qp in &view.tick.qps {
            for Wrong { severity, value, unit, note } in [self.judge_qp(qp), self.judge_cnp(qp)].into_iter().flatten() {
                let symptom = Symptom::new(About::Host(qp.key.src), severity, qp.first_ns, qp.last_ns)
                    .worst(value, unit, 0.0)
                    .sum("ticks", 1.0)
                    .note(note);
                out.push(symptom.qp(qp, view.map));
            }
        }
    }
}

fn explain(case: &Case) -> String {
    format!("{}.", case.note())
}
