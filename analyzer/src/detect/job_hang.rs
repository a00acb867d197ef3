//! Jobs that stand still.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::jobs::JobState;
use crate::packet::Addr;
use crate::report::Severity;
use crate::tick::QpKey;

use super::causes::follows;
use super::config::{Knob, Knobs, hold};
use super::{About, Case, Detector, Kind, Relation, Symptom, View};

pub(super) static KIND: Kind = Kind {
    name: "job_hang",
    title: "Job hangs",
    shows: "All queue pairs of a job idle for long: in the middle of a step, where the exchange waits for somebody (warning), or \
            after one (info: it may have ended, or it loads, saves or evaluates).",
    advice: "Look at the rank that the others wait for, and at the last finding on its path.",
    knobs: &[
        Knob {
            name: "steps",
            unit: "steps",
            values: [3.0; 3],
            what: "idle for so many of the job's steps",
            source: "[own]",
        },
        Knob {
            name: "within_ms",
            unit: "ms",
            values: [50.0, 50.0, 2000.0],
            what: "and at least this long, in the middle of a step",
            source: "[own]: an exchange that has begun is never idle by choice",
        },
        Knob {
            name: "between_ms",
            unit: "ms",
            values: [2000.0; 3],
            what: "and at least this long, between steps",
            source: "Mycroft detects 90 % within 15 s",
        },
        hold(2000.0),
    ],
    follows: &[
        follows("link_silent", Relation::Path),
        follows("pfc_storm", Relation::Path),
        follows("failover", Relation::Path),
        follows("qp_error", Relation::Path),
        follows("timeout_retransmit", Relation::Path),
    ],
    make: |knobs| Box::new(JobHang::new(knobs)),
    explain,
};

struct JobHang {
    steps: f64,
    within_ns: u64,
    between_ns: u64,
    judged: BTreeMap<String, u64>,
    /// End of the newest message of each queue pair that carries messages.
    newest: HashMap<QpKey, u64, FixedState>,
}

/// Queue pairs whose newest message is kept; further ones name nobody.
const MAX_NEWEST: usize = 65_536;

impl JobHang {
    fn new(knobs: &Knobs) -> Self {
        Self {
            steps: knobs.get("steps"),
            within_ns: knobs.ns("within_ms"),
            between_ns: knobs.ns("between_ms"),
            judged: BTreeMap::new(),
            newest: HashMap::default(),
        }
    }

    fn long(&self, job: &JobState, ns: u64, least_ns: u64) -> Option<f64> {
        let least = (self.steps * job.period_ns as f64).max(least_ns as f64);
        (job.period_ns > 0 && ns as f64 >= least).then_some(least)
    }

    /// The host that the others wait for: its newest message is older than everybody else's by a good part of a step, so they
    /// have gone on into a step that it has not begun.
    fn awaited(&self, job: &JobState) -> Option<Addr> {
        let mut newest: BTreeMap<Addr, u64> = BTreeMap::new();
        for (lane, &at_ns) in job.lanes.iter().filter_map(|lane| Some((lane, self.newest.get(lane)?))) {
            let of_host = newest.entry(lane.src).or_default();
            *of_host = at_ns.max(*of_host);
        }
        let mut oldest_first: Vec<(u64, Addr)> = newest.into_iter().map(|(host, at_ns)| (at_ns, host)).collect();
        oldest_first.sort_unstable();
        match oldest_first.as_slice() {
            [(last, host), (next, _), ..] if next - last >= job.period_ns / 4 => Some(*host),
            _ => None,
        }
    }

    fn symptom(&self, job: &JobState, (since_ns, last_ns): (u64, u64), least: f64, within: bool) -> Symptom {
        let severity = if within { Severity::Warning } else { Severity::Info };
        let idle = last_ns.saturating_sub(since_ns) as f64;
        let place = if within { "in the middle of a step" } else { "after a step: ended, or busy elsewhere" };
        // Only a job that hangs now: of a silence that is over, the newest messages tell nothing any more.
        let culprit = self.awaited(job).filter(|_| within && last_ns > job.last_ns);
        let mut symptom = Symptom::new(About::Job(job.id.clone()), severity, since_ns, last_ns)
            .worst(idle / 1e6, "ms", least / 1e6)
            .peak("idle_ns", idle)
            .note(format!(
                "is idle {place}, for {:.0} ms at a step of {:.0} ms{}",
                idle / 1e6,
                job.period_ns as f64 / 1e6,
                culprit.map_or_else(String::new, |h| format!(
                    "; the others wait for {h}, which has not sent in this step"
                ))
            ));
        symptom.culprit = culprit;
        symptom.hosts.extend(job.hosts.iter().copied());
        symptom.qps.extend(job.lanes.iter().copied());
        symptom
    }
}

impl Detector for JobHang {
    fn judge(&mut self, view: &View<'_>, _out: &mut Vec<Symptom>) {
        for message in &view.tick.messages {
            let is_full = self.newest.len() >= MAX_NEWEST;
            match self.newest.get_mut(&message.key) {
                Some(newest) => *newest = message.end_ns.max(*newest),
                None if !is_full => _ = self.newest.insert(message.key, message.end_ns),
                None => {}
            }
        }
    }

    fn judge_jobs(&mut self, jobs: &[JobState], now_ns: u64, out: &mut Vec<Symptom>) {
        self.judged.retain(|id, _| jobs.iter().any(|j| &j.id == id));
        for job in jobs {
            let from = self.judged.get(&job.id).copied().unwrap_or(0);
            for step in job.steps.iter().filter(|s| s.start_ns > from) {
                let (since, until) = step.silent;
                if let Some(least) = self.long(job, until.saturating_sub(since), self.within_ns) {
                    out.push(self.symptom(job, step.silent, least, true));
                }
            }
            let least_ns = if job.in_step { self.within_ns } else { self.between_ns };
            if let Some(least) = self.long(job, now_ns.saturating_sub(job.last_ns), least_ns) {
                out.push(self.symptom(job, (job.last_ns, now_ns), least, job.in_step));
            }
            self.judged.insert(job.id.clone(), job.steps.back().map_or(from, |s| s.start_ns));
        }
    }
}

fn explain(case: &Case) -> String {
    format!("{} {}.", case.name, case.note())
}
