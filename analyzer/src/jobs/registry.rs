//! What is remembered of jobs: their identity over time, their steps, what was lost in each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::cluster::{Group, Track};
use super::lanes::Lanes;
use super::shape::{self, Kind, Shape};
use super::slow::{self, Blame};
use super::steps::{self, Step};
use crate::packet::Addr;
use crate::tick::QpKey;

/// A job is over when it has been silent for so many of its periods.
const SILENT_PERIODS: u64 = 10;
/// A job with fewer steps that is not found again though its hosts went on was none.
const PROVEN_STEPS: usize = 10;

/// Names of withdrawn and absorbed jobs that are remembered, so that they come back under them.
const NAMES_KEPT: usize = 256;

/// A job has at least one exchange that is recognised with this confidence.
const LEAST_CONFIDENCE: f32 = 0.5;

/// Why a step took longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The message itself took long: its path, its NIC.
    SlowMessage,
    /// The message began late: computing, data loading, the host.
    LateStart,
}

impl Cause {
    /// Name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlowMessage => "slow_message",
            Self::LateStart => "late_start",
        }
    }
}

/// One step, as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// First message.
    pub start_ns: u64,
    /// Last message over.
    pub end_ns: u64,
    /// Time with a message under way.
    pub communication_ns: u64,
    /// Longest stretch with no message under way, from and to.
    pub silent: (u64, u64),
    /// Every lane's part of it was seen whole.
    pub whole: bool,
    /// Who held the others up, why, and for how long.
    pub blame: Option<Blame>,
}

/// An exchange of the job, as the report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// What.
    pub kind: Kind,
    /// Who, in order where there is one.
    pub hosts: Vec<Addr>,
    /// Buffer as nccl-tests counts it, in bytes.
    pub bytes: u64,
    /// Bus bandwidth as nccl-tests defines it.
    pub busbw_bps: u64,
    /// Ranks that the number of rounds speaks for.
    pub ranks: Option<usize>,
    /// Seen whole.
    pub closed: bool,
    /// 0..1.
    pub confidence: f32,
    /// How it was recognised.
    pub reason: String,
    /// Queue-pair directions that carry it.
    pub lanes: BTreeSet<QpKey>,
}

/// One job.
#[derive(Clone, Debug)]
pub struct JobState {
    /// Stable identifier.
    pub id: String,
    /// Members seen.
    pub hosts: BTreeSet<Addr>,
    /// Queue-pair directions.
    pub lanes: BTreeSet<QpKey>,
    /// Exchanges.
    pub exchanges: Vec<Exchange>,
    /// Steps kept, oldest first.
    pub steps: VecDeque<StepRecord>,
    /// Steps forgotten.
    pub steps_forgotten: u64,
    /// Median time from step to step, ns.
    pub period_ns: u64,
    /// Last message.
    pub last_ns: u64,
    /// 0..1.
    pub confidence: f32,
    /// Messages were seen after the last whole step.
    pub in_step: bool,
    /// Silent for long.
    pub ended: bool,
}

/// A job as one look found it.
pub(super) struct Found {
    pub hosts: BTreeSet<Addr>,
    pub lanes: BTreeSet<QpKey>,
    pub exchanges: Vec<Exchange>,
    pub steps: Vec<StepRecord>,
    pub confidence: f32,
}

impl Found {
    /// From lanes that keep time.
    pub fn from_group(group: &Group) -> Option<Self> {
        let steps = steps::steps(group);
        if steps.len() < super::cadence::MIN_STEPS {
            return None;
        }
        let layers = layers(group);
        let exchanges: Vec<Exchange> = layers.iter().map(|l| exchange(l, shape::recognise(l))).collect();
        let told = |e: &Exchange| e.kind != Kind::Unknown && e.confidence >= LEAST_CONFIDENCE;
        if exchanges.iter().any(told) { Self::of(group, exchanges, &steps) } else { None }
    }

    /// From exchanges that are known already.
    pub fn of(group: &Group, exchanges: Vec<Exchange>, steps: &[Step]) -> Option<Self> {
        let confidence = exchanges.iter().map(|e| e.confidence).fold(0.0, f32::max);
        let blames = slow::blames(group, &exchanges, steps);
        let records = steps.iter().zip(blames).map(|(s, blame)| StepRecord {
            start_ns: s.start_ns,
            end_ns: s.end_ns,
            communication_ns: s.communication_ns,
            silent: s.silent,
            whole: s.beats.iter().all(|b| b.is_some_and(|b| b.complete)),
            blame,
        });
        Some(Self {
            hosts: group.hosts(),
            lanes: group.tracks.iter().map(|t| t.key).collect(),
            steps: records.collect(),
            exchanges,
            confidence,
        })
    }

    fn period_ns(&self) -> u64 {
        let mut strides: Vec<u64> =
            self.steps.windows(2).map(|w| w[1].start_ns.saturating_sub(w[0].start_ns)).collect();
        super::cadence::quantile(&mut strides, 0.5).unwrap_or(0)
    }
}

/// Lanes that carry the same messages; rings that close by themselves are exchanges of their own.
fn layers(group: &Group) -> Vec<Vec<&Track>> {
    let mut layers: Vec<Vec<&Track>> = Vec::new();
    for track in &group.tracks {
        let same = |t: &&Track| t.per_step == track.per_step && t.bytes.abs_diff(track.bytes) <= t.bytes / 50;
        match layers.iter_mut().find(|l| l.first().is_some_and(same)) {
            Some(layer) => layer.push(track),
            None => layers.push(vec![track]),
        }
    }
    layers.into_iter().flat_map(rings_apart).collect()
}

fn rings_apart(layer: Vec<&Track>) -> Vec<Vec<&Track>> {
    let mut parts: Vec<(BTreeSet<Addr>, Vec<&Track>)> = Vec::new();
    for &track in &layer {
        let ends = [track.key.src, track.key.dst];
        let (touching, apart): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(h, _)| ends.iter().any(|e| h.contains(e)));
        let mut whole = (BTreeSet::from(ends), vec![track]);
        for (hosts, tracks) in touching {
            whole.0.extend(hosts);
            whole.1.extend(tracks);
        }
        parts = apart;
        parts.push(whole);
    }
    let closed =
        |tracks: &Vec<&Track>| super::ring::closed(&tracks.iter().map(|t| (t.key.src, t.key.dst)).collect()).is_some();
    if parts.len() > 1 && parts.iter().all(|(_, tracks)| closed(tracks)) {
        return parts.into_iter().map(|(_, tracks)| tracks).collect();
    }
    vec![layer]
}

/// Size and bus bandwidth as nccl-tests counts them: what a rank sends in a step, over the time that the step takes.
pub(super) fn exchange(tracks: &[&Track], shape: Shape) -> Exchange {
    let mut sent: BTreeMap<Addr, u64> = BTreeMap::new();
    let mut each: Vec<u64> = Vec::new();
    for track in tracks {
        let bytes = track.bytes * track.per_step as u64;
        *sent.entry(track.key.src).or_default() += bytes;
        each.push(bytes);
    }
    let most = sent.values().copied().max().unwrap_or(0);
    let edge = super::cadence::quantile(&mut each, 0.5).unwrap_or(0);
    let n = shape.ranks.unwrap_or(shape.hosts.len()).max(2) as u64;
    let (bytes, on_bus) = match shape.kind {
        Kind::RingAllreduce => (most * n / (2 * (n - 1)), most),
        Kind::AllGather | Kind::ReduceScatter | Kind::AllToAll => (most * n / (n - 1), most),
        Kind::TreeAllreduce => (edge, edge * 2 * (n - 1) / n),
        _ => (edge, edge),
    };
    let time_ns = shape::duration_ns(tracks).unwrap_or(0).max(1);
    Exchange {
        kind: shape.kind,
        hosts: shape.hosts,
        bytes,
        busbw_bps: (u128::from(on_bus) * 8_000_000_000 / u128::from(time_ns)).min(u128::from(u64::MAX)) as u64,
        ranks: shape.ranks,
        closed: shape.closed,
        confidence: shape.confidence,
        reason: shape.reason,
        lanes: tracks.iter().map(|t| t.key).collect(),
    }
}

/// All jobs.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub jobs: Vec<JobState>,
    pub forgotten: u64,
    /// Names under which a job was known before it was seen to be part of another, and that other's.
    pub renamed: BTreeMap<String, String>,
    /// Names of jobs that were withdrawn, and their lanes: found again, they are the same.
    withdrawn: VecDeque<(String, BTreeSet<QpKey>)>,
    max_jobs: usize,
    max_steps: usize,
    named: u64,
}

impl Registry {
    pub fn new(max_jobs: usize, max_steps: usize) -> Self {
        Self { max_jobs, max_steps, ..Self::default() }
    }

    /// Brings what one look found together with what is known.
    /// `None`: no message since the last look.
    pub fn update(&mut self, found: Option<Vec<Found>>, lanes: &Lanes, now_ns: u64) {
        if let Some(found) = found {
            self.take(found, lanes);
        }
        for job in &mut self.jobs {
            job.follow(lanes, now_ns);
        }
        while self.jobs.len() > self.max_jobs {
            let oldest = self.jobs.iter().enumerate().min_by_key(|(_, j)| (j.last_ns, j.id.clone())).map(|(i, _)| i);
            if let Some(i) = oldest {
                self.jobs.remove(i);
            }
            self.forgotten += 1;
        }
    }

    fn take(&mut self, mut found: Vec<Found>, lanes: &Lanes) {
        found.sort_by_key(|f| (f.steps.first().map_or(0, |s| s.start_ns), f.lanes.first().copied()));
        let mut again: BTreeSet<String> = BTreeSet::new();
        for one in found {
            let id = self.merge(one, &again);
            again.insert(id);
        }
        let stays = |job: &JobState| again.contains(&job.id) || job.steps.len() >= PROVEN_STEPS || !went_on(job, lanes);
        let (stay, go): (Vec<JobState>, Vec<JobState>) = std::mem::take(&mut self.jobs).into_iter().partition(stays);
        self.jobs = stay;
        self.withdrawn.extend(go.into_iter().map(|job| (job.id, job.lanes)));
        while self.withdrawn.len() > NAMES_KEPT {
            self.withdrawn.pop_front();
        }
    }

    /// The job that a find belongs to: by common lanes, or by the same hosts after an end (a restart). Of several that turn out
    /// to be one, the oldest gives the name.
    fn merge(&mut self, one: Found, again: &BTreeSet<String>) -> String {
        let common = |job: &JobState| job.lanes.intersection(&one.lanes).count();
        let restart =
            |job: &JobState| job.hosts == one.hosts && one.steps.first().is_some_and(|s| s.start_ns >= job.last_ns);
        let free = |job: &JobState| !again.contains(&job.id);
        let best = self.jobs.iter().enumerate().filter(|(_, j)| free(j) && (common(j) > 0 || restart(j)));
        let best = best.max_by_key(|(i, j)| (common(j), std::cmp::Reverse(*i))).map(|(_, j)| j.id.clone());
        let also = self.jobs.iter().filter(|j| Some(&j.id) != best.as_ref() && free(j) && common(j) > 0);
        let absorbed: Vec<String> = also.map(|j| j.id.clone()).collect();
        let mut job = match best.and_then(|id| self.jobs.iter().position(|j| j.id == id)) {
            Some(at) => self.jobs.remove(at),
            None => JobState::new(self.name(&one.lanes)),
        };
        self.jobs.retain(|j| !absorbed.contains(&j.id));
        for other in absorbed {
            let younger = if age(&other) < age(&job.id) { std::mem::replace(&mut job.id, other) } else { other };
            self.rename(younger, job.id.clone());
        }
        job.refresh(one, self.max_steps);
        let id = job.id.clone();
        let at = self.jobs.partition_point(|j| age(&j.id) < age(&id));
        self.jobs.insert(at, job);
        id
    }

    /// The name of a job withdrawn before that had one of these lanes, else a new one.
    fn name(&mut self, lanes: &BTreeSet<QpKey>) -> String {
        let before = self.withdrawn.iter().position(|(_, theirs)| !theirs.is_disjoint(lanes));
        before.and_then(|at| self.withdrawn.remove(at)).map_or_else(
            || {
                self.named += 1;
                format!("job-{}", self.named)
            },
            |(id, _)| id,
        )
    }

    fn rename(&mut self, from: String, to: String) {
        self.renamed.values_mut().filter(|now| **now == from).for_each(|now| now.clone_from(&to));
        self.renamed.insert(from, to);
        while self.renamed.len() > NAMES_KEPT {
            self.renamed.pop_first();
        }
    }
}

/// Orders `job-9` before `job-10`.
fn age(id: &str) -> (usize, &str) {
    (id.len(), id)
}

/// Its lanes carried more messages after its last step than a step has: it should have been found again.
fn went_on(job: &JobState, lanes: &Lanes) -> bool {
    let last = job.steps.back().map_or(0, |s| s.end_ns);
    job.lanes.iter().filter_map(|k| lanes.get(k)).any(|l| l.last_ns > last.saturating_add(job.period_ns * 3))
}

impl JobState {
    /// Steps about which the next look will not think otherwise: all but a last one that may still go on.
    pub fn settled(&self, now_ns: u64) -> impl Iterator<Item = &StepRecord> {
        let over = |s: &&StepRecord| s.whole || now_ns > s.end_ns.saturating_add(self.period_ns / 2);
        let open = self.steps.back().is_some_and(|s| !over(&s));
        let sure = self.steps.len() - usize::from(open);
        self.steps.iter().take(sure)
    }

    fn new(id: String) -> Self {
        Self {
            id,
            hosts: BTreeSet::new(),
            lanes: BTreeSet::new(),
            exchanges: Vec::new(),
            steps: VecDeque::new(),
            steps_forgotten: 0,
            period_ns: 0,
            last_ns: 0,
            confidence: 0.0,
            in_step: false,
            ended: false,
        }
    }

    /// What is new of its lanes, found again or not.
    fn follow(&mut self, lanes: &Lanes, now_ns: u64) {
        let mine = || self.lanes.iter().filter_map(|k| lanes.get(k));
        let newest = mine().map(|l| l.last_ns).max().unwrap_or(0);
        let data = mine().filter_map(|l| l.messages.back()).map(|m| m.end_ns).max().unwrap_or(0);
        self.last_ns = self.last_ns.max(newest);
        self.in_step = self.steps.back().is_some_and(|s| data > s.end_ns);
        self.ended = now_ns.saturating_sub(self.last_ns) > self.period_ns.saturating_mul(SILENT_PERIODS);
    }

    fn refresh(&mut self, one: Found, max_steps: usize) {
        self.period_ns = one.period_ns();
        let from = one.steps.first().map_or(u64::MAX, |s| s.start_ns.saturating_sub(self.period_ns / 4));
        while self.steps.back().is_some_and(|s| s.start_ns >= from) {
            self.steps.pop_back();
        }
        self.steps.extend(one.steps);
        while self.steps.len() > max_steps {
            self.steps.pop_front();
            self.steps_forgotten += 1;
        }
        self.hosts = one.hosts;
        self.lanes = one.lanes;
        self.exchanges = one.exchanges;
        self.confidence = one.confidence;
    }
}
