//! The fabric thread: absorbs ticks until no more come, publishes, keeps.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analyzer::fabric::Fabric;
use analyzer::report::Finding;
use analyzer::tick::Tick;
use capture::Input;
use dashboard::{Live, TickNumbers};

use crate::evidence::Evidence;
use crate::keep::Keeper;
use crate::pipeline::{Settings, files};

/// Shortest wall time between two published reports. Live, a tick is seen with the next report: at most this later.
const REPORT_EVERY: Duration = Duration::from_millis(80);
/// A report of a large fabric costs milliseconds: publishing takes at most one part in so many of the thread's time.
const REPORT_SHARE: u32 = 4;

/// What judging needs.
pub struct Judge<'a> {
    fabric: Fabric,
    live: Option<Live>,
    keeper: Option<Keeper>,
    evidence: Option<Evidence>,
    inputs: &'a Mutex<Vec<Input>>,
    published: Option<Instant>,
    cost: Duration,
    sequence: u64,
}

impl<'a> Judge<'a> {
    /// Over nothing so far.
    pub fn new(
        settings: &Settings,
        live: Option<Live>,
        keeper: Option<Keeper>,
        evidence: Option<Evidence>,
        inputs: &'a Mutex<Vec<Input>>,
    ) -> Self {
        let fabric = Fabric::new(settings.fabric.clone());
        Self { fabric, live, keeper, evidence, inputs, published: None, cost: Duration::ZERO, sequence: 0 }
    }

    /// Until no more ticks come.
    pub fn run(mut self, ticks: Receiver<Tick>) -> Fabric {
        let mut last = Tick::default();
        for tick in ticks {
            last = Tick { start_ns: tick.end_ns, end_ns: tick.end_ns, ..Tick::default() };
            self.tick(tick);
        }
        let findings = self.fabric.finish();
        self.witness(&findings, true);
        if let Some(mut keeper) = self.keeper {
            keeper.keep(self.sequence, last, self.fabric.links(), findings);
            keeper.finish();
        }
        self.fabric
    }

    fn tick(&mut self, tick: Tick) {
        let findings = self.fabric.absorb(&tick);
        self.witness(&findings, false);
        self.publish(&tick);
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(self.sequence, tick, self.fabric.links(), findings);
        }
        self.sequence += 1;
    }

    fn witness(&mut self, findings: &[Finding], last: bool) {
        if let Some(evidence) = &mut self.evidence {
            evidence.keep(findings, self.fabric.links(), last);
        }
    }

    fn publish(&mut self, tick: &Tick) {
        let Some(live) = &self.live else { return };
        live.set_tick(TickNumbers::of(self.sequence, tick, self.fabric.links()));
        let wait = REPORT_EVERY.max(self.cost * REPORT_SHARE);
        if self.published.is_none_or(|at| at.elapsed() >= wait) {
            let begun = Instant::now();
            let inputs = self.inputs.lock().map(|inputs| files(&inputs)).unwrap_or_default();
            live.set_report(Arc::new(self.fabric.report(inputs)));
            (self.published, self.cost) = (Some(begun), begun.elapsed());
        }
    }
}
