//! Runs every detector over a tick and keeps the ledger.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use crate::jobs::JobState;
use crate::packet::Addr;
use crate::report::Finding;
use crate::slot::LinkSlot;
use crate::tick::{FlowTick, LinkId, LinkTick, Look, QpTick, Tick};

use super::ledger::{KindId, Ledger};
use super::near::Near;
use super::symptom::Symptom;
use super::{DetectConfig, Detector, KINDS, Map, window};

/// What a detector sees.
pub struct View<'a> {
    /// The tick to judge.
    pub tick: &'a Tick,
    /// Links known, times, neighbours.
    pub map: &'a Map,
    /// What the mirrors lost lately.
    pub blind: &'a Blind,
    /// The tick's queue pairs by where they are.
    near: Near,
}

impl<'a> View<'a> {
    fn new(tick: &'a Tick, map: &'a Map, blind: &'a Blind) -> Self {
        Self { tick, map, blind, near: Near::default() }
    }

    /// What a link did in the tick: links of a tick stand in order.
    pub fn link(&self, link: LinkId) -> Option<&'a LinkTick> {
        let at = self.tick.links.binary_search_by_key(&link.0, |l| l.link).ok()?;
        self.tick.links.get(at)
    }

    /// Queue pairs that a link carries.
    pub fn qps_on(&self, link: LinkId) -> impl Iterator<Item = &QpTick> {
        self.near.on(&self.tick.qps, link)
    }

    /// Queue pairs from one host to another.
    pub fn qps_between(&self, src: Addr, dst: Addr) -> impl Iterator<Item = &QpTick> {
        self.near.between(&self.tick.qps, src, dst)
    }

    /// Queue pairs from a host.
    pub fn qps_from(&self, src: Addr) -> impl Iterator<Item = &QpTick> {
        self.near.from(&self.tick.qps, src)
    }

    /// Queue pairs to a host.
    pub fn qps_to(&self, dst: Addr) -> impl Iterator<Item = &QpTick> {
        self.near.to(&self.tick.qps, dst)
    }

    /// Flows to a host.
    pub fn flows_to(&self, dst: Addr) -> impl Iterator<Item = &FlowTick> {
        self.near.flows_to(&self.tick.flows, dst)
    }

    /// Links of the tick with their slots.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &'a LinkTick, Cow<'a, [LinkSlot]>)> + use<'a> {
        let (start_ns, end_ns) = (self.tick.start_ns, self.tick.end_ns);
        self.tick.links.iter().map(move |l| (LinkId(l.link), l, window::slots(l, start_ns, end_ns)))
    }

    /// Time observed so far, in ns: windows longer than this are judged over it.
    pub fn observed_ns(&self) -> u64 {
        self.map.now_ns().saturating_sub(self.map.start_ns())
    }
}

/// Stretches in which mirrors lost frames.
#[derive(Debug, Default)]
pub struct Blind {
    stretches: VecDeque<(u64, u64, u64)>,
}

/// A loss this near to a finding bears on it, in ns.
const NEAR_NS: u64 = 100_000_000;
/// Stretches remembered.
const MAX_STRETCHES: usize = 4096;

impl Blind {
    fn learn(&mut self, tick: &Tick) {
        for tap in tick.taps.iter().filter(|t| t.lost > 0) {
            let first = if tap.lost_first_ns > 0 { tap.lost_first_ns } else { tick.start_ns };
            self.stretches.push_back((first, tap.lost_last_ns.max(first), tap.lost));
        }
        while self.stretches.len() > MAX_STRETCHES {
            self.stretches.pop_front();
        }
    }

    /// Frames that mirrors lost within a tick of a stretch of time.
    pub fn lost(&self, since_ns: u64, until_ns: u64) -> u64 {
        let (from, to) = (since_ns.saturating_sub(NEAR_NS), until_ns.saturating_add(NEAR_NS));
        self.stretches.iter().filter(|s| s.0 <= to && s.1 >= from).map(|s| s.2).sum()
    }

    /// The same as a sentence, if any.
    pub fn caveat(&self, since_ns: u64, until_ns: u64) -> Option<String> {
        let lost = self.lost(since_ns, until_ns);
        (lost > 0).then(|| format!("the mirror lost {lost} frames around this time: counts may be low"))
    }
}

/// Most findings shown before a tick confirms them.
const EARLY: usize = 256;

struct Running {
    kind: KindId,
    detector: Box<dyn Detector>,
}

/// All detectors, and the findings so far.
pub struct Engine {
    running: Vec<Running>,
    holds_ns: Vec<u64>,
    map: Map,
    blind: Blind,
    ledger: Ledger,
    rendered: usize,
    /// What was seen between two ticks and no tick has shown yet.
    early: Vec<Finding>,
}

impl Engine {
    /// Detectors with their thresholds. Unknown names in the configuration are the caller's to check ([`DetectConfig::check`]).
    pub fn new(config: &DetectConfig) -> Self {
        let on = KINDS.iter().enumerate().filter(|(_, k)| config.is_on(k));
        Self {
            running: on.map(|(kind, k)| Running { kind, detector: (k.make)(&config.knobs(k)) }).collect(),
            holds_ns: KINDS.iter().map(|k| config.knobs(k).ns("hold_ms")).collect(),
            map: Map::default(),
            blind: Blind::default(),
            ledger: Ledger::new(config.max_open, config.max_closed),
            rendered: 0,
            early: Vec::new(),
        }
    }

    /// Judges a tick: the findings that it opened, changed or closed.
    pub fn judge(&mut self, tick: &Tick) -> Vec<Finding> {
        self.map.learn(tick);
        self.blind.learn(tick);
        self.run(tick, false)
    }

    /// Looks between two ticks; says whether there is something that was not there before. It stands among the findings until the
    /// next tick, which confirms it or does not.
    pub fn look(&mut self, look: Look) -> bool {
        self.map.look(look);
        let nothing = Tick::default();
        let view = View::new(&nothing, &self.map, &self.blind);
        let (mut early, mut symptoms): (Vec<Finding>, Vec<Symptom>) = (Vec::new(), Vec::new());
        for running in &self.running {
            running.detector.look(&view, &mut symptoms);
            let hold_ns = self.holds_ns.get(running.kind).copied().unwrap_or(0);
            let finding = |s| self.ledger.early(running.kind, s, hold_ns, &self.map, &self.blind);
            early.extend(symptoms.drain(..).filter_map(finding).take(EARLY - early.len().min(EARLY)));
        }
        self.map.looked();
        let is_new = early.iter().any(|f| !self.early.iter().any(|before| before.id == f.id));
        self.early = early;
        is_new
    }

    fn run(&mut self, tick: &Tick, last: bool) -> Vec<Finding> {
        self.early.clear();
        let view = View::new(tick, &self.map, &self.blind);
        let mut changed = BTreeSet::new();
        let mut symptoms: Vec<Symptom> = Vec::new();
        for running in &mut self.running {
            match last {
                false => running.detector.judge(&view, &mut symptoms),
                true => running.detector.finish(&view, &mut symptoms),
            }
            let hold_ns = self.holds_ns.get(running.kind).copied().unwrap_or(0);
            for symptom in symptoms.drain(..) {
                changed.extend(self.ledger.take(running.kind, symptom, hold_ns, &self.map));
            }
        }
        let now_ns = self.map.now_ns();
        self.settle(now_ns, changed)
    }

    fn settle(&mut self, now_ns: u64, changed: BTreeSet<(KindId, super::About)>) -> Vec<Finding> {
        let holds = &self.holds_ns;
        for key in self.ledger.ended(now_ns, |kind| holds.get(kind).copied().unwrap_or(0)) {
            self.ledger.close(&key);
        }
        let mut all = self.ledger.settle(&self.map, &self.blind, &changed, &mut self.rendered);
        all.extend(changed.iter().filter_map(|key| self.ledger.render_open(key, &self.map, &self.blind)));
        all
    }

    /// Judges the jobs as they are known after a tick: the findings that it opened or changed.
    pub fn judge_jobs(&mut self, jobs: &[JobState]) -> Vec<Finding> {
        let now_ns = self.map.now_ns();
        let mut changed = BTreeSet::new();
        let mut symptoms: Vec<Symptom> = Vec::new();
        for running in &mut self.running {
            running.detector.judge_jobs(jobs, now_ns, &mut symptoms);
            let hold_ns = self.holds_ns.get(running.kind).copied().unwrap_or(0);
            for symptom in symptoms.drain(..) {
                changed.extend(self.ledger.take(running.kind, symptom, hold_ns, &self.map));
            }
        }
        self.settle(now_ns, changed)
    }

    /// Takes what was found elsewhere for a kind: the findings that it opened or changed. Nothing where the kind is off.
    pub fn take(&mut self, kind: &str, symptoms: Vec<Symptom>) -> Vec<Finding> {
        let on = self.running.iter().find(|r| KINDS.get(r.kind).is_some_and(|k| k.name == kind)).map(|r| r.kind);
        let Some(kind) = on.filter(|_| !symptoms.is_empty()) else { return Vec::new() };
        let hold_ns = self.holds_ns.get(kind).copied().unwrap_or(0);
        let mut changed = BTreeSet::new();
        for symptom in symptoms {
            changed.extend(self.ledger.take(kind, symptom, hold_ns, &self.map));
        }
        self.settle(self.map.now_ns(), changed)
    }

    /// No more ticks: closes what has been without cause for its hold; the rest stays open.
    pub fn finish(&mut self) -> Vec<Finding> {
        let now_ns = self.map.now_ns();
        self.run(&Tick { start_ns: now_ns, end_ns: now_ns, ..Tick::default() }, true)
    }

    /// Every finding, worst first.
    pub fn findings(&self) -> Vec<Finding> {
        self.ledger.all(&self.early, &self.map, &self.blind)
    }

    /// Symptoms that found no place, and closed findings that made room.
    pub fn left_out(&self) -> (u64, u64) {
        (self.ledger.refused, self.ledger.forgotten)
    }
}
