//! Joins the rooms: source -> worker -> fabric -> live side and store.
//!
//! The calling thread reads and measures; one fabric thread merges ticks, judges, publishes and stores. Between them is a
//! bounded channel: in a replay a full channel holds up reading, so nothing is lost and the same frames give the same report.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

use analyzer::fabric::FabricConfig;
use analyzer::report::{File, LiveInput, Report};
use analyzer::topology::Plan;
use analyzer::worker::{NatureWatch, WorkerConfig};
use capture::{Input, LiveState, Source};
use dashboard::Live;

use crate::args::Pace;
use crate::evidence::Evidence;
use crate::failure::Failure;
use crate::judge::Judge;
use crate::keep::Keeper;
use crate::reader::{Around, read};
use crate::recorder::Recorder;
use crate::reload::Reload;

/// Ticks that may wait for the fabric thread.
const TICKS_WAITING: usize = 64;

/// Where results go beside the final report.
#[derive(Default)]
pub struct Outlets {
    /// The dashboard of this process.
    pub live: Option<Live>,
    /// The store.
    pub keeper: Option<Keeper>,
    /// Where frames are written down.
    pub recorder: Option<Recorder>,
    /// What keeps the frames around findings.
    pub evidence: Option<Evidence>,
    /// Reads the user's files again when asked to.
    pub reload: Option<Reload>,
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
    let inputs = Mutex::new(Vec::new());
    let Outlets { live, keeper, recorder, evidence, reload } = outlets;
    let judge = Judge::new(settings, live.clone(), keeper, evidence, &inputs);
    let fabric = thread::scope(|scope| {
        let judge = thread::Builder::new().name("fabric".to_owned()).spawn_scoped(scope, || judge.run(receiver));
        let judge =
            judge.map_err(|why| Failure::new("cannot start the fabric thread", why, "raise the limit of threads"))?;
        read(source.as_mut(), Around { settings, ticks: &sender, stop, recorder, reload, inputs: &inputs }, progress);
        drop(sender);
        judge.join().map_err(|_| defect("the fabric thread ended early"))
    })?;
    let report = fabric.report(files(&source.inputs()));
    if let Some(live) = &live {
        live.set_report(Arc::new(report.clone()));
        live.set_ended();
    }
    Ok(report)
}

fn defect(what: &str) -> Failure {
    Failure::new("the analysis stopped", what, "this is a defect of fabricscope: please report it with the input")
}

/// Inputs as the report lists them.
pub(crate) fn files(inputs: &[Input]) -> Vec<File> {
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
        live: input.live.as_ref().map(|live| live_input(input, live)),
    }
}

fn live_input(input: &Input, live: &capture::Live) -> LiveInput {
    let state = match live.state {
        LiveState::Up => "up",
        LiveState::Down => "down",
        LiveState::Gone => "gone",
    };
    LiveInput {
        mode: live.mode.clone(),
        refused: live.refused.iter().map(|r| format!("{}: {}", r.mode, r.reason)).collect(),
        queue: live.queue,
        state: state.to_owned(),
        outages: live.outages,
        filtered: input.filtered,
        cut: live.cut,
        lost_in_ring: live.lost_in_ring,
        lost_without_buffer: live.lost_without_buffer,
        lost_in_kernel: live.lost_in_kernel,
        lost_by_interface: live.lost_by_interface,
        clock_steps: live.clock_steps,
        clock_apart_ns: live.clock_apart_ns,
        last_error: live.last_error.clone(),
        notes: live.notes.clone(),
    }
}
