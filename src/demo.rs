//! `fabricscope demo`: a simulated fabric in the dashboard. For a first look, and for anyone without a switch.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use analyzer::topology::Topology;
use analyzer::worker::NatureWatch;
use dashboard::Mode;
use fixtures::sim::{self, catalogue};
use store::Fullness;

use crate::analysis::{Task, conduct};
use crate::args::{AnalysisArgs, DEFAULT_ADDRESS, DemoArgs, Pace};
use crate::failure::Failure;
use crate::output::print;

/// Runs the command.
pub fn demo(args: &DemoArgs) -> Result<ExitCode, Failure> {
    if args.list {
        print(|out| catalogue::all().iter().try_for_each(|s| writeln!(out, "{:24} {}", s.name, s.about)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let duration_ns = args.duration.map(|time| time.0.as_nanos() as u64);
    let task = task(&args.scenario, args.pace, duration_ns)?;
    let serve = args.analysis.serve.clone().or((!args.headless).then(|| DEFAULT_ADDRESS.to_owned()));
    conduct(&AnalysisArgs { serve, ..args.analysis.clone() }, task, |_| ())
}

/// A scenario that begins now. Time is the frames' own, as in a replay: a simulation that falls behind the clock loses nothing.
pub(crate) fn task(name: &str, pace: Pace, duration_ns: Option<u64>) -> Result<Task, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = sim::Options { epoch_ns: now.as_nanos() as u64, duration_ns, ..sim::Options::default() };
    let unknown = |why| Failure::new("cannot show the scenario", why, "fabricscope demo --list tells what each shows");
    let (source, topology) = sim::source(name, &options).map_err(unknown)?;
    let topology = Topology::parse(&topology, name).map_err(|why| {
        Failure::new("cannot use the scenario's topology", why, "this is a defect of fabricscope: please report it")
    })?;
    Ok(Task {
        source,
        pace,
        topology: Some(topology),
        natures: NatureWatch::default(),
        mode: Mode::Replay,
        sources: vec![format!("sim:{name}")],
        run: format!("sim-{name}-{:x}", now.as_nanos()),
        fullness: Fullness::Block,
        write: None,
        confined: None,
    })
}
