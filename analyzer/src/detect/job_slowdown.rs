//! Jobs whose steps take longer than they did.

use std::collections::BTreeMap;

use crate::jobs::JobState;
use crate::report::Severity;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "job_slowdown",
    title: "Job slower than before",
    shows: "The time from step to step against the job's own past: above its median by three times its scatter, step after step.",
    advice: "Look at the stragglers of the job and at findings on its links that began at the same time.",
    knobs: &[
        Knob {
            name: "steps",
            unit: "steps",
            values: [3.0; 3],
            what: "slow steps in a row",
            source: "Greyhound: such jobs lose 1.34x",
        },
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.1; 3],
            what: "longer by at least this share",
            source: "[own]",
        },
        Knob {
            name: "sigmas",
            unit: "times",
            values: [3.0; 3],
            what: "and by so many times the usual scatter",
            source: "LLMPrism: k-sigma",
        },
        Knob {
            name: "past_steps",
            unit: "steps",
            values: [5.0; 3],
            what: "steps of the past needed to compare",
            source: "[own]",
        },
        Knob {
            name: "chance",
            unit: "share",
            values: [0.01; 3],
            what: "a row of slow steps that would come about by chance this often, by how often steps were slow before, is none",
            source: "[own]: a job whose steps are often slow needs a longer row to have become slower",
        },
        hold(2000.0),
    ],
    follows: &[
        follows("straggler", Relation::Path),
        follows("link_degraded", Relation::Path),
        follows("failover", Relation::Path),
        follows("pfc_storm", Relation::Path),
        follows("link_saturated", Relation::Path),
        follows("timeout_retransmit", Relation::Path),
        follows("ecn_congestion", Relation::Path),
    ],
    make: |knobs| Box::new(JobSlowdown::new(knobs)),
    explain,
};

struct JobSlowdown {
    steps: u64,
    share: f64,
    sigmas: f64,
    past: usize,
    chance: f64,
    judged: BTreeMap<String, Past>,
}

/// Steps remembered for the comparison.
const MAX_PAST: usize = 256;
/// A normal distribution's standard deviation over its median deviation.
const SIGMA_PER_MAD: f64 = 1.4826;

#[derive(Clone, Default)]
struct Past {
    newest_ns: u64,
    normal: Vec<u64>,
    /// Slow steps in a row at present, and all before that.
    slow: u64,
    slow_before: u64,
    since_ns: u64,
}

impl Past {
    /// How many such rows chance brings about in as many steps, if steps are slow as often as before.
    fn expected(&self) -> f64 {
        let before = self.normal.len() as f64 + self.slow_before as f64;
        let rate = (self.slow_before as f64 + 1.0) / (before + 2.0);
        rate.powf(self.slow as f64) * before
    }
}

impl JobSlowdown {
    fn new(knobs: &Knobs) -> Self {
        Self {
            steps: knobs.count("steps").max(1),
            share: knobs.get("warn_share"),
            sigmas: knobs.get("sigmas"),
            past: knobs.count("past_steps") as usize,
            chance: knobs.get("chance"),
            judged: BTreeMap::new(),
        }
    }

    /// Median of the past and the limit above it.
    fn limit(&self, past: &Past) -> Option<(f64, f64)> {
        let mut sorted = past.normal.clone();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len() / 2).filter(|_| sorted.len() >= self.past.max(1))?;
        let mut off: Vec<u64> = sorted.iter().map(|&v| v.abs_diff(median)).collect();
        off.sort_unstable();
        let scatter = off.get(off.len() / 2).copied().unwrap_or(0) as f64 * SIGMA_PER_MAD;
        Some((median as f64, median as f64 + (self.sigmas * scatter).max(self.share * median as f64)))
    }

    fn step(&self, job: &JobState, past: &mut Past, (start_ns, next_ns): (u64, u64)) -> Option<Symptom> {
        let took = next_ns.saturating_sub(start_ns);
        let limit = self.limit(past);
        let Some((median, limit)) = limit.filter(|l| took as f64 > l.1) else {
            past.slow_before += std::mem::take(&mut past.slow);
            past.normal.push(took);
            let surplus = past.normal.len().saturating_sub(MAX_PAST);
            past.normal.drain(..surplus);
            return None;
        };
        past.since_ns = if past.slow == 0 { start_ns } else { past.since_ns };
        past.slow += 1;
        (past.slow >= self.steps && past.expected() <= self.chance).then(|| {
            let mut symptom = Symptom::new(About::Job(job.id.clone()), Severity::Warning, past.since_ns, next_ns)
                .worst(took as f64 / median - 1.0, "share", limit / median - 1.0)
                .peak("step_ns", took as f64)
                .peak("usual_step_ns", median)
                .note(format!("takes {:.1} ms a step where it took {:.1} ms", took as f64 / 1e6, median / 1e6));
            symptom.hosts.extend(job.hosts.iter().copied());
            symptom.qps.extend(job.lanes.iter().copied());
            symptom
        })
    }
}

impl Detector for JobSlowdown {
    fn judge(&mut self, _view: &View<'_>, _out: &mut Vec<Symptom>) {}

    fn judge_jobs(&mut self, jobs: &[JobState], now_ns: u64, out: &mut Vec<Symptom>) {
        self.judged.retain(|id, _| jobs.iter().any(|j| &j.id == id));
        for job in jobs {
            let mut past = self.judged.remove(&job.id).unwrap_or_default();
            let starts: Vec<u64> = job.settled(now_ns).map(|s| s.start_ns).collect();
            for pair in starts.windows(2) {
                if let [start, next] = *pair
                    && next > past.newest_ns
                {
                    out.extend(self.step(job, &mut past, (start, next)));
                    past.newest_ns = next;
                }
            }
            self.judged.insert(job.id.clone(), past);
        }
    }
}

fn explain(case: &Case) -> String {
    format!("{} {}.", case.name, case.note())
}
