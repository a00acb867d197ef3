//! Joins the rooms: source -> worker -> fabric -> live side and store.
//!
//! The calling thread reads and measures; one fabric thread merges ticks, judges, publishes and stores. Between them is a
//! bounded channel: in a replay a full channel holds up reading, so nothing is lost and the same frames give the same report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use analyzer::fabric::{Fabric, FabricConfig};
use analyzer::report::{File, Report};
use analyzer::tick::Tick;
use analyzer::topology::Plan;
use analyzer::worker::{NatureWatch, TapNature, Worker, WorkerConfig};
use capture::{Frame, Input, Interface, InterfaceId, Sink, Source, Step};
use dashboard::{Live, TickNumbers};

use crate::args::Pace;
use crate::failure::Failure;
use crate::keep::Keeper;
use crate::pace::Pacer;

/// Ticks that may wait for the fabric thread.
const TICKS_WAITING: usize = 64;
/// Sleep of a reader that finds nothing.
const IDLE: Duration = Duration::from_micros(200);
/// Frames may be this late, from the port to the reader, before time passes without them.
const LATE: Duration = Duration::from_millis(10);
/// Shortest wall time between two published reports: a report of a large fabric costs milliseconds.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// Shortest wall time between two looks at how far reading is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Where results go beside the final report.
#[derive(Default)]
pub struct Outlets {
    /// The dashboard of this process.
    pub live: Option<Live>,
    /// The store.
    pub keeper: Option<Keeper>,
}

/// How to analyse.
pub struct Settings {
    /// What is known of the fabric.
    pub plan: Arc<Plan>,
    /// What the taps' first frames said of them.
    pub natures: NatureWatch,
    /// Of the fabric thread.
    pub fabric: FabricConfig,
    /// Of the worker.
    pub worker: WorkerConfig,
    /// How fast packet time passes.
    pub pace: Pace,
    /// Frames come when they come: time passes without them, and a full channel widens ticks instead of holding up reading.
    pub live: bool,
}

/// Analyses a source to its end, or until `stop` is set. `progress` is called a few times a second.
pub fn run(
    mut source: Box<dyn Source>,
    settings: &Settings,
    outlets: Outlets,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&[Input]),
) -> Result<Report, Failure> {
    let (sender, receiver) = sync_channel(TICKS_WAITING);
    let (fabric, inputs) = thread::scope(|scope| {
        let judge = scope.spawn(|| judge(receiver, settings.fabric.clone(), outlets));
        read(source.as_mut(), settings, &sender, stop, progress);
        drop(sender);
        (judge.join(), source.inputs())
    });
    let (fabric, live) = fabric.map_err(|_| defect("the fabric thread ended early"))?;
    let report = fabric.report(files(&inputs));
    if let Some(live) = &live {
        live.set_report(Arc::new(report.clone()));
        live.set_ended();
    }
    Ok(report)
}

fn defect(what: &str) -> Failure {
    Failure::new("the analysis stopped", what, "this is a defect of fabricscope: please report it with the input")
}

fn read(
    source: &mut dyn Source,
    settings: &Settings,
    ticks: &SyncSender<Tick>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&[Input]),
) {
    let worker = Worker::new(settings.worker.clone(), settings.plan.clone());
    let hand_over = HandOver { ticks, live: settings.live, waiting: None };
    let mut reader = Reader { worker, settings, hand_over, pacer: Pacer::new(settings.pace), stop, newest: None };
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        match source.step(&mut reader) {
            Step::More => {}
            Step::Idle => reader.idle(),
            Step::End => break,
        }
        if looked.elapsed() >= PROGRESS_EVERY {
            looked = Instant::now();
            progress(&source.inputs());
        }
    }
    let Reader { mut worker, mut hand_over, .. } = reader;
    worker.finish(&mut |tick| hand_over.give(tick));
    hand_over.finish();
}

/// Ticks on their way to the fabric thread. That thread is gone only when it failed, which is told when it is joined:
/// what can't be sent then is of no use to anybody.
struct HandOver<'a> {
    ticks: &'a SyncSender<Tick>,
    live: bool,
    /// Live: ticks merged into one while the channel was full.
    waiting: Option<Tick>,
}

impl HandOver<'_> {
    fn give(&mut self, tick: Tick) {
        if !self.live {
            let _ = self.ticks.send(tick);
            return;
        }
        let tick = match self.waiting.take() {
            Some(mut earlier) => {
                earlier.merge(tick);
                earlier
            }
            None => tick,
        };
        if let Err(TrySendError::Full(tick)) = self.ticks.try_send(tick) {
            self.waiting = Some(tick);
        }
    }

    fn finish(self) {
        if let Some(tick) = self.waiting {
            let _ = self.ticks.send(tick);
        }
    }
}

struct Reader<'a> {
    worker: Worker,
    settings: &'a Settings,
    hand_over: HandOver<'a>,
    pacer: Pacer,
    stop: &'a AtomicBool,
    /// Live: packet time of the newest frame, and when it came.
    newest: Option<(u64, Instant)>,
}

impl Reader<'_> {
    /// Nothing to read just now. Live, packet time goes on by the wall from the newest frame on, a little behind it for frames
    /// still on their way; so it does not matter whose clock stamped them, nor that the wall's may step.
    fn idle(&mut self) {
        let newest = self.newest.filter(|_| self.settings.live);
        if let Some((at_ns, came)) = newest {
            let passed_ns = u64::try_from(came.elapsed().saturating_sub(LATE).as_nanos()).unwrap_or(u64::MAX);
            let Self { worker, hand_over, .. } = self;
            worker.advance(at_ns.saturating_add(passed_ns), &mut |tick| hand_over.give(tick));
        }
        thread::sleep(IDLE);
    }
}

impl Sink for Reader<'_> {
    fn interface(&mut self, interface: &Interface) {
        let nature = nature(&self.settings.plan, &self.settings.natures, &interface.source);
        self.worker.add_interface(interface, nature);
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        let Self { worker, hand_over, pacer, stop, .. } = self;
        pacer.pass(batch, stop, |due| worker.observe(due, &mut |tick| hand_over.give(tick)));
        if let (true, Some(last)) = (self.settings.live, batch.last()) {
            let newest_ns = self.newest.map_or(0, |(at_ns, _)| at_ns).max(last.at_ns);
            self.newest = Some((newest_ns, Instant::now()));
        }
    }

    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) {
        self.worker.dropped(interface, at_ns, count);
    }
}

/// What the topology says of a tap's envelope; where it says nothing, what its first frames do.
fn nature(plan: &Plan, seen: &NatureWatch, source: &str) -> TapNature {
    match plan.tap_format(source) {
        Some((rspan, _)) => TapNature { rspan, ..TapNature::default() },
        None => seen.nature(source),
    }
}

/// Until no more ticks come: absorbs them, publishes, keeps.
fn judge(ticks: Receiver<Tick>, config: FabricConfig, outlets: Outlets) -> (Fabric, Option<Live>) {
    let Outlets { live, mut keeper } = outlets;
    let mut fabric = Fabric::new(config);
    let mut published: Option<Instant> = None;
    let mut sequence = 0;
    let mut last = Tick::default();
    for tick in ticks {
        let findings = fabric.absorb(&tick);
        if let Some(live) = &live {
            live.set_tick(TickNumbers::of(sequence, &tick, fabric.links()));
            if published.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                published = Some(Instant::now());
                live.set_report(Arc::new(fabric.report(Vec::new())));
            }
        }
        last = Tick { start_ns: tick.end_ns, end_ns: tick.end_ns, ..Tick::default() };
        if let Some(keeper) = &mut keeper {
            keeper.keep(sequence, tick, fabric.links(), findings);
        }
        sequence += 1;
    }
    let findings = fabric.finish();
    if let Some(mut keeper) = keeper {
        keeper.keep(sequence, last, fabric.links(), findings);
        keeper.finish();
    }
    (fabric, live)
}

/// Inputs as the report lists them.
fn files(inputs: &[Input]) -> Vec<File> {
    inputs.iter().map(file).collect()
}

fn file(input: &Input) -> File {
    let mut damage: Vec<String> = input.damage.iter().map(ToString::to_string).collect();
    if input.damage_left_out > 0 {
        damage.push(format!("and {} more places", input.damage_left_out));
    }
    File {
        path: input.path.clone(),
        link_types: input.link_types.clone(),
        packets: input.frames,
        bytes: input.captured_bytes,
        first_ns: input.first_ns,
        last_ns: input.last_ns,
        damage,
    }
}
