//! The store of a sensor without a database: the newest facts, bounded, oldest dropped and counted.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use analyzer::packet::MirrorKey;
use analyzer::report::{Finding, Flow, Job, Qp};
use analyzer::tick::{LinkInfo, LinkTick};

use crate::memory_sums;
use crate::rows::{MAX_ROWS, job_touches, overlaps, page, span_of};
use crate::sums::{self, Axis, Beside};
use crate::{Answer, Extent, Facts, LinkRow, Page, Query, Series, Store, StoreError, Window};

/// Findings kept; the longest ago begun are dropped beyond it.
const MAX_FINDINGS: usize = 100_000;

/// Jobs kept; those that ended longest ago are dropped beyond it.
const MAX_JOBS: usize = 10_000;

/// A sensor and a run of it.
type Run = (Arc<str>, Arc<str>);
/// A finding's start, run and id.
type FindingKey = (u64, Run, String);

/// Keeps the newest facts in memory.
pub struct Memory {
    max_rows: usize,
    held: RwLock<Held>,
}

#[derive(Default)]
struct Held {
    facts: VecDeque<Facts>,
    have: HashSet<(Run, u64)>,
    /// Per run, how far its ticks were dropped: those at or below it do not come back when written again.
    dropped_to: HashMap<Run, u64>,
    rows: usize,
    dropped_rows: u64,
    findings: BTreeMap<FindingKey, (u64, Finding)>,
    dropped_findings: u64,
    /// By run and name, the tick that told it last.
    jobs: BTreeMap<(Run, String), (u64, Job)>,
    dropped_jobs: u64,
}

/// Rows of one tick.
pub(crate) fn rows_of(facts: &Facts) -> usize {
    let tick = &facts.tick;
    1 + tick.links.len() + tick.flows.len() + tick.qps.len() + tick.messages.len()
}

fn run_of(facts: &Facts) -> Run {
    (facts.sensor.clone(), facts.run.clone())
}

fn order_of(facts: &Facts) -> (u64, u64, &str, &str) {
    (facts.tick.start_ns, facts.sequence, &facts.sensor, &facts.run)
}

/// The link's entry in the table of its own run.
pub(crate) fn info_of(facts: &Facts, link: u32) -> Option<&LinkInfo> {
    facts.links.get(link as usize)
}

pub(crate) fn link_id(facts: &Facts, link: u32) -> &str {
    info_of(facts, link).map_or("", |info| info.id.as_str())
}

impl Memory {
    /// Room for `max_rows` rows (a tick, or a link, flow, queue pair or message in a tick).
    pub fn new(max_rows: usize) -> Self {
        Self { max_rows, held: RwLock::default() }
    }

    /// Rows dropped for room so far.
    pub fn dropped_rows(&self) -> u64 {
        self.read().dropped_rows
    }

    /// Findings dropped for room so far.
    pub fn dropped_findings(&self) -> u64 {
        self.read().dropped_findings
    }

    /// Jobs dropped for room so far.
    pub fn dropped_jobs(&self) -> u64 {
        self.read().dropped_jobs
    }

    // A panic elsewhere while the lock was held leaves whole entries behind: the data stays usable.
    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Facts whose tick touches the window; cheap, they are shared.
    fn within(&self, window: Window) -> Vec<Facts> {
        let held = self.read();
        let touching = held.facts.iter().filter(|f| overlaps(window, f.tick.start_ns, f.tick.end_ns));
        let mut facts: Vec<Facts> = touching.cloned().collect();
        // The order in which every store adds them up: what is named later replaces what was named before.
        facts.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
        facts
    }

    /// Mirrors that let PFC through: one frame on any of their links proves it.
    fn pfc_seen(&self) -> HashSet<(String, MirrorKey)> {
        let held = self.read();
        let mut seen = HashSet::new();
        for facts in &held.facts {
            let frames = facts.tick.links.iter().filter(|l| l.pfc_frames > 0);
            seen.extend(frames.filter_map(|l| info_of(facts, l.link)).map(|info| (info.tap.clone(), info.mirror)));
        }
        seen
    }

    fn link_rows(&self, window: Window, steps: u32) -> Vec<LinkRow> {
        let facts = self.within(window);
        let axis = axis_of(&facts, window, steps);
        let pfc_seen = self.pfc_seen();
        let flows = flows_of(&facts);
        let mut links: BTreeMap<&str, (&LinkInfo, LinkTick, Vec<Option<LinkTick>>)> = BTreeMap::new();
        for f in &facts {
            for info in f.links.iter() {
                links.entry(&info.id).or_insert_with(|| (info, LinkTick::default(), axis.empty())).0 = info;
            }
            for tick in &f.tick.links {
                if let Some((_, sum, strip)) = links.get_mut(link_id(f, tick.link)) {
                    sums::add(sum, tick);
                    add_step(strip, &axis, f.tick.start_ns, tick);
                }
            }
        }
        let row = |(id, (info, sum, strip)): (&str, (&LinkInfo, LinkTick, Vec<Option<LinkTick>>))| LinkRow {
            link: sums::link(
                sums::identity(info),
                &sum,
                Beside {
                    pfc_seen: pfc_seen.contains(&(info.tap.clone(), info.mirror)),
                    flows: flows.get(id).copied().unwrap_or_default(),
                },
            ),
            bps: sums::bps(&axis, &strip),
            max_bps_100us: sums::max_bps_100us(&strip),
            ce_share: sums::ce_share(&strip),
        };
        links.into_iter().map(row).collect()
    }

    fn link_series(&self, link: &str, window: Window, steps: u32) -> Option<Series> {
        let seen = self.pfc_seen();
        let pauses_known = {
            let held = self.read();
            let same = held.facts.iter().flat_map(|f| f.links.iter()).filter(|info| info.id == link);
            same.map(|info| info.speed_bps.is_some() && seen.contains(&(info.tap.clone(), info.mirror))).max()?
        };
        let facts = self.within(window);
        let axis = axis_of(&facts, window, steps);
        let mut strip = axis.empty();
        for f in &facts {
            for tick in f.tick.links.iter().filter(|l| link_id(f, l.link) == link) {
                add_step(&mut strip, &axis, f.tick.start_ns, tick);
            }
        }
        Some(sums::series(&axis, &strip, pauses_known))
    }

    fn touching(&self, window: Window) -> Vec<Finding> {
        let held = self.read();
        let touches = |f: &Finding| f.since_ns < window.to_ns && f.until_ns.is_none_or(|until| until >= window.from_ns);
        held.findings.values().map(|(_, f)| f).filter(|f| touches(f)).cloned().collect()
    }

    fn jobs_in(&self, window: Window) -> Vec<Job> {
        let held = self.read();
        let touching = held.jobs.iter().filter(|(_, (_, job))| job_touches(job, window));
        let mut jobs: Vec<_> = touching.map(|(key, (_, job))| (span_of(job).1, key, job)).collect();
        jobs.sort_unstable_by_key(|&(last, key, _)| (last, key));
        let older = jobs.len().saturating_sub(MAX_ROWS as usize);
        jobs.into_iter().skip(older).map(|(_, _, job)| job.clone()).collect()
    }

    fn extent_of(&self) -> Extent {
        let held = self.read();
        let mut sensors: Vec<String> = held.facts.iter().map(|f| f.sensor.to_string()).collect();
        sensors.sort_unstable();
        sensors.dedup();
        Extent {
            first_ns: held.facts.iter().map(|f| f.tick.start_ns).min(),
            last_ns: held.facts.iter().map(|f| f.tick.end_ns).max(),
            sensors,
        }
    }
}

/// First start and last end of each run, cut to the window.
fn looked(facts: &[Facts], window: Window) -> Vec<Window> {
    let mut runs: BTreeMap<Run, Window> = BTreeMap::new();
    for f in facts {
        let (from_ns, to_ns) = (f.tick.start_ns.max(window.from_ns), f.tick.end_ns.min(window.to_ns));
        let run = runs.entry(run_of(f)).or_insert(Window { from_ns, to_ns });
        *run = Window { from_ns: run.from_ns.min(from_ns), to_ns: run.to_ns.max(to_ns) };
    }
    let mut looked: Vec<Window> = runs.into_values().collect();
    looked.sort_unstable_by_key(|run| (run.from_ns, run.to_ns));
    looked
}

fn add_step(strip: &mut [Option<LinkTick>], axis: &Axis, start_ns: u64, tick: &LinkTick) {
    if let Some(step) = strip.get_mut(axis.step_of(start_ns)) {
        sums::add(step.get_or_insert_default(), tick);
    }
}

fn axis_of(facts: &[Facts], window: Window, steps: u32) -> Axis {
    let lengths =
        || facts.iter().map(|f| (f.tick.end_ns.saturating_sub(f.tick.start_ns), u64::from(f.tick.widened) + 1));
    let tick_ns = lengths().map(|(length, ticks)| length / ticks).min().unwrap_or(1);
    Axis::new(window, steps, tick_ns, lengths().map(|(length, _)| length).max().unwrap_or(0))
}

/// Flows per link id.
fn flows_of(facts: &[Facts]) -> HashMap<&str, u64> {
    let mut flows: HashMap<&str, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for f in facts {
        for flow in &f.tick.flows {
            let id = link_id(f, flow.link.0);
            if seen.insert((id, flow.key)) {
                *flows.entry(id).or_default() += 1;
            }
        }
    }
    flows
}

impl Held {
    fn insert(&mut self, facts: &Facts) {
        self.keep_findings(facts);
        self.keep_jobs(facts);
        let run = run_of(facts);
        let dropped = self.dropped_to.get(&run).is_some_and(|&to| facts.sequence <= to);
        if !dropped && self.have.insert((run, facts.sequence)) {
            self.rows += rows_of(facts);
            self.facts.push_back(facts.clone());
        }
    }

    fn keep_findings(&mut self, facts: &Facts) {
        for finding in facts.findings.iter() {
            let key = (finding.since_ns, run_of(facts), finding.id.clone());
            let held = self.findings.entry(key).or_insert_with(|| (facts.sequence, finding.clone()));
            if held.0 <= facts.sequence {
                *held = (facts.sequence, finding.clone());
            }
        }
        while self.findings.len() > MAX_FINDINGS {
            self.findings.pop_first();
            self.dropped_findings += 1;
        }
    }

    fn keep_jobs(&mut self, facts: &Facts) {
        for job in facts.jobs.iter() {
            let key = (run_of(facts), job.id.clone());
            let held = self.jobs.entry(key).or_insert_with(|| (facts.sequence, job.clone()));
            if held.0 <= facts.sequence {
                *held = (facts.sequence, job.clone());
            }
        }
        while self.jobs.len() > MAX_JOBS {
            let oldest =
                self.jobs.iter().min_by_key(|(key, (_, job))| (span_of(job).1, *key)).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.jobs.remove(&key));
            self.dropped_jobs += 1;
        }
    }

    fn make_room(&mut self, max_rows: usize) {
        while self.rows > max_rows
            && let Some(oldest) = self.facts.pop_front()
        {
            self.rows -= rows_of(&oldest);
            self.dropped_rows += rows_of(&oldest) as u64;
            let run = run_of(&oldest);
            let to = self.dropped_to.entry(run.clone()).or_default();
            *to = (*to).max(oldest.sequence);
            self.have.remove(&(run, oldest.sequence));
        }
    }
}

fn ready<'a, T: Send + 'a>(result: Result<T, StoreError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Store for Memory {
    fn describe(&self) -> String {
        format!("memory (newest {} rows, gone when the program ends)", self.max_rows)
    }

    fn write<'a>(&'a self, facts: &'a [Facts]) -> Answer<'a, ()> {
        let mut held = self.lock();
        for f in facts {
            held.insert(f);
            held.make_room(self.max_rows);
        }
        ready(Ok(()))
    }

    fn extent(&self) -> Answer<'_, Extent> {
        ready(Ok(self.extent_of()))
    }

    fn looked(&self, window: Window) -> Answer<'_, Vec<Window>> {
        ready(Ok(looked(&self.within(window), window)))
    }

    fn links(&self, window: Window, steps: u32) -> Answer<'_, Vec<LinkRow>> {
        ready(Ok(self.link_rows(window, steps)))
    }

    fn series<'a>(&'a self, link: &'a str, window: Window, steps: u32) -> Answer<'a, Option<Series>> {
        ready(Ok(self.link_series(link, window, steps)))
    }

    fn flows<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Flow>> {
        ready(page(memory_sums::flows(&self.within(query.window)), query))
    }

    fn qps<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Qp>> {
        ready(page(memory_sums::qps(&self.within(query.window)), query))
    }

    fn findings<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Finding>> {
        ready(page(self.touching(query.window).into_iter(), query))
    }

    fn jobs(&self, window: Window) -> Answer<'_, Vec<Job>> {
        ready(Ok(self.jobs_in(window)))
    }
}
