//! Findings: open ones by kind and subject, closed ones bounded.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::Finding;

use super::causes;
use super::engine::Blind;
use super::symptom::Symptom;
use super::{About, Case, KINDS, Map};

/// Index into [`KINDS`].
pub type KindId = usize;

/// All findings.
#[derive(Debug, Default)]
pub struct Ledger {
    open: BTreeMap<(KindId, About), Case>,
    closed: Vec<Finding>,
    recent: Vec<(KindId, Case)>,
    max_open: usize,
    max_closed: usize,
    /// Symptoms without a place among the open ones.
    pub refused: u64,
    /// Closed findings that made room.
    pub forgotten: u64,
}

/// Closed cases kept whole for a while, so that what follows from them can name them.
const RECENT: usize = 256;

impl Ledger {
    /// With its bounds.
    pub fn new(max_open: usize, max_closed: usize) -> Self {
        Self { max_open, max_closed, ..Self::default() }
    }

    /// Takes a symptom: opens a finding, or adds to the open one unless that has been without cause for longer than `hold_ns`.
    pub fn take(&mut self, kind: KindId, symptom: Symptom, hold_ns: u64, map: &Map) -> Option<(KindId, About)> {
        let key = (kind, symptom.about.clone());
        if let Some(case) = self.open.get_mut(&key) {
            if symptom.since_ns <= case.last_ns.saturating_add(hold_ns) {
                case.add(symptom, map);
                return Some(key);
            }
            self.close(&key);
        }
        if self.open.len() >= self.max_open {
            self.refused += 1;
            return None;
        }
        let about = KINDS.get(kind)?;
        self.open.insert(key.clone(), Case::open(about, symptom, map));
        Some(key)
    }

    /// The finding that a symptom would open, unless it belongs to one that is open already.
    pub fn early(&self, kind: KindId, symptom: Symptom, hold_ns: u64, map: &Map, blind: &Blind) -> Option<Finding> {
        let open = self.open.get(&(kind, symptom.about.clone()));
        if open.is_some_and(|case| symptom.since_ns <= case.last_ns.saturating_add(hold_ns)) {
            return None;
        }
        render(kind, &Case::open(KINDS.get(kind)?, symptom, map), map, false, blind)
    }

    /// Keys of what has been without cause for longer than its kind's hold.
    pub fn ended(&self, now_ns: u64, hold_ns: impl Fn(KindId) -> u64) -> Vec<(KindId, About)> {
        let over = |kind: KindId, case: &Case| now_ns > case.last_ns.saturating_add(hold_ns(kind));
        self.open.iter().filter(|((kind, _), case)| over(*kind, case)).map(|(key, _)| key.clone()).collect()
    }

    /// Moves a case to the closed ones, to be rendered by [`Self::settle`].
    pub fn close(&mut self, key: &(KindId, About)) {
        if let Some(case) = self.open.remove(key) {
            self.recent.push((key.0, case));
        }
    }

    /// Joins causes; renders what closed. Gives the closed findings of this tick.
    pub fn settle(
        &mut self,
        map: &Map,
        blind: &Blind,
        changed: &BTreeSet<(KindId, About)>,
        already: &mut usize,
    ) -> Vec<Finding> {
        causes::join(&mut self.open, &mut self.recent, changed, map);
        let fresh = self.recent.get(*already..).unwrap_or_default();
        let done: Vec<Finding> =
            fresh.iter().filter_map(|(kind, case)| render(*kind, case, map, true, blind)).collect();
        self.closed.extend(done.iter().cloned());
        if self.recent.len() > RECENT {
            let excess = self.recent.len() - RECENT;
            self.recent.drain(..excess);
        }
        *already = self.recent.len();
        self.make_room();
        done
    }

    fn make_room(&mut self) {
        if self.closed.len() <= self.max_closed {
            return;
        }
        // An eighth at once, so that the sort is paid rarely.
        let excess = self.closed.len() - (self.max_closed - self.max_closed / 8);
        self.closed.sort_by(|a, b| (a.severity, a.until_ns, &a.id).cmp(&(b.severity, b.until_ns, &b.id)));
        self.closed.drain(..excess);
        self.forgotten += excess as u64;
    }

    /// One open finding.
    pub fn render_open(&self, key: &(KindId, About), map: &Map, blind: &Blind) -> Option<Finding> {
        render(key.0, self.open.get(key)?, map, false, blind)
    }

    /// Every finding and those seen early, worst first.
    pub fn all(&self, early: &[Finding], map: &Map, blind: &Blind) -> Vec<Finding> {
        let open = self.open.iter().filter_map(|((kind, _), case)| render(*kind, case, map, false, blind));
        let mut all: Vec<Finding> = self.closed.iter().chain(early).cloned().chain(open).collect();
        all.sort_by(|a, b| {
            let rank = |f: &Finding| (std::cmp::Reverse(f.severity), f.cause.is_some(), f.since_ns);
            (rank(a), &a.kind, &a.id).cmp(&(rank(b), &b.kind, &b.id))
        });
        all
    }
}

fn render(kind: KindId, case: &Case, map: &Map, ended: bool, blind: &Blind) -> Option<Finding> {
    let caveat =
        blind.caveat(case.since_ns, case.last_ns).filter(|_| KINDS.get(kind).is_some_and(|k| k.name != "mirror_loss"));
    Some(case.finding(KINDS.get(kind)?, map, ended, caveat))
}
