//! Several workers give the report of one, byte for byte: through the whole program, with its threads.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use analyzer::fabric::FabricConfig;
use analyzer::topology::{Plan, Topology};
use analyzer::worker::{NatureWatch, WorkerConfig};
use capture::{FileOptions, Source};
use fabricscope::args::Pace;
use fabricscope::pipeline::{Outlets, Settings, run};
use fixtures::sim;

/// Scenarios with and without faults: pauses, moves, losses, copies, marks, mirrors of all kinds.
const SCENARIOS: [&str; 12] = [
    "healthy_everyday",
    "healthy_storage",
    "healthy_mirror_loss",
    "healthy_doubled",
    "healthy_clocks",
    "healthy_erspan3",
    "incast",
    "pfc_deadlock",
    "slow_receiver",
    "link_down_slow",
    "corruption",
    "reordering",
];

fn report(source: Box<dyn Source>, plan: &Arc<Plan>, workers: usize) -> String {
    let settings = Settings {
        plan: plan.clone(),
        natures: NatureWatch::default(),
        fabric: FabricConfig::default(),
        worker: WorkerConfig { workers, ..WorkerConfig::default() },
        pace: Pace::Max,
        live: false,
    };
    let report = run(source, &settings, Outlets::default(), &AtomicBool::new(false), &mut |_| ()).unwrap();
    serde_json::to_string_pretty(&report).unwrap()
}

fn same(name: &str, plan: &Plan, source: impl Fn() -> Box<dyn Source>) {
    let plan = Arc::new(plan.clone());
    let one = report(source(), &plan, 1);
    for workers in [2, 3] {
        let several = report(source(), &plan, workers);
        let differs = one.lines().zip(several.lines()).position(|(a, b)| a != b);
        let near = |text: &str| text.lines().skip(differs.unwrap_or(0).saturating_sub(8)).take(16).collect::<String>();
        assert!(one == several, "{name}, {workers} workers:\none     {}\nseveral {}", near(&one), near(&several));
    }
}

fn files(name: &str, paths: &[PathBuf]) {
    let open = || capture::open(paths, &FileOptions::default()).unwrap();
    same(name, &Plan::default(), open);
    if let Some(text) = paths[0].parent().and_then(|f| std::fs::read_to_string(f.join("topology.json")).ok()) {
        same(&format!("{name} with its topology"), &Plan::new(&Topology::parse(&text, name).unwrap()), open);
    }
}

/// Each file of a folder by itself, the files of a folder in it together.
fn folder(folder: &Path) {
    let list = |folder: &Path| {
        let mut all: Vec<PathBuf> = folder.read_dir().unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all
    };
    let is_capture = |p: &PathBuf| p.to_string_lossy().contains(".pcap");
    for path in list(folder) {
        let together = if path.is_dir() { list(&path) } else { vec![path.clone()] };
        let captures: Vec<PathBuf> = together.into_iter().filter(is_capture).collect();
        if !captures.is_empty() {
            files(&path.display().to_string(), &captures);
        }
    }
}

#[test]
fn captures_of_the_repository() {
    folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures"));
}

#[test]
fn shared_captures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("FABRICSCOPE_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    for name in ["captures/softroce", "captures/fabric-sim"] {
        let captures = shared.join(name);
        if captures.is_dir() {
            folder(&captures);
            continue;
        }
        let why = format!("needs the captures in {}", captures.display());
        assert!(std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_none_or(|v| v != "1"), "{why}");
        let _ = writeln!(stderr(), "SKIPPED: {why}");
    }
}

#[test]
fn simulated_fabrics() {
    let options = sim::Options { duration_ns: Some(500_000_000), ..sim::Options::default() };
    for name in SCENARIOS {
        let topology = sim::source(name, &options).unwrap().1;
        let plan = Plan::new(&Topology::parse(&topology, name).unwrap());
        same(name, &plan, || sim::source(name, &options).unwrap().0);
    }
}
