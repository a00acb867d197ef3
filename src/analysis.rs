//! What a replay and a live run have in common: settings, store and dashboard behind the analysis, the report told.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use analyzer::detect::DetectConfig;
use analyzer::dpi::Signatures;
use analyzer::fabric::FabricConfig;
use analyzer::policy::{Owners, Policy};
use analyzer::report::Report;
use analyzer::topology::{Plan, Topology};
use analyzer::worker::{NatureWatch, WorkerConfig};
use capture::write::{Recent, RecentOptions};
use capture::{Input, Source};
use dashboard::{Live, Mode, SensorInfo};
use store::{Fullness, Retention, Store};

use crate::args::{AnalysisArgs, Format, Pace};
use crate::config::Config;
use crate::confine::confine;
use crate::evidence::{self, Evidence};
use crate::failure::Failure;
use crate::keep::Keeper;
use crate::notify::Notify;
use crate::output::{print, report_text, warn, write_whole};
use crate::pipeline::{Outlets, Settings, run};
use crate::progress::Progress;
use crate::recorder::{Recorder, WriteOptions};
use crate::reload::{Configured, Reload};
use crate::serve::open_store;
use crate::show;
use crate::watcher::Watcher;
use crate::web::Web;

/// What is analysed.
pub struct Task {
    /// Where frames come from.
    pub source: Box<dyn Source>,
    /// How fast packet time passes.
    pub pace: Pace,
    /// What the source itself knows of the fabric; a file that the user names stands above it.
    pub topology: Option<Topology>,
    /// What the taps' first frames said of them.
    pub natures: NatureWatch,
    /// Files or interfaces.
    pub mode: Mode,
    /// Their names.
    pub sources: Vec<String>,
    /// Name of the run in the store: the same for the same input.
    pub run: String,
    /// What happens when the store is slower.
    pub fullness: Fullness,
    /// Where every frame is written, if anywhere.
    pub write: Option<WriteOptions>,
    /// Folders that are written to, where everything else is given up before the first frame; absent: nothing is.
    pub confined: Option<Vec<PathBuf>>,
}

/// Analyses to the end, tells the report, then serves for as long as the user wants.
pub fn conduct(args: &AnalysisArgs, mut task: Task, begun: impl FnOnce(&Web)) -> Result<ExitCode, Failure> {
    let config = Config::read(args.config.as_deref(), args.preset.as_deref())?;
    let retention = config.retention;
    let settings = settings(args, config, &mut task)?;
    if let Some(folders) = &task.confined {
        confine(folders, args.quiet);
    }
    let web = Web::start()?;
    let mut behind = Behind::open(args, retention, &task, web)?;
    let mut progress = Progress::new(args.quiet);
    let mut outlets = std::mem::take(&mut behind.outlets);
    write_down(args, &task, &settings, &mut outlets)?;
    if task.mode == Mode::Live {
        outlets.reload = Some(reload(args, &task, &behind.web)?);
    }
    let mut notify = Notify::from_environment();
    notify.ready(&format!("reading {}", task.sources.join(", ")));
    begun(&behind.web);
    let mut watcher = Watcher::default();
    let mut tell_progress = |inputs: &[Input]| {
        progress.update(inputs);
        watcher.tell(inputs);
        notify.alive();
    };
    let report = run(task.source, &settings, outlets, behind.web.stop(), &mut tell_progress);
    notify.stopping();
    progress.finish();
    let report = report?;
    tell(args, &report)?;
    behind.end(args, task.mode)?;
    let bad = args.fail_on.is_some_and(|limit| report.findings.iter().any(|f| f.severity >= limit.into()));
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Frames to files that rotate, those around findings to a folder and to whoever looks at the dashboard.
fn write_down(args: &AnalysisArgs, task: &Task, settings: &Settings, outlets: &mut Outlets) -> Result<(), Failure> {
    let shelf = outlets.live.as_ref().map(|live| live.shelf().clone());
    let folder = args.evidence.as_deref().map(evidence::folder).transpose()?;
    let wanted = shelf.is_some() || folder.is_some();
    let recent = wanted.then(|| Arc::new(Mutex::new(Recent::new(RecentOptions::default()))));
    outlets.recorder = Recorder::new(task.write.as_ref(), recent.clone())?;
    outlets.evidence = recent.map(|recent| Evidence::new(recent, shelf, folder, settings.plan.clone()));
    Ok(())
}

/// Analyses to the end, for the report alone: every flow and queue pair that is remembered stands in it.
pub fn analyse(args: &AnalysisArgs, mut task: Task, stop: &AtomicBool) -> Result<Report, Failure> {
    let config = Config::read(args.config.as_deref(), args.preset.as_deref())?;
    let mut settings = settings(args, config, &mut task)?;
    settings.fabric.max_flows_in_report = settings.fabric.flow_capacity;
    settings.fabric.max_qps_in_report = settings.fabric.qp_capacity;
    run(task.source, &settings, Outlets::default(), stop, &mut |_| ())
}

/// Store and dashboard.
struct Behind {
    web: Web,
    store: Option<Arc<dyn Store>>,
    outlets: Outlets,
    url: Option<String>,
}

impl Behind {
    fn open(args: &AnalysisArgs, retention: Option<Retention>, task: &Task, mut web: Web) -> Result<Self, Failure> {
        let spec = args.store.as_deref().unwrap_or(if args.serve.is_some() { "memory" } else { "none" });
        let Some(store) = open_store(&web, spec, args.store_dir.clone(), retention)? else {
            return without_store(args, web);
        };
        let keeper = Keeper::start(store.clone(), &web, task)?;
        let live = args.serve.as_ref().map(|_| Live::new());
        let url = match &args.serve {
            Some(address) => Some(web.open(address, store.clone(), live.clone(), info(task))?),
            None => None,
        };
        if let (Some(url), false) = (&url, args.quiet) {
            warn(format!("dashboard on {url}"));
        }
        Ok(Self { web, store: Some(store), outlets: Outlets { live, keeper: Some(keeper), ..Outlets::default() }, url })
    }

    fn end(mut self, args: &AnalysisArgs, mode: Mode) -> Result<(), Failure> {
        let mut served = Ok(());
        if let (Some(url), Mode::Replay) = (&self.url, mode) {
            if !args.quiet {
                warn(format!("the input has ended; the dashboard stays open on {url} until you press Ctrl-C"));
            }
            served = self.web.wait_for_end();
        }
        if let Some(store) = &self.store {
            self.web.close(store.as_ref())?;
        }
        served
    }
}

fn without_store(args: &AnalysisArgs, web: Web) -> Result<Behind, Failure> {
    if args.serve.is_some() {
        let to_do = "give --store memory, embedded or a URL, or leave --store out";
        return Err(Failure::new("nothing to serve", "the dashboard needs a store", to_do));
    }
    Ok(Behind { web, store: None, outlets: Outlets::default(), url: None })
}

fn info(task: &Task) -> SensorInfo {
    SensorInfo {
        sensor: sensor_name(task.mode),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: task.mode,
        sources: task.sources.clone(),
    }
}

/// A live sensor goes by its machine's name: several write to one store.
pub fn sensor_name(mode: Mode) -> String {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    match mode {
        Mode::Replay => "replay".to_owned(),
        Mode::Live => host().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "live".to_owned()),
    }
}

/// The topology file, TOML or JSON.
fn read_topology(path: &Path) -> Result<Topology, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::file("read the topology", path, &why))?;
    Topology::parse(&text, &path.display().to_string())
        .map_err(|why| Failure::new("cannot use the topology", why, "docs/topology.md describes the file"))
}

/// Users' signatures.
fn read_signatures(path: &Path) -> Result<Signatures, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::file("read the signatures", path, &why))?;
    Signatures::parse(&text).map_err(|why| {
        let what = format!("cannot use the signatures in {}", path.display());
        Failure::new(what, why, "docs/signatures.md describes the file")
    })
}

/// The user's policy, with what the topology says of hosts and links.
fn read_policy(path: &Path, owners: Owners) -> Result<Policy, Failure> {
    let text = std::fs::read_to_string(path).map_err(|why| Failure::file("read the policy", path, &why))?;
    let policy = Policy::parse(&text, &path.display().to_string());
    let failed = |why| Failure::new("cannot use the policy", why, "docs/policy.md describes the file");
    Ok(policy.map_err(failed)?.with(owners))
}

/// What SIGHUP does.
fn reload(args: &AnalysisArgs, task: &Task, web: &Web) -> Result<Reload, Failure> {
    let (args, sources) = (args.clone(), task.sources.clone());
    let read = move || {
        let config = Config::read(args.config.as_deref(), args.preset.as_deref())?;
        configured(&args, config, &sources, None)
    };
    Ok(Reload::new(web.reload()?, Box::new(read)))
}

fn settings(args: &AnalysisArgs, config: Config, task: &mut Task) -> Result<Settings, Failure> {
    let Configured { plan, worker, fabric } = configured(args, config, &task.sources, task.topology.take())?;
    let (natures, live) = (std::mem::take(&mut task.natures), task.mode == Mode::Live);
    Ok(Settings { plan, natures, fabric, worker, pace: task.pace, live })
}

/// What the user's files and the command line say; `known` is the source's own topology.
fn configured(
    args: &AnalysisArgs,
    config: Config,
    sources: &[String],
    known: Option<Topology>,
) -> Result<Configured, Failure> {
    let topology = args.topology.as_deref().map(read_topology).transpose()?.or(known);
    let plan = topology.as_ref().map_or_else(Plan::default, Plan::new);
    let tick_ns = u64::try_from(args.tick.0.as_nanos()).unwrap_or(u64::MAX);
    let mut worker = WorkerConfig { tick_ns, workers: args.workers.into(), ..WorkerConfig::default() };
    if let Some(path) = &args.signatures {
        worker.signatures = Arc::new(read_signatures(path)?);
    }
    if !plan.rdma_ports().is_empty() {
        worker.rdma_ports = plan.rdma_ports().to_vec();
    }
    let sampled_one_in = args.sampling.filter(|n| *n > 1).or_else(|| sampled(&plan, sources));
    worker.sampled = sampled_one_in.is_some();
    let owners = topology.as_ref().map_or_else(Owners::default, |t| Owners::new(t, &plan));
    let policy = args.policy.as_deref().map(|path| read_policy(path, owners)).transpose()?.unwrap_or_default();
    let findings = expected_classes(config.findings, topology.as_ref());
    let fabric = FabricConfig { findings, sampled_one_in, policy: Arc::new(policy), ..FabricConfig::default() };
    Ok(Configured { plan: Arc::new(plan), worker, fabric })
}

/// The classes that the topology keeps for RoCE, where the configuration does not say.
fn expected_classes(mut findings: DetectConfig, topology: Option<&Topology>) -> DetectConfig {
    let Some(roce) = topology.map(|t| &t.roce) else { return findings };
    for (name, dscp) in [("data_dscp", roce.data_dscp), ("cnp_dscp", roce.cnp_dscp)] {
        if let Some(dscp) = dscp {
            let kind = findings.thresholds.entry("qos_misconfigured".to_owned()).or_default();
            kind.entry(name.to_owned()).or_insert(dscp.into());
        }
    }
    findings
}

/// One frame in how many the taps copy, where the topology says that any of them samples: the most of them.
fn sampled(plan: &Plan, sources: &[String]) -> Option<u64> {
    let name = |source: &str| Path::new(source).file_name().map(|n| n.to_string_lossy().into_owned());
    let each = sources.iter().filter_map(|source| plan.tap_format(&name(source)?)?.1);
    each.max().filter(|n| *n > 1)
}

/// The report to where the user wants it.
fn tell(args: &AnalysisArgs, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &args.report {
        write_whole(path, &report_text(report)?)?;
    }
    for file in &report.capture.files {
        for damage in &file.damage {
            warn(format!("{}: {damage}", show::style::clean(&file.path)));
        }
    }
    match args.format {
        Format::Text if args.quiet => Ok(()),
        Format::Text => print(|out| show::text(report, show::style::Style::of_stdout(), out)),
        Format::Json => {
            let text = report_text(report)?;
            print(|out| out.write_all(text.as_bytes()))
        }
    }
}
