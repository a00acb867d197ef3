//! Jobs as the report shows them.

use serde::{Deserialize, Serialize};

/// Hosts that train together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Identifier, kept over restarts.
    pub id: String,
    /// Members seen on mirrored links.
    pub hosts: Vec<String>,
    /// Exchanges of a step.
    pub collectives: Vec<Collective>,
    /// Groups by what they share.
    pub parallelism: Vec<Parallelism>,
    /// Steps, oldest first; `steps_left_out` counts older ones.
    pub steps: Vec<Step>,
    /// Steps no longer listed.
    pub steps_left_out: u64,
    /// From the start of a step to the start of the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_ns: Option<StepTime>,
    /// Ranks that hold the others up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stragglers: Vec<Straggler>,
    /// Time lost beyond the job's best steps, by cause, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostTime>,
    /// Time of the job's best steps over that of its median step, 0..1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<f64>,
    /// 0..1.
    pub confidence: f32,
    /// Silent for ten of its periods.
    pub ended: bool,
}

/// One exchange of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collective {
    /// `ring_allreduce`, `tree_allreduce`, `reduce_scatter`, `all_gather`, `all_to_all`, `broadcast`, `point_to_point`,
    /// `many_to_one`, `one_to_many` or `unknown`.
    pub kind: String,
    /// Members; of a ring in order (fragments of a ring that is not seen whole follow each other).
    pub hosts: Vec<String>,
    /// Size of the buffer as nccl-tests counts it.
    pub bytes: u64,
    /// Bus bandwidth as nccl-tests defines it.
    pub busbw_bps: u64,
    /// Ranks that the number of rounds speaks for, members not seen included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<u64>,
    /// All of it is seen.
    pub complete: bool,
    /// 0..1.
    pub confidence: f32,
    /// How it was recognised.
    pub reason: String,
}

/// Hosts that share the work in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parallelism {
    /// `data`, `pipeline`, `tensor` or `expert`.
    pub kind: String,
    /// Members; of a pipeline in order of its stages.
    pub hosts: Vec<String>,
}

/// One step of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// First message.
    pub start_ns: u64,
    /// Last message over.
    pub end_ns: u64,
    /// Time with a message under way.
    pub communication_ns: u64,
}

/// Time from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepTime {
    /// Median.
    pub p50: u64,
    /// 0.99.
    pub p99: u64,
}

/// A rank that holds the others up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Straggler {
    /// Rank.
    pub host: String,
    /// `slow_message` or `late_start`.
    pub cause: String,
    /// Share of the job's time lost to it, 0..1.
    pub share: f64,
    /// Steps that it held up.
    pub steps: u64,
}

/// Time that a job lost to one cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LostTime {
    /// Kind of a finding, or `late_start` or `slow_message` with the rank, or `unexplained`.
    pub cause: String,
    /// The finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Time beyond the best steps, ns.
    pub lost_ns: u64,
    /// Steps that lost it.
    pub steps: u64,
    /// Share of the job's time, 0..1.
    pub share: f64,
}
