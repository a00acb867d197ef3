//! What findings cost jobs: time per step beyond what the job's steps take without them, and each job's lost time by cause.

use std::collections::{BTreeMap, BTreeSet};

use super::totals::Totals;
use crate::jobs::{JobState, StepRecord};
use crate::report::{Finding, JobCost, LostTime};
use crate::tick::{LinkInfo, QpKey, QpTick};

/// Kinds that say what a job suffers, not why.
const OF_JOBS: [&str; 3] = ["job_slowdown", "job_hang", "straggler"];
/// Kinds about our own sight or about habits, which cost no step.
const OF_SIGHT: [&str; 3] = ["mirror_loss", "congestion_control_off", "reordering"];
/// Steps looked at per job and finding; older ones are not.
const STEPS: usize = 512;
/// A step that takes longer by less than this share of the best is scatter (a fiftieth).
const SCATTER: u64 = 50;
/// The best steps: so many of ten are longer.
const BEST: f64 = 0.1;

/// Links that jobs depend on, by job: those that carry their queue pairs, and the access links of their hosts.
#[derive(Debug, Default)]
pub struct JobLinks {
    by_job: BTreeMap<String, BTreeSet<String>>,
    /// Ways back of the jobs' queue pairs: acknowledgements, credits.
    back: BTreeMap<QpKey, String>,
}

impl JobLinks {
    /// As the totals have them.
    pub fn of(totals: &Totals, jobs: &[JobState]) -> Self {
        let mut owner: BTreeMap<QpKey, &str> = BTreeMap::new();
        for job in jobs {
            owner.extend(job.lanes.iter().map(|lane| (*lane, job.id.as_str())));
        }
        let back: BTreeMap<QpKey, String> = ways_back(totals, &owner);
        let mut by_job: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for flow in totals.flows.iter().filter(|_| !owner.is_empty()) {
            let key = &flow.sum.key;
            let Some(dst_qp) = key.dst_qp else { continue };
            let qp = QpKey { src: key.src, dst: key.dst, dst_qp };
            let Some(job) = owner.get(&qp).copied().or_else(|| back.get(&qp).map(String::as_str)) else { continue };
            let ids = flow.links().filter_map(|l| Some(totals.info(l)?.id.clone()));
            by_job.entry(job.to_owned()).or_default().extend(ids);
        }
        for job in jobs {
            let near = |info: &&LinkInfo| info.host.is_some_and(|h| job.hosts.contains(&h));
            let ids = totals.infos.iter().filter(near).map(|info| info.id.clone());
            by_job.entry(job.id.clone()).or_default().extend(ids);
        }
        Self { by_job, back }
    }

    /// Jobs that depend on a link.
    pub fn on(&self, link: &str) -> Vec<String> {
        self.by_job.iter().filter(|(_, links)| links.contains(link)).map(|(job, _)| job.clone()).collect()
    }

    fn touches(&self, finding: &Finding, job: &JobState) -> bool {
        let subject = &finding.subject;
        if let Some(id) = &subject.job {
            return id == &job.id;
        }
        if let Some(qp) = &subject.qp {
            let lane = |k: &QpKey| k.dst_qp == qp.dst_qp && k.src.to_string() == qp.src && k.dst.to_string() == qp.dst;
            let back = || self.back.iter().any(|(k, id)| *id == job.id && lane(k));
            return job.lanes.iter().any(lane) || back();
        }
        if let Some(link) = &subject.link {
            return self.by_job.get(&job.id).is_some_and(|links| links.contains(link));
        }
        subject.host.as_ref().is_some_and(|host| job.hosts.iter().any(|h| &h.to_string() == host))
    }

    /// Tells findings which jobs they touch, and what they cost each per step: 0 where no cost was measured.
    pub fn charge(&self, findings: &mut [Finding], jobs: &[JobState]) {
        let told: Vec<(&JobState, Vec<Stride<'_>>)> = jobs.iter().map(|j| (j, strides(j))).collect();
        for finding in findings.iter_mut().filter(|f| !OF_SIGHT.contains(&f.kind.as_str())) {
            let touched = told.iter().filter(|(job, _)| self.touches(finding, job));
            let cost = |(job, strides): &(&JobState, Vec<Stride<'_>>)| {
                let cost_ns_per_step = cost(finding, strides).unwrap_or(0);
                JobCost { job: job.id.clone(), cost_ns_per_step }
            };
            finding.jobs = touched.map(cost).collect();
            finding.jobs.sort_by_key(|j| std::cmp::Reverse(j.cost_ns_per_step));
        }
    }

    /// A job's time lost beyond its best steps, by cause, the largest first: the root of the findings that touch it at that
    /// time, else the rank that held the step up, else unexplained.
    pub fn ledger(&self, job: &JobState, findings: &[Finding]) -> Vec<LostTime> {
        let strides = strides(job);
        let Some(best_ns) = best(&strides) else { return Vec::new() };
        let near: Vec<&Finding> = findings.iter().filter(|f| self.touches(f, job)).collect();
        let mut lost: BTreeMap<(String, Option<String>), (u64, u64)> = BTreeMap::new();
        for stride in strides.iter().filter(|s| s.took_ns > best_ns + best_ns / SCATTER) {
            let entry = lost.entry(why(stride, &near)).or_default();
            entry.0 += stride.took_ns - best_ns;
            entry.1 += 1;
        }
        let whole: u64 = strides.iter().map(|s| s.took_ns).sum();
        let row = |((cause, finding), (lost_ns, steps))| {
            let share = lost_ns as f64 / whole.max(1) as f64;
            LostTime { cause, finding, lost_ns, steps, share }
        };
        let mut rows: Vec<LostTime> = lost.into_iter().map(row).collect();
        rows.sort_by(|a, b| (b.lost_ns, &a.cause, &a.finding).cmp(&(a.lost_ns, &b.cause, &b.finding)));
        rows
    }
}

/// The way back of each queue pair of a job, where the two directions are known to belong together.
fn ways_back(totals: &Totals, owner: &BTreeMap<QpKey, &str>) -> BTreeMap<QpKey, String> {
    let back = |(key, qp): (&QpKey, &QpTick)| {
        let ahead = QpKey { src: key.dst, dst: key.src, dst_qp: qp.src_qp? };
        owner.get(&ahead).filter(|_| !owner.contains_key(key)).map(|job| (*key, (*job).to_owned()))
    };
    totals.qps.iter().filter(|_| !owner.is_empty()).filter_map(back).collect()
}

/// Worst first; of equally bad ones the root before what follows from it, then what costs a job most, then the earliest.
pub fn dearest_first(findings: &mut [Finding]) {
    let cost = |f: &Finding| f.jobs.iter().map(|j| j.cost_ns_per_step).max().unwrap_or(0);
    findings
        .sort_by_key(|f| (std::cmp::Reverse(f.severity), f.cause.is_some(), std::cmp::Reverse(cost(f)), f.since_ns));
}

/// The time of a job's best steps over that of its median step, 0..1.
pub fn efficiency(job: &JobState) -> Option<f64> {
    let strides = strides(job);
    let median = quantile(strides.iter().map(|s| s.took_ns).collect(), 0.5)?;
    Some(best(&strides)? as f64 / median.max(1) as f64)
}

/// A step and how long it took until the next one began.
struct Stride<'a> {
    step: &'a StepRecord,
    took_ns: u64,
}

impl Stride<'_> {
    fn within(&self, finding: &Finding) -> bool {
        let until = finding.until_ns.unwrap_or(u64::MAX);
        finding.since_ns < self.step.start_ns + self.took_ns && until >= self.step.start_ns
    }
}

fn strides(job: &JobState) -> Vec<Stride<'_>> {
    let later = job.steps.iter().skip(1);
    let pairs = job.steps.iter().zip(later).skip(job.steps.len().saturating_sub(STEPS));
    pairs.map(|(step, next)| Stride { step, took_ns: next.start_ns.saturating_sub(step.start_ns) }).collect()
}

fn best(strides: &[Stride<'_>]) -> Option<u64> {
    quantile(strides.iter().map(|s| s.took_ns).collect(), BEST)
}

fn quantile(mut values: Vec<u64>, q: f64) -> Option<u64> {
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((last as f64 * q).round() as usize).copied()
}

/// Mean time of the steps within a finding beyond the median of the others (the best ones where there are no others).
fn cost(finding: &Finding, strides: &[Stride<'_>]) -> Option<u64> {
    let (within, others): (Vec<&Stride<'_>>, Vec<&Stride<'_>>) = strides.iter().partition(|s| s.within(finding));
    if within.is_empty() {
        return None;
    }
    let usual = quantile(others.iter().map(|s| s.took_ns).collect(), 0.5).or_else(|| best(strides))?;
    let beyond: u64 = within.iter().map(|s| s.took_ns.saturating_sub(usual)).sum();
    Some(beyond / within.len() as u64)
}

/// What a long step is put down to.
fn why(stride: &Stride<'_>, near: &[&Finding]) -> (String, Option<String>) {
    let telling = |f: &&&Finding| {
        let kind = f.kind.as_str();
        !OF_JOBS.contains(&kind) && !OF_SIGHT.contains(&kind) && stride.within(f)
    };
    // The worst, and of equals one that follows from none, then the earliest.
    let root = near.iter().filter(telling).max_by_key(|f| {
        (f.severity, f.cause.is_none(), std::cmp::Reverse(f.since_ns), std::cmp::Reverse(f.id.as_str()))
    });
    match (root, stride.step.blame) {
        (Some(f), _) => (f.kind.clone(), Some(f.id.clone())),
        (None, Some(blame)) => (format!("{} {}", blame.cause.name(), blame.host), None),
        (None, None) => ("unexplained".to_owned(), None),
    }
}

#[cfg(test)]
mod tests;
