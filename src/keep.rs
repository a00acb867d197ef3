//! Hands what the fabric learns to the store's queue.

use std::sync::Arc;

use analyzer::report::{Finding, Job};
use analyzer::tick::{LinkInfo, Tick};
use store::{Facts, Store, StoreWriter, WriterCounters, WriterOptions};
use tokio::runtime::Handle;

use crate::analysis::{Task, sensor_name};
use crate::failure::Failure;
use crate::output::warn;
use crate::web::Web;

/// Gives facts to the queue, in order. Not for use on a thread of the runtime: it may wait.
pub struct Keeper {
    writer: StoreWriter,
    runtime: Handle,
    sensor: Arc<str>,
    run: Arc<str>,
    links: Arc<Vec<LinkInfo>>,
}

impl Keeper {
    /// Begins to write to a store under the names of the sensor and its run.
    pub fn start(store: Arc<dyn Store>, web: &Web, task: &Task) -> Result<Self, Failure> {
        let runtime = web.handle();
        let options =
            WriterOptions { notice: Arc::new(|line| warn(line)), ..WriterOptions::new(task.fullness.clone()) };
        let writer = {
            let _inside = runtime.enter();
            StoreWriter::start(store, options)
        };
        let writer = writer.map_err(|why| Failure::new("cannot write to the store", why, "look at its folder"))?;
        let sensor = sensor_name(task.mode);
        Ok(Self { writer, runtime, sensor: sensor.into(), run: task.run.as_str().into(), links: Arc::default() })
    }

    /// Takes one tick.
    pub fn keep(&mut self, sequence: u64, tick: Tick, links: &[LinkInfo], findings: Vec<Finding>, jobs: Vec<Job>) {
        if self.links.len() != links.len() || !tick.new_links.is_empty() {
            self.links = Arc::new(links.to_vec());
        }
        self.writer.send(Facts {
            sensor: self.sensor.clone(),
            run: self.run.clone(),
            sequence,
            tick: Arc::new(tick),
            links: self.links.clone(),
            findings: Arc::new(findings),
            jobs: Arc::new(jobs),
        });
    }

    /// Waits until everything is kept; says what was not.
    pub fn finish(self) -> WriterCounters {
        let counters = self.runtime.block_on(self.writer.finish());
        if !counters.is_whole() {
            warn(format!(
                "the store did not get everything: {} of {} ticks written, {} dropped for room, {} refused, {} lost{}",
                counters.written,
                counters.taken,
                counters.dropped_for_room + counters.dropped_queue_full,
                counters.set_aside,
                counters.lost,
                counters.last_error.as_ref().map_or_else(String::new, |why| format!("; last error: {why}")),
            ));
        }
        counters
    }
}
