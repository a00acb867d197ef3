//! The whole fabric: merges ticks, lets the detectors judge, publishes the report.

mod behaviour;
mod costs;
mod flow_table;
mod names;
mod publish;
mod totals;
mod witness;

pub use flow_table::{FlowTable, FlowTotal};
pub use names::{l4, mirror, opcode, tap};
pub use totals::{LinkTotal, Totals};
pub use witness::Witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::{DetectConfig, Engine};
use crate::jobs::{JobState, Jobs, JobsConfig};
use crate::policy::{Judge, Policy};
use crate::report::{File, Finding, Job, Report};
use crate::tick::{LinkInfo, Look, Tick};

/// Bounds of what the fabric keeps and publishes, and the thresholds of its detectors.
#[derive(Clone, Debug)]
pub struct FabricConfig {
    /// Flows kept in memory; the longest idle make room and are counted.
    pub flow_capacity: usize,
    /// Queue-pair directions kept in memory; the longest idle make room and are counted.
    pub qp_capacity: usize,
    /// Flows in a report, busiest first.
    pub max_flows_in_report: usize,
    /// Queue-pair directions in a report, busiest first.
    pub max_qps_in_report: usize,
    /// Mirrors deliver one packet in so many, where they sample.
    pub sampled_one_in: Option<u64>,
    /// Thresholds of the detectors.
    pub findings: DetectConfig,
    /// Rules of the user.
    pub policy: Arc<Policy>,
}

impl Default for FabricConfig {
    fn default() -> Self {
        Self {
            flow_capacity: 1 << 18,
            qp_capacity: 1 << 17,
            max_flows_in_report: 10_000,
            max_qps_in_report: 10_000,
            sampled_one_in: None,
            findings: DetectConfig::default(),
            policy: Arc::default(),
        }
    }
}

/// Everything known of the fabric since the start.
pub struct Fabric {
    config: FabricConfig,
    totals: Totals,
    engine: Engine,
    jobs: Jobs,
    policy: Judge,
    /// Per job, the end of its newest step when it was last given to be kept, and when that was.
    kept_jobs: BTreeMap<String, (u64, u64)>,
}

/// Steps of a job given to be kept: with each giving the newest; older ones are in the counts.
const STEPS_KEPT: usize = 512;

impl Fabric {
    /// An empty one.
    pub fn new(config: FabricConfig) -> Self {
        let engine = Engine::new(&config.findings);
        let jobs = Jobs::new(JobsConfig::default(), config.sampled_one_in.is_some_and(|n| n > 1));
        let policy = Judge::new(config.policy.clone());
        Self { config, totals: Totals::default(), engine, jobs, policy, kept_jobs: BTreeMap::new() }
    }

    /// Merges one tick and lets the detectors judge it: the findings that it opened, changed or closed.
    pub fn absorb(&mut self, tick: &Tick) -> Vec<Finding> {
        self.totals.add(tick, self.config.flow_capacity, self.config.qp_capacity);
        let looked = self.jobs.absorb(tick);
        let mut changed = self.engine.judge(tick);
        if looked {
            changed.extend(self.engine.judge_jobs(self.jobs.known()));
        }
        let held = self.policy.judge(tick, &self.totals, &self.jobs);
        changed.extend(self.engine.take("policy", held));
        self.charge(&mut changed);
        changed
    }

    /// Looks between two ticks at when links last carried packets; says whether the report has a finding now that it had not. The next
    /// tick confirms it or takes it out: results stay those of the ticks alone.
    pub fn look(&mut self, look: Look) -> bool {
        self.engine.look(look)
    }

    /// No more ticks: closes what has ended.
    pub fn finish(&mut self) -> Vec<Finding> {
        self.jobs.finish();
        let mut changed = self.engine.judge_jobs(self.jobs.known());
        let held = self.policy.finish(&self.totals, &self.jobs);
        changed.extend(self.engine.take("policy", held));
        changed.extend(self.engine.finish());
        self.charge(&mut changed);
        changed
    }

    /// Tells findings what they cost each job.
    fn charge(&mut self, changed: &mut [Finding]) {
        changed.iter_mut().for_each(|f| self.jobs.rename(f));
        if !changed.is_empty() && !self.jobs.known().is_empty() {
            self.job_links().charge(changed, self.jobs.known());
        }
    }

    /// Jobs that went on since they were last given here, those given less than `every_ns` of packet time ago left out.
    pub fn jobs_to_keep(&mut self, every_ns: u64) -> Vec<Job> {
        let now_ns = self.jobs.now_ns();
        let last = |job: &JobState| job.steps.back().map_or(0, |s| s.end_ns);
        let due = |job: &&JobState| match self.kept_jobs.get(&job.id) {
            Some(&(end_ns, at_ns)) => every_ns == 0 || last(job) > end_ns && now_ns >= at_ns.saturating_add(every_ns),
            None => true,
        };
        let due: Vec<String> = self.jobs.known().iter().filter(due).map(|job| job.id.clone()).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let known = self.jobs.known();
        self.kept_jobs = known
            .iter()
            .map(|job| match self.kept_jobs.get(&job.id) {
                Some(&before) if !due.contains(&job.id) => (job.id.clone(), before),
                _ => (job.id.clone(), (last(job), now_ns)),
            })
            .collect();
        self.job_report(&self.job_links(), &self.findings())
            .into_iter()
            .filter(|job| due.contains(&job.id))
            .map(newest_steps)
            .collect()
    }

    fn job_links(&self) -> costs::JobLinks {
        costs::JobLinks::of(&self.totals, self.jobs.known())
    }

    /// All findings, with the names that jobs have now.
    fn findings(&self) -> Vec<Finding> {
        let mut findings = self.engine.findings();
        findings.iter_mut().for_each(|f| self.jobs.rename(f));
        findings
    }

    /// Jobs with their ledgers.
    fn job_report(&self, job_links: &costs::JobLinks, findings: &[Finding]) -> Vec<Job> {
        let known = self.jobs.known();
        let mut jobs = self.jobs.report();
        for (job, state) in jobs.iter_mut().zip(known) {
            job.lost = job_links.ledger(state, findings);
            job.efficiency = costs::efficiency(state);
        }
        jobs
    }

    /// Records for which there was no room, by what they are.
    fn not_kept(&self) -> BTreeMap<String, u64> {
        let jobs = self.jobs.left_out();
        let all = [
            ("messages", jobs.messages_unrecorded + jobs.messages_forgotten),
            ("lanes", jobs.lanes),
            ("jobs", jobs.jobs),
            ("control", self.totals.control_left_out),
            ("policy", self.policy.left_out),
        ];
        all.into_iter().filter(|&(_, n)| n > 0).map(|(what, n)| (what.to_owned(), n)).collect()
    }

    /// Links by index.
    pub fn links(&self) -> &[LinkInfo] {
        &self.totals.infos
    }

    /// The report so far.
    pub fn report(&self, files: Vec<File>) -> Report {
        let ranks = self.jobs.known().iter().flat_map(|job| job.hosts.iter().copied()).collect();
        let behaviours = behaviour::Behaviours::of(&self.totals, ranks);
        let (mut flows, flows_left_out) =
            publish::flows(&self.totals, &behaviours, self.config.max_flows_in_report, &self.policy);
        let (mut qps, qps_left_out) = publish::qps(&self.totals, self.config.max_qps_in_report);
        self.jobs.label(&mut flows, &mut qps);
        let job_links = self.job_links();
        let (mut findings, mut links) = (self.findings(), publish::links(&self.totals));
        job_links.charge(&mut findings, self.jobs.known());
        costs::dearest_first(&mut findings);
        let jobs = self.job_report(&job_links, &findings);
        links.iter_mut().for_each(|link| link.jobs = job_links.on(&link.id));
        Report {
            schema: "fabricscope.report/1".to_owned(),
            capture: publish::capture(&self.totals, &self.config, files, self.not_kept()),
            links,
            flows,
            flows_left_out,
            qps,
            qps_left_out,
            jobs,
            findings,
        }
    }
}

fn newest_steps(mut job: Job) -> Job {
    let older = job.steps.len().saturating_sub(STEPS_KEPT);
    job.steps.drain(..older);
    job.steps_left_out += older as u64;
    job
}

#[cfg(test)]
mod tests;
