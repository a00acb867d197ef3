//! `fabricscope run`: what arrives on interfaces, now.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use analyzer::worker::NatureWatch;
use capture::live::processors::near;
use capture::live::{Choice, LiveOptions, Mode as CaptureOf};
use capture::{Input, Source};
use dashboard::Mode;
use store::Fullness;

use crate::analysis::{Task, conduct};
use crate::args::{CaptureMode, Pace, Processors, RunArgs};
use crate::confine::folders;
use crate::failure::Failure;
use crate::output::warn;
use crate::recorder::WriteOptions;
use crate::several::Several;

/// Most bytes of the spool that a store outage is survived with.
const SPOOL_BYTES: u64 = 4 << 30;
/// A source that finds nothing sleeps so long, when it is alone.
const NAP: Duration = Duration::from_micros(200);

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    check_names(args)?;
    let sources = capture::live::open(&args.interfaces, &options(args))
        .map_err(|why| Failure::new("cannot capture", why, to_do()))?;
    if !args.analysis.quiet {
        sources.iter().flat_map(|s| s.inputs()).for_each(|input| say_mode(&input));
    }
    let source: Box<dyn Source> = Box::new(Several::new(sources).on(processors(args)));
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let task = Task {
        source,
        pace: Pace::Max,
        topology: None,
        natures: NatureWatch::default(),
        mode: Mode::Live,
        sources: args.interfaces.clone(),
        run: format!("{:x}", started.as_nanos()),
        fullness: Fullness::Spool { dir: spool_dir(args), max_bytes: SPOOL_BYTES },
        write: write_options(args),
        confined: (!args.keep_privileges).then(|| folders(&args.analysis, args.write.as_deref(), &spool_dir(args))),
    };
    let (duration, quiet, interfaces) = (args.duration, args.analysis.quiet, args.interfaces.join(", "));
    conduct(&args.analysis, task, |web| {
        if !quiet {
            warn(format!("capturing from {interfaces}"));
        }
        if let Some(time) = duration {
            web.stop_after(time.0);
        }
    })
}

/// A snap length for an interface that is not captured from would have no effect.
fn check_names(args: &RunArgs) -> Result<(), Failure> {
    let names = args.snaplen.iter().filter_map(|s| s.interface.as_ref());
    match names.into_iter().find(|name| !args.interfaces.contains(name)) {
        None => Ok(()),
        Some(name) => {
            let why = "it is not among the interfaces captured from";
            Err(Failure::new(format!("no snap length for {name}"), why, "name it with --interface as well"))
        }
    }
}

/// Where the reading thread is to stay, if it is told to.
fn processors(args: &RunArgs) -> Option<Vec<usize>> {
    match &args.cpu {
        Processors::Any => None,
        Processors::These(list) => Some(list.clone()),
        Processors::Near => args.interfaces.first().and_then(|interface| near(interface)),
    }
}

/// Names what is missing, if that is what stands in the way.
fn to_do() -> String {
    match capture::live::Machine::read().missing.as_slice() {
        [] => "fabricscope doctor tells what this machine can do".to_owned(),
        missing => format!(
            "this process lacks {}: run it as root, or once: setcap cap_net_raw,cap_net_admin,cap_bpf+ep fabricscope",
            missing.join(", ")
        ),
    }
}

fn write_options(args: &RunArgs) -> Option<WriteOptions> {
    args.write.clone().map(|folder| WriteOptions {
        folder,
        file_bytes: args.write_size.0,
        file_ns: u64::try_from(args.write_time.0.as_nanos()).unwrap_or(u64::MAX),
        budget_bytes: args.write_budget.0,
    })
}

fn options(args: &RunArgs) -> LiveOptions {
    let choice = match args.mode {
        CaptureMode::Auto => Choice::Best,
        CaptureMode::Xdp => Choice::Xdp,
        CaptureMode::XdpGeneric => Choice::Only(CaptureOf::XdpGeneric),
        CaptureMode::Packet => Choice::Only(CaptureOf::Packet),
        CaptureMode::Pcap => Choice::Only(CaptureOf::Pcap),
    };
    LiveOptions {
        filter: args.analysis.filter.clone(),
        choice,
        snaplen: args.snaplen.iter().rfind(|s| s.interface.is_none()).map_or(0, |s| s.bytes),
        snaplens: args.snaplen.iter().filter_map(|s| Some((s.interface.clone()?, s.bytes))).collect(),
        ring_bytes: args.ring as usize * 1024 * 1024,
        nap: if args.interfaces.len() == 1 { NAP } else { Duration::ZERO },
        ..LiveOptions::default()
    }
}

/// Which rung of the ladder was taken, and why not a higher one.
fn say_mode(input: &Input) {
    let Some(live) = &input.live else { return };
    let queue = live.queue.map_or_else(String::new, |q| format!(" queue {q}"));
    warn(format!("{}{queue}: captured by {}", input.path, live.mode));
    for refusal in &live.refused {
        warn(format!("{}{queue}: not by {}: {}", input.path, refusal.mode, refusal.reason));
    }
    for note in &live.notes {
        warn(format!("{}{queue}: {note}", input.path));
    }
}

/// Beside the embedded store's data, else under the system's folder for it or the user's.
fn spool_dir(args: &RunArgs) -> PathBuf {
    let beside = args.analysis.store_dir.clone().map(|dir| dir.join("spool"));
    beside
        .or_else(|| store::default_dir().ok().map(|dir| dir.join("spool")))
        .unwrap_or_else(|| std::env::temp_dir().join("fabricscope-spool"))
}
