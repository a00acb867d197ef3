//! Jobs: which hosts train together, in which steps, by which exchanges, and who holds the others up. From messages alone.
//!
//! How it decides is told in docs/jobs.md. No clock: fed by ticks, the same ticks give the same jobs.

mod cadence;
mod cluster;
mod lane;
mod lanes;
mod present;
mod registry;
mod ring;
mod shape;
mod slow;
mod steps;

use crate::tick::{QpKey, Tick};

use lanes::Lanes;
pub use registry::{Cause, JobState, StepRecord};
pub use shape::Kind;

/// Bounds of the engine. Memory: 64 bytes a message, at most 2,048 messages a lane.
#[derive(Clone, Debug)]
pub struct JobsConfig {
    /// Queue-pair directions followed; the longest idle make room and are counted.
    pub lanes: usize,
    /// Messages kept over all lanes; lanes then forget their oldest and are counted.
    pub messages: usize,
    /// Jobs kept; the longest ended make room and are counted.
    pub jobs: usize,
    /// Steps kept per job; the oldest make room and are counted.
    pub steps: usize,
    /// Messages looked at per tick on average: with more in memory, jobs are looked for less often than every tick.
    pub messages_per_tick: usize,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self { lanes: 32_768, messages: 1 << 19, jobs: 256, steps: 4_096, messages_per_tick: 1 << 15 }
    }
}

/// What the engine could not keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Messages not recorded by workers.
    pub messages_unrecorded: u64,
    /// Messages forgotten before their time.
    pub messages_forgotten: u64,
    /// Queue-pair directions forgotten.
    pub lanes: u64,
    /// Jobs forgotten.
    pub jobs: u64,
}

/// Finds and follows jobs.
#[derive(Debug)]
pub struct Jobs {
    config: JobsConfig,
    lanes: Lanes,
    registry: registry::Registry,
    left_out: LeftOut,
    ticks_waited: usize,
    /// Something was added since the last look.
    fresh: bool,
    sampled: bool,
    now_ns: u64,
}

impl Jobs {
    /// None known yet. `sampled`: mirrors deliver a sample of packets, so messages cannot be told and no job is.
    pub fn new(config: JobsConfig, sampled: bool) -> Self {
        Self {
            registry: registry::Registry::new(config.jobs, config.steps),
            config,
            lanes: Lanes::default(),
            left_out: LeftOut::default(),
            ticks_waited: 0,
            fresh: false,
            sampled,
            now_ns: 0,
        }
    }

    /// Takes a tick; looks for jobs when it is time. Says whether it did.
    pub fn absorb(&mut self, tick: &Tick) -> bool {
        self.now_ns = self.now_ns.max(tick.end_ns);
        self.left_out.messages_unrecorded += tick.messages_left_out;
        if self.sampled {
            return false;
        }
        for message in &tick.messages {
            self.lanes.made(message.key).into_iter().for_each(|lane| lane.take(message));
        }
        for qp in tick.qps.iter().filter(|q| q.service.is_some()) {
            self.mark_service(qp.key);
        }
        self.fresh |= !tick.messages.is_empty();
        self.bound();
        self.ticks_waited += 1;
        let due = self.ticks_waited * self.config.messages_per_tick > self.messages();
        if due {
            self.look();
        }
        due
    }

    /// No more ticks.
    pub fn finish(&mut self) {
        self.look();
    }

    /// What could not be kept.
    pub fn left_out(&self) -> LeftOut {
        LeftOut { jobs: self.registry.forgotten, ..self.left_out }
    }

    /// Jobs known, in order of their discovery.
    pub fn known(&self) -> &[JobState] {
        &self.registry.jobs
    }

    /// End of the newest tick.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Storage and remote calls over RDMA are no training, in neither direction.
    fn mark_service(&mut self, key: QpKey) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.service = true;
        }
    }

    fn messages(&self) -> usize {
        self.lanes.values().map(|l| l.messages.len()).sum()
    }

    fn bound(&mut self) {
        if self.lanes.len() > self.config.lanes {
            let mut idle: Vec<(u64, QpKey)> = self.lanes.values().map(|l| (l.last_ns, l.key)).collect();
            idle.sort_unstable();
            let before = self.lanes.len();
            let excess = before - self.config.lanes / 8 * 7;
            let newest_gone = idle.get(excess - 1).copied();
            self.lanes.retain(|lane| Some((lane.last_ns, lane.key)) > newest_gone);
            self.left_out.lanes += (before - self.lanes.len()) as u64;
        }
        let all = self.messages();
        if all > self.config.messages {
            let (oldest, newest) = self.span();
            let keep_from = oldest + (newest - oldest) / 4;
            for lane in self.lanes.values_mut() {
                lane.forget_before(keep_from);
            }
            self.left_out.messages_forgotten += (all - self.messages()) as u64;
        }
    }

    fn span(&self) -> (u64, u64) {
        let oldest = self.lanes.values().filter_map(|l| l.messages.front()).map(|m| m.end_ns).min();
        let newest = self.lanes.values().map(|l| l.last_ns).max();
        (oldest.unwrap_or(0), newest.unwrap_or(0).max(oldest.unwrap_or(0)))
    }

    /// Looks for jobs in what is in memory.
    fn look(&mut self) {
        self.ticks_waited = 0;
        if !std::mem::take(&mut self.fresh) {
            self.registry.update(None, &self.lanes, self.now_ns);
            return;
        }
        let groups = cluster::groups(&self.lanes);
        let found: Vec<registry::Found> = groups.iter().filter_map(registry::Found::from_group).collect();
        self.registry.update(Some(found), &self.lanes, self.now_ns);
    }
}

#[cfg(test)]
mod tests;
