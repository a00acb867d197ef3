//! `fabricscope replay`: captures in, a verdict out.

use std::path::PathBuf;
use std::process::ExitCode;

use capture::FileOptions;
use dashboard::Mode;
use store::Fullness;

use crate::analysis::{Task, conduct};
use crate::args::ReplayArgs;
use crate::demo;
use crate::failure::Failure;
use crate::inputs::expand;
use crate::look::look;
use crate::run_name::run_name;

/// Runs the command.
pub fn replay(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    if let Some(name) = simulated(&args.inputs) {
        let task = demo::task(name, args.pace, None)?;
        return conduct(&args.analysis, task, |_| ());
    }
    let paths = expand(&args.inputs)?;
    let options = FileOptions { filter: args.analysis.filter.clone() };
    let task = Task {
        source: capture::open(&paths, &options).map_err(|why| Failure::new("cannot read the input", why, ""))?,
        pace: args.pace,
        topology: None,
        natures: look(&paths),
        mode: Mode::Replay,
        sources: paths.iter().map(|p| p.display().to_string()).collect(),
        run: run_name(&paths, &args.analysis)?,
        fullness: Fullness::Block,
        write: None,
        confined: None,
    };
    conduct(&args.analysis, task, |_| ())
}

/// `sim:NAME` as the only input: a scenario of the simulated fabric.
fn simulated(inputs: &[PathBuf]) -> Option<&str> {
    match inputs {
        [input] => input.to_str()?.strip_prefix("sim:"),
        _ => None,
    }
}
