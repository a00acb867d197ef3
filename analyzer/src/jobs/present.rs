//! From what is known of jobs to the report.

use std::collections::BTreeMap;

use super::registry::{Cause, Exchange, JobState};
use super::shape::Kind;
use super::{Jobs, cadence};
use crate::packet::Addr;
use crate::report;
use crate::tick::QpKey;

/// Stragglers named must hold up at least this share of the steps' time (5 %).
const LEAST_SHARE: f64 = 0.05;

impl Jobs {
    /// Jobs as the report shows them.
    pub fn report(&self) -> Vec<report::Job> {
        self.registry.jobs.iter().map(job).collect()
    }

    /// The job that a queue-pair direction works for, and the kind of exchange that it carries.
    pub fn of_qp(&self, key: &QpKey) -> Option<(&str, Kind)> {
        let job = self.registry.jobs.iter().find(|j| j.lanes.contains(key))?;
        let kind = job.exchanges.iter().find(|e| e.lanes.contains(key)).map_or(Kind::Unknown, |e| e.kind);
        Some((&job.id, kind))
    }
}

impl Jobs {
    /// Gives a finding the names that its jobs have now: one that was taken for a job of its own may have become part of another.
    pub fn rename(&self, finding: &mut report::Finding) {
        for (before, now) in &self.registry.renamed {
            let names = finding.subject.job.iter_mut().chain(&mut finding.evidence.involved);
            names.filter(|name| *name == before).for_each(|name| name.clone_from(now));
            if finding.explanation.contains(before.as_str()) {
                finding.explanation = renamed(&finding.explanation, before, now);
            }
        }
    }

    /// Names the job of each queue pair and flow that works for one, and what the flow does in it. The way back of a lane
    /// (acknowledgements, credits) belongs to the same job.
    pub fn label(&self, flows: &mut [report::Flow], qps: &mut [report::Qp]) {
        let mut known: BTreeMap<(String, String, u32), (&str, Kind)> = BTreeMap::new();
        for job in &self.registry.jobs {
            for key in &job.lanes {
                if let Some(found) = self.of_qp(key) {
                    known.insert((key.src.to_string(), key.dst.to_string(), key.dst_qp), found);
                }
            }
        }
        if known.is_empty() {
            return;
        }
        let mut back: BTreeMap<(String, String, u32), &str> = BTreeMap::new();
        for qp in qps.iter_mut() {
            let own = known.get(&(qp.src.clone(), qp.dst.clone(), qp.dst_qp)).map(|k| k.0);
            let other = qp.src_qp.and_then(|q| known.get(&(qp.dst.clone(), qp.src.clone(), q))).map(|k| k.0);
            if let Some(job) = own.or(other) {
                qp.job = Some(job.to_owned());
                back.insert((qp.src.clone(), qp.dst.clone(), qp.dst_qp), job);
            }
        }
        for flow in flows.iter_mut() {
            let Some(dst_qp) = flow.dst_qp else { continue };
            let key = (flow.src.clone(), flow.dst.clone(), dst_qp);
            if let Some((job, kind)) = known.get(&key) {
                flow.job = Some((*job).to_owned());
                flow.behaviour = Some(kind.name().to_owned());
            } else if let Some(job) = back.get(&key) {
                flow.job = Some((*job).to_owned());
            }
        }
    }
}

/// The text with one whole word replaced by another.
fn renamed(text: &str, before: &str, now: &str) -> String {
    let bare = |word: &str| word.trim_end_matches([',', '.', ';', ':']).len();
    let swap = |word: &str| match word.split_at(bare(word)) {
        (name, rest) if name == before => format!("{now}{rest}"),
        _ => word.to_owned(),
    };
    text.split(' ').map(swap).collect::<Vec<_>>().join(" ")
}

fn names(hosts: &[Addr]) -> Vec<String> {
    hosts.iter().map(Addr::to_string).collect()
}

fn job(job: &JobState) -> report::Job {
    report::Job {
        id: job.id.clone(),
        hosts: job.hosts.iter().map(Addr::to_string).collect(),
        collectives: job.exchanges.iter().map(collective).collect(),
        parallelism: job.exchanges.iter().filter_map(parallelism).collect(),
        steps: job
            .steps
            .iter()
            .map(|s| report::Step { start_ns: s.start_ns, end_ns: s.end_ns, communication_ns: s.communication_ns })
            .collect(),
        steps_left_out: job.steps_forgotten,
        step_ns: step_ns(job),
        stragglers: stragglers(job),
        lost: Vec::new(),
        efficiency: None,
        confidence: job.confidence,
        ended: job.ended,
    }
}

fn collective(e: &Exchange) -> report::Collective {
    report::Collective {
        kind: e.kind.name().to_owned(),
        hosts: names(&e.hosts),
        bytes: e.bytes,
        busbw_bps: e.busbw_bps,
        ranks: e.ranks.map(|n| n as u64),
        complete: e.closed,
        confidence: e.confidence,
        reason: e.reason.clone(),
    }
}

fn parallelism(e: &Exchange) -> Option<report::Parallelism> {
    let kind = match e.kind {
        Kind::RingAllreduce | Kind::TreeAllreduce | Kind::ReduceScatter | Kind::AllGather => "data",
        Kind::PointToPoint if e.hosts.len() > 1 => "pipeline",
        Kind::AllToAll => "expert",
        _ => return None,
    };
    Some(report::Parallelism { kind: kind.to_owned(), hosts: names(&e.hosts) })
}

fn step_ns(job: &JobState) -> Option<report::StepTime> {
    let starts: Vec<u64> = job.steps.iter().map(|s| s.start_ns).collect();
    let mut strides: Vec<u64> = starts.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
    let p50 = cadence::quantile(&mut strides, 0.5)?;
    let p99 = cadence::quantile(&mut strides, 0.99)?;
    Some(report::StepTime { p50, p99 })
}

/// Ranks that cost the job a share of its time.
fn stragglers(job: &JobState) -> Vec<report::Straggler> {
    let (Some(first), Some(last)) = (job.steps.front(), job.steps.back()) else { return Vec::new() };
    let whole = last.end_ns.saturating_sub(first.start_ns).max(1);
    let mut lost: BTreeMap<(Addr, Cause), (u64, u64)> = BTreeMap::new();
    for blame in job.steps.iter().filter_map(|s| s.blame) {
        let entry = lost.entry((blame.host, blame.cause)).or_default();
        entry.0 += blame.lost_ns;
        entry.1 += 1;
    }
    let mut out: Vec<report::Straggler> = lost
        .into_iter()
        .map(|((host, cause), (ns, steps))| report::Straggler {
            host: host.to_string(),
            cause: cause.name().to_owned(),
            share: ns as f64 / whole as f64,
            steps,
        })
        .filter(|s| s.share >= LEAST_SHARE)
        .collect();
    out.sort_by(|a, b| b.share.total_cmp(&a.share));
    out
}
