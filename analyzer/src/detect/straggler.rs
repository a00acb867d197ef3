//! Ranks that hold a job up.

use std::collections::BTreeMap;

use crate::jobs::{Cause, JobState, StepRecord};
use crate::packet::Addr;
use crate::report::Severity;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "straggler",
    title: "Straggler",
    shows: "One rank's first message of a step later than the others' (late start: computing, data loading, the host), or its messages \
            under way longer than the others' (slow message: its path, its NIC), step after step; or once, when the step takes more than \
            twice as long.",
    advice: "Late start: look at that host (clock, thermal limits, data loading). Slow message: look at its NIC and links.",
    knobs: &[
        Knob {
            name: "steps",
            unit: "steps",
            values: [3.0; 3],
            what: "steps in a row held up by the same rank for the same reason",
            source: "Holmes (NSDI'25) and [own]: one slow step is chance",
        },
        Knob {
            name: "warn_share",
            unit: "share",
            values: [0.05, 0.05, 0.1],
            what: "part of a step that is lost",
            source: "[own]",
        },
        Knob {
            name: "single_step_factor",
            unit: "times",
            values: [2.0; 3],
            what: "a single step this many times the median, held up by one rank",
            source: "[own]",
        },
        hold(2000.0),
    ],
    follows: &[
        follows("link_degraded", Relation::Path),
        follows("pfc_storm", Relation::Path),
        follows("timeout_retransmit", Relation::Path),
        follows("fabric_loss", Relation::Path),
        follows("pfc_congestion", Relation::Path),
        follows("rtt_inflation", Relation::Path),
    ],
    make: |knobs| Box::new(Straggler::new(knobs)),
    explain,
};

struct Straggler {
    steps: u64,
    share: f64,
    factor: f64,
    /// Start of the newest step judged, and who held up how many in a row since when; per job.
    judged: BTreeMap<String, (u64, Option<Streak>)>,
}

#[derive(Clone, Copy)]
struct Streak {
    host: Addr,
    cause: Cause,
    steps: u64,
    since_ns: u64,
    lost_ns: u64,
}

impl Straggler {
    fn new(knobs: &Knobs) -> Self {
        Self {
            steps: knobs.count("steps").max(1),
            share: knobs.get("warn_share"),
            factor: knobs.get("single_step_factor").max(1.0),
            judged: BTreeMap::new(),
        }
    }

    fn step(&self, job: &JobState, step: &StepRecord, streak: Option<Streak>) -> (Option<Streak>, Option<Symptom>) {
        let period = job.period_ns.max(1) as f64;
        let blame = step.blame.filter(|b| b.lost_ns as f64 >= self.share * period);
        let Some(blame) = blame else { return (None, None) };
        let same = streak.filter(|s| s.host == blame.host && s.cause == blame.cause);
        let fresh = Streak { host: blame.host, cause: blame.cause, steps: 0, since_ns: step.start_ns, lost_ns: 0 };
        let mut streak = same.unwrap_or(fresh);
        streak.steps += 1;
        streak.lost_ns += blame.lost_ns;
        let long = (step.end_ns - step.start_ns) as f64 > self.factor * period && blame.lost_ns as f64 > period / 2.0;
        let symptom = (streak.steps >= self.steps || long).then(|| self.symptom(job, step, &streak));
        (Some(streak), symptom)
    }

    fn symptom(&self, job: &JobState, step: &StepRecord, streak: &Streak) -> Symptom {
        let lost = streak.lost_ns as f64 / streak.steps.max(1) as f64;
        let share = lost / job.period_ns.max(1) as f64;
        let why = match streak.cause {
            Cause::LateStart => "begins late (late_start)",
            Cause::SlowMessage => "has slow messages (slow_message)",
        };
        let about = About::Host(streak.host);
        let mut symptom = Symptom::new(about, Severity::Warning, streak.since_ns, step.end_ns)
            .worst(share, "share", self.share)
            .peak("lost_ns_per_step", lost)
            .peak("steps_in_a_row", streak.steps as f64)
            .note(format!(
                "{why} in {}, {:.1} ms of a step of {:.1} ms",
                job.id,
                lost / 1e6,
                job.period_ns as f64 / 1e6
            ));
        symptom.hosts.push(streak.host);
        symptom.involved.push(job.id.clone());
        symptom.qps.extend(job.lanes.iter().filter(|k| k.src == streak.host).copied());
        symptom
    }
}

impl Detector for Straggler {
    fn judge(&mut self, _view: &View<'_>, _out: &mut Vec<Symptom>) {}

    fn judge_jobs(&mut self, jobs: &[JobState], _now_ns: u64, out: &mut Vec<Symptom>) {
        self.judged.retain(|id, _| jobs.iter().any(|j| &j.id == id));
        for job in jobs {
            let (from, mut streak) = self.judged.get(&job.id).copied().unwrap_or((0, None));
            let mut newest = from;
            for step in job.steps.iter().filter(|s| s.start_ns > from) {
                let (next, symptom) = self.step(job, step, streak);
                streak = next;
                newest = step.start_ns;
                out.extend(symptom);
            }
            self.judged.insert(job.id.clone(), (newest, streak));
        }
    }
}

fn explain(case: &Case) -> String {
    format!("{} {}.", case.name, case.note())
}
