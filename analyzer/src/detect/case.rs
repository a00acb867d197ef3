//! An open finding, while it gathers evidence.

use std::collections::{BTreeMap, BTreeSet};

use crate::packet::Addr;
use crate::report::{Evidence, Finding, FirstPacket, Severity, Subject};
use crate::tick::{LinkId, QpKey};

use super::symptom::Symptom;
use super::{About, Kind, Map};

/// First packets kept.
const MAX_PACKETS: usize = 8;
/// Names of queue pairs and hosts kept.
const MAX_INVOLVED: usize = 16;
/// Links, hosts and queue pairs kept for joining causes.
const MAX_RELATED: usize = 256;

/// One finding from its first symptom on.
#[derive(Clone, Debug)]
pub struct Case {
    /// Identity of the finding, from kind, subject and start.
    pub id: String,
    /// Subject.
    pub about: About,
    /// Its name for people.
    pub name: String,
    /// The worst it reached.
    pub severity: Severity,
    /// Start.
    pub since_ns: u64,
    /// Last moment with cause.
    pub last_ns: u64,
    /// Worst, or total.
    pub value: f64,
    /// Unit of the value.
    pub unit: &'static str,
    /// What it crossed.
    pub threshold: f64,
    /// The finding that this one follows from.
    pub cause: Option<String>,
    /// Links concerned.
    pub links: BTreeSet<LinkId>,
    /// The link that carries the subject, where that is a queue pair.
    pub carrier: Option<LinkId>,
    /// Hosts concerned.
    pub hosts: BTreeSet<Addr>,
    /// Queue pairs concerned.
    pub qps: BTreeSet<QpKey>,
    sums: BTreeMap<&'static str, f64>,
    peaks: BTreeMap<&'static str, f64>,
    lows: BTreeMap<&'static str, f64>,
    packets: Vec<FirstPacket>,
    involved: BTreeSet<String>,
    involved_more: u64,
    note: Option<String>,
    advice: Option<&'static str>,
    caveats: BTreeSet<String>,
    culprit: Option<Addr>,
}

impl Case {
    /// Opens a case.
    pub fn open(kind: &Kind, symptom: Symptom, map: &Map) -> Self {
        let subject = symptom.about.name(map);
        let mut case = Self {
            id: format!("{}/{}/{}", kind.name, subject, symptom.since_ns),
            about: symptom.about.clone(),
            name: subject,
            severity: symptom.severity,
            since_ns: symptom.since_ns,
            last_ns: symptom.last_ns,
            value: 0.0,
            unit: symptom.unit,
            threshold: symptom.threshold,
            cause: None,
            links: BTreeSet::new(),
            carrier: symptom.links.first().copied(),
            hosts: BTreeSet::new(),
            qps: BTreeSet::new(),
            sums: BTreeMap::new(),
            peaks: BTreeMap::new(),
            lows: BTreeMap::new(),
            packets: Vec::new(),
            involved: BTreeSet::new(),
            involved_more: 0,
            note: None,
            advice: None,
            caveats: BTreeSet::new(),
            culprit: None,
        };
        case.add(symptom, map);
        case
    }

    /// Takes further evidence.
    pub fn add(&mut self, symptom: Symptom, map: &Map) {
        let worse = symptom.severity > self.severity || symptom.value >= self.value;
        self.severity = self.severity.max(symptom.severity);
        self.since_ns = self.since_ns.min(symptom.since_ns);
        self.last_ns = self.last_ns.max(symptom.last_ns);
        if symptom.adds {
            self.value += symptom.value;
        } else {
            self.value = self.value.max(symptom.value);
        }
        if worse {
            (self.unit, self.threshold) = (symptom.unit, symptom.threshold);
            self.advice = symptom.advice.or(self.advice);
        }
        if worse || self.note.is_none() {
            self.note = symptom.note.or(self.note.take());
        }
        for (name, value) in symptom.sums {
            *self.sums.entry(name).or_default() += value;
        }
        for (name, value) in symptom.peaks {
            let peak = self.peaks.entry(name).or_insert(value);
            *peak = peak.max(value);
        }
        for (name, value) in symptom.lows {
            let low = self.lows.entry(name).or_insert(value);
            *low = low.min(value);
        }
        self.packets.extend(symptom.packets);
        self.packets.sort_by(|a, b| (a.at_ns, &a.src, &a.dst, a.psn).cmp(&(b.at_ns, &b.src, &b.dst, b.psn)));
        self.packets.dedup();
        self.packets.truncate(MAX_PACKETS);
        self.caveats.extend(symptom.caveats);
        self.culprit = symptom.culprit.or(self.culprit);
        for name in symptom.involved {
            self.involve(name);
        }
        self.relate(symptom.links, symptom.hosts, symptom.qps, map);
    }

    fn involve(&mut self, name: String) {
        if self.involved.len() < MAX_INVOLVED || self.involved.contains(&name) {
            self.involved.insert(name);
        } else {
            self.involved_more += 1;
        }
    }

    fn relate(&mut self, links: Vec<LinkId>, hosts: Vec<Addr>, qps: Vec<QpKey>, map: &Map) {
        let own: Vec<LinkId> = match &self.about {
            About::Link(link) => vec![*link],
            _ => Vec::new(),
        };
        for link in own.into_iter().chain(links).filter(|l| map.info(*l).is_some()) {
            bounded(&mut self.links, link);
        }
        if let About::Host(host) = &self.about {
            bounded(&mut self.hosts, *host);
        }
        hosts.into_iter().for_each(|h| bounded(&mut self.hosts, h));
        qps.into_iter().for_each(|q| bounded(&mut self.qps, q));
    }

    /// A number that added over its life.
    pub fn sum(&self, name: &str) -> f64 {
        self.sums.get(name).copied().unwrap_or(0.0)
    }

    /// The largest of a number.
    pub fn peak(&self, name: &str) -> f64 {
        self.peaks.get(name).copied().unwrap_or(0.0)
    }

    /// The smallest of a number.
    pub fn low(&self, name: &str) -> f64 {
        self.lows.get(name).copied().unwrap_or(0.0)
    }

    /// The word that the worst symptom gave.
    pub fn note(&self) -> &str {
        self.note.as_deref().unwrap_or("")
    }

    /// From first to last cause, for people.
    pub fn lasting(&self) -> String {
        super::window::duration(self.last_ns.saturating_sub(self.since_ns))
    }

    /// A job's finding names the host that it waits for, too.
    fn subject(&self, map: &Map) -> Subject {
        let subject = self.about.subject(map, self.carrier);
        Subject { host: subject.host.clone().or_else(|| self.culprit.map(|h| h.to_string())), ..subject }
    }

    /// As the report has it. `ended`: whether the cause is over.
    pub fn finding(&self, kind: &Kind, map: &Map, ended: bool, blind: Option<String>) -> Finding {
        let all = self.sums.iter().chain(&self.peaks).chain(&self.lows);
        let numbers = all.map(|(name, &value)| ((*name).to_owned(), value)).collect();
        let mut involved: Vec<String> = self.involved.iter().cloned().collect();
        if self.involved_more > 0 {
            involved.truncate(MAX_INVOLVED - 1);
            involved.push("and others".to_owned());
        }
        Finding {
            id: self.id.clone(),
            kind: kind.name.to_owned(),
            severity: self.severity,
            subject: self.subject(map),
            since_ns: self.since_ns,
            until_ns: ended.then_some(self.last_ns),
            value: self.value,
            unit: self.unit.to_owned(),
            threshold: self.threshold,
            cause: self.cause.clone(),
            jobs: Vec::new(),
            explanation: (kind.explain)(self),
            advice: self.advice.unwrap_or(kind.advice).to_owned(),
            evidence: Evidence {
                numbers,
                first_packets: self.packets.clone(),
                involved,
                caveats: self.caveats.iter().cloned().chain(blind).collect(),
            },
        }
    }
}

fn bounded<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    if set.len() < MAX_RELATED {
        set.insert(item);
    }
}
