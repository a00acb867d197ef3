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
            what: "a single step this many times the median, held up by one rank (information: it may be chance)",
            source: "[own]",
        },
        Knob {
            name: "past_steps",
            unit: "steps",
            values: [5.0; 3],
            what: "steps of a job needed before its ranks are compared; then its first ones are judged too",
            source: "[own]",
        },
        Knob {
            name: "chance",
            unit: "share",
            values: [0.001; 3],
            what: "a row of steps that would come about by chance this often, by how often the other ranks hold steps up, is none",
            source: "[own]: a job whose ranks all stumble needs a longer row to blame one",
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
    past: usize,
    chance: f64,
    judged: BTreeMap<String, Past>,
}

/// What was judged of one job.
#[derive(Default)]
struct Past {
    /// Start of the newest step judged.
    newest_ns: u64,
    /// Steps judged.
    steps: u64,
    /// Steps that each rank held up.
    held: BTreeMap<Addr, u64>,
    streak: Option<Streak>,
}

#[derive(Clone, Copy)]
struct Streak {
    host: Addr,
    cause: Cause,
    steps: u64,
    since_ns: u64,
    lost_ns: u64,
}

impl Past {
    /// How many such rows chance brings about in as many steps, if the rank stumbles as often as the others do.
    fn expected(&self, streak: &Streak, ranks: usize) -> f64 {
        let others = (ranks.saturating_sub(1) as u64 * self.steps) as f64;
        let held: u64 = self.held.iter().filter(|h| *h.0 != streak.host).map(|h| h.1).sum();
        let rate = (held as f64 + 1.0) / (others + 2.0);
        rate.powf(streak.steps as f64) * ranks as f64 * self.steps as f64
    }
}

impl Straggler {
    fn new(knobs: &Knobs) -> Self {
        Self {
            steps: knobs.count("steps").max(1),
            share: knobs.get("warn_share"),
            factor: knobs.get("single_step_factor").max(1.0),
            past: knobs.count("past_steps") as usize,
            chance: knobs.get("chance"),
            judged: BTreeMap::new(),
        }
    }

    fn step(&self, job: &JobState, step: &StepRecord, past: &mut Past) -> Option<Symptom> {
        let period = job.period_ns.max(1) as f64;
        past.steps += 1;
        let blame = step.blame.filter(|b| b.lost_ns as f64 >= self.share * period);
        let Some(blame) = blame else {
            past.streak = None;
            return None;
        };
        *past.held.entry(blame.host).or_default() += 1;
        let same = past.streak.filter(|s| s.host == blame.host && s.cause == blame.cause);
        let fresh = Streak { host: blame.host, cause: blame.cause, steps: 0, since_ns: step.start_ns, lost_ns: 0 };
        let mut streak = same.unwrap_or(fresh);
        streak.steps += 1;
        streak.lost_ns += blame.lost_ns;
        past.streak = Some(streak);
        let long = (step.end_ns - step.start_ns) as f64 > self.factor * period && blame.lost_ns as f64 > period / 2.0;
        let row = streak.steps >= self.steps && past.expected(&streak, job.hosts.len()) <= self.chance;
        let severity = if row { Severity::Warning } else { Severity::Info };
        (row || long).then(|| self.symptom(job, step, &streak, severity))
    }

    fn symptom(&self, job: &JobState, step: &StepRecord, streak: &Streak, severity: Severity) -> Symptom {
        let lost = streak.lost_ns as f64 / streak.steps.max(1) as f64;
        let share = lost / job.period_ns.max(1) as f64;
        let why = match streak.cause {
            Cause::LateStart => "begins late (late_start)",
            Cause::SlowMessage => "has slow messages (slow_message)",
        };
        let about = About::Host(streak.host);
        let mut symptom = Symptom::new(about, severity, streak.since_ns, step.end_ns)
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

    fn judge_jobs(&mut self, jobs: &[JobState], now_ns: u64, out: &mut Vec<Symptom>) {
        self.judged.retain(|id, _| jobs.iter().any(|j| &j.id == id));
        for job in jobs.iter().filter(|j| j.steps.len() >= self.past) {
            let mut past = self.judged.remove(&job.id).unwrap_or_default();
            let from = past.newest_ns;
            for step in job.settled(now_ns).filter(|s| s.start_ns > from) {
                out.extend(self.step(job, step, &mut past));
                past.newest_ns = step.start_ns;
            }
            self.judged.insert(job.id.clone(), past);
        }
    }
}

fn explain(case: &Case) -> String {
    format!("{} {}.", case.name, case.note())
}
