//! `fabricscope replay`: captures in, a verdict out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use analyzer::fabric::FabricConfig;
use analyzer::report::Report;
use analyzer::topology::{Plan, Topology};
use analyzer::worker::WorkerConfig;
use capture::{FileOptions, Source};
use dashboard::{Live, Mode, SensorInfo};
use store::{Memory, Store};

use crate::args::{DEFAULT_ADDRESS, Format, ReplayArgs};
use crate::failure::Failure;
use crate::inputs::expand;
use crate::keep::Keeper;
use crate::look::look;
use crate::output::{print, report_text, warn, write_whole};
use crate::pipeline::{Outlets, Settings, run};
use crate::progress::Progress;
use crate::run_name::run_name;
use crate::show;
use crate::web::Web;

/// Rows that the memory store keeps: some 300 MB at most.
const MEMORY_ROWS: usize = 500_000;

/// Runs the command.
pub fn replay(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let paths = expand(&args.inputs)?;
    let settings = settings(args, &paths)?;
    let source = open(&paths, args.filter.as_deref())?;
    let store = open_store(args)?;
    let (web, outlets) = match store {
        Some(store) => with_store(args, &paths, store)?,
        None => (None, Outlets { live: None, keeper: None }),
    };
    let report = analyse(args, source, &settings, outlets, web.as_ref())?;
    tell(args, &report)?;
    if let (Some(web), Some(address)) = (web, &args.serve) {
        if !args.quiet {
            warn(format!("the input has ended; the dashboard stays open on {address} until you press Ctrl-C"));
        }
        web.wait()?;
    }
    let bad = args.fail_on.is_some_and(|limit| report.findings.iter().any(|f| f.severity >= limit.into()));
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn analyse(
    args: &ReplayArgs,
    source: Box<dyn Source>,
    settings: &Settings,
    outlets: Outlets,
    web: Option<&Web>,
) -> Result<Report, Failure> {
    let never = AtomicBool::new(false);
    let stop = web.map_or(&never, Web::stop);
    let mut progress = Progress::new(args.quiet);
    let report = run(source, settings, outlets, stop, &mut |inputs| progress.update(inputs));
    progress.finish();
    report
}

fn open(paths: &[PathBuf], filter: Option<&str>) -> Result<Box<dyn Source>, Failure> {
    let options = FileOptions { filter: filter.map(str::to_owned) };
    capture::open(paths, &options).map_err(|why| Failure::new("cannot read the input", why, ""))
}

/// The topology file, TOML or JSON.
pub fn read_topology(path: &Path) -> Result<Topology, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::file("read the topology", path, &why))?;
    Topology::parse(&text, &path.display().to_string())
        .map_err(|why| Failure::new("cannot use the topology", why, "docs/topology.md describes the file"))
}

fn settings(args: &ReplayArgs, paths: &[PathBuf]) -> Result<Settings, Failure> {
    let topology = args.topology.as_deref().map(read_topology).transpose()?;
    let plan = topology.map_or_else(Plan::default, |t| Plan::new(&t));
    let mut worker = WorkerConfig::default();
    if !plan.rdma_ports().is_empty() {
        worker.rdma_ports = plan.rdma_ports().to_vec();
    }
    let natures = look(paths);
    Ok(Settings { plan: Arc::new(plan), natures, fabric: FabricConfig::default(), worker, pace: args.pace })
}

fn open_store(args: &ReplayArgs) -> Result<Option<Arc<dyn Store>>, Failure> {
    match args.store.as_deref() {
        Some("memory") => Ok(Some(Arc::new(Memory::new(MEMORY_ROWS)))),
        None if args.serve.is_some() => Ok(Some(Arc::new(Memory::new(MEMORY_ROWS)))),
        Some("none") | None => Ok(None),
        Some(other) => {
            Err(Failure::new(format!("no store is called {other}"), "there are none and memory", "give one of those"))
        }
    }
}

fn with_store(args: &ReplayArgs, paths: &[PathBuf], store: Arc<dyn Store>) -> Result<(Option<Web>, Outlets), Failure> {
    let mut web = Web::start()?;
    let keeper = Keeper::new(store.clone(), web.handle(), "replay", &run_name(paths, args)?);
    let mut live = None;
    if args.serve.is_some() {
        let side = Live::new();
        let address = args.serve.as_deref().unwrap_or(DEFAULT_ADDRESS);
        let url = web.open(address, store, Some(side.clone()), sensor(paths))?;
        if !args.quiet {
            warn(format!("dashboard on {url}"));
        }
        live = Some(side);
    }
    Ok((Some(web), Outlets { live, keeper: Some(keeper) }))
}

fn sensor(paths: &[PathBuf]) -> SensorInfo {
    SensorInfo {
        sensor: "replay".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: Mode::Replay,
        sources: paths.iter().map(|p| p.display().to_string()).collect(),
    }
}

/// The report to where the user wants it.
fn tell(args: &ReplayArgs, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &args.report {
        write_whole(path, &report_text(report)?)?;
    }
    for file in report.capture.files.iter() {
        for damage in &file.damage {
            warn(format!("{}: {damage}", show::style::clean(&file.path)));
        }
    }
    match args.format {
        _ if args.quiet => Ok(()),
        Format::Text => print(|out| show::text(report, show::style::Style::of_stdout(), out)),
        Format::Json => {
            let text = report_text(report)?;
            print(|out| out.write_all(text.as_bytes()))
        }
    }
}
