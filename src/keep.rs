//! Hands what the fabric learns to the store, in batches.

use std::sync::Arc;

use analyzer::report::Finding;
use analyzer::tick::{LinkInfo, Tick};
use store::{Facts, Store};
use tokio::runtime::Handle;

use crate::failure::Failure;

/// Ticks written together.
const BATCH: usize = 32;

/// Writes facts in order. Not for use on a thread of the runtime: it waits for the store.
pub struct Keeper {
    store: Arc<dyn Store>,
    runtime: Handle,
    sensor: Arc<str>,
    run: Arc<str>,
    links: Arc<Vec<LinkInfo>>,
    waiting: Vec<Facts>,
}

impl Keeper {
    /// Writes to `store` under the names of a sensor and its run.
    pub fn new(store: Arc<dyn Store>, runtime: Handle, sensor: &str, run: &str) -> Self {
        Self { store, runtime, sensor: sensor.into(), run: run.into(), links: Arc::default(), waiting: Vec::new() }
    }

    /// Takes one tick.
    pub fn keep(
        &mut self,
        sequence: u64,
        tick: Tick,
        links: &[LinkInfo],
        findings: Vec<Finding>,
    ) -> Result<(), Failure> {
        if self.links.len() != links.len() || !tick.new_links.is_empty() {
            self.links = Arc::new(links.to_vec());
        }
        self.waiting.push(Facts {
            sensor: self.sensor.clone(),
            run: self.run.clone(),
            sequence,
            tick: Arc::new(tick),
            links: self.links.clone(),
            findings: Arc::new(findings),
        });
        if self.waiting.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub fn flush(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.waiting);
        self.runtime.block_on(self.store.write(&batch)).map_err(|why| {
            Failure::new(
                format!("cannot write to the store ({})", self.store.describe()),
                why,
                "mend the store, or replay with --store memory",
            )
        })
    }
}
