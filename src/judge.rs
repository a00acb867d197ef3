//! The fabric thread: absorbs ticks until no more come, publishes, keeps.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use analyzer::fabric::Fabric;
use analyzer::report::Finding;
use analyzer::tick::{Look, Tick};
use capture::Input;
use capture::live::rights;
use dashboard::{Live, TickNumbers};

use crate::evidence::Evidence;
use crate::keep::Keeper;
use crate::pipeline::{Settings, files};
use crate::reload::Configured;

/// Shortest wall time between two published reports. Live, a tick is seen with the next report: at most this later.
const REPORT_EVERY: Duration = Duration::from_millis(80);
/// The same when a finding was opened, changed or closed.
const NEWS_EVERY: Duration = Duration::from_millis(5);
/// Packet time after which a job that went on is given to the store again.
const JOBS_EVERY_NS: u64 = 5_000_000_000;
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
    /// A finding changed, and the report that is seen does not say so yet.
    unsaid: bool,
    cost: Duration,
    sequence: u64,
    until_ns: u64,
}

/// To the fabric thread.
pub enum Message {
    /// A stretch of time.
    Tick(Box<Tick>),
    /// Between two ticks: when links last carried packets.
    Look(Look),
    /// From here on all is judged anew.
    Anew(Box<Configured>),
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
        Self {
            fabric,
            live,
            keeper,
            evidence,
            inputs,
            published: None,
            unsaid: false,
            cost: Duration::ZERO,
            sequence: 0,
            until_ns: 0,
        }
    }

    /// Until no more ticks come.
    pub fn run(mut self, messages: Receiver<Message>) -> Fabric {
        rights::give_up();
        for message in messages {
            match message {
                Message::Tick(tick) => self.tick(*tick),
                Message::Look(look) => self.look(look),
                Message::Anew(configured) => self.anew(*configured),
            }
        }
        self.end();
        if let Some(keeper) = self.keeper {
            keeper.finish();
        }
        self.fabric
    }

    /// Closes what has ended, and keeps that.
    fn end(&mut self) {
        let findings = self.fabric.finish();
        self.witness(&findings, true);
        if let Some(keeper) = &mut self.keeper {
            let nothing = Tick { start_ns: self.until_ns, end_ns: self.until_ns, ..Tick::default() };
            let jobs = self.fabric.jobs_to_keep(0);
            keeper.keep(self.sequence, nothing, self.fabric.links(), findings, jobs);
            self.sequence += 1;
        }
    }

    fn anew(&mut self, configured: Configured) {
        self.end();
        self.fabric = Fabric::new(configured.fabric);
        if let Some(evidence) = &mut self.evidence {
            evidence.plan(configured.plan);
        }
    }

    fn tick(&mut self, tick: Tick) {
        self.until_ns = tick.end_ns;
        let findings = self.fabric.absorb(&tick);
        self.witness(&findings, false);
        self.publish(&tick, !findings.is_empty());
        if let Some(keeper) = &mut self.keeper {
            let jobs = self.fabric.jobs_to_keep(JOBS_EVERY_NS);
            keeper.keep(self.sequence, tick, self.fabric.links(), findings, jobs);
        }
        self.sequence += 1;
    }

    /// What falls silent is said at once to whoever looks; kept it is once a tick has shown it.
    fn look(&mut self, look: Look) {
        if self.live.is_some() {
            self.unsaid |= self.fabric.look(look);
            if self.unsaid {
                self.publish_report();
            }
        }
    }

    fn witness(&mut self, findings: &[Finding], last: bool) {
        if let Some(evidence) = &mut self.evidence {
            evidence.keep(findings, self.fabric.links(), last);
        }
    }

    fn publish(&mut self, tick: &Tick, is_news: bool) {
        let Some(live) = &self.live else { return };
        live.set_tick(TickNumbers::of(self.sequence, tick, self.fabric.links()));
        self.unsaid |= is_news;
        self.publish_report();
    }

    fn publish_report(&mut self) {
        let Some(live) = &self.live else { return };
        let wait = if self.unsaid { NEWS_EVERY } else { REPORT_EVERY }.max(self.cost * REPORT_SHARE);
        if self.published.is_none_or(|at| at.elapsed() >= wait) {
            let begun = Instant::now();
            let inputs = self.inputs.lock().map(|inputs| files(&inputs)).unwrap_or_default();
            live.set_report(Arc::new(self.fabric.report(inputs)));
            (self.published, self.cost, self.unsaid) = (Some(begun), begun.elapsed(), false);
        }
    }
}
