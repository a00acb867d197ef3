//! Captures of other projects, damaged and hostile ones among them, through the whole analysis: none panics, hangs or grows.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use analyzer::fabric::FabricConfig;
use analyzer::report::Report;
use analyzer::topology::Plan;
use analyzer::worker::{NatureWatch, WorkerConfig};
use capture::FileOptions;
use fabricscope::args::Pace;
use fabricscope::pipeline::{Outlets, Settings, run};

/// For a file of at most a few megabytes, unoptimised, on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("FABRICSCOPE_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let folder = shared.join("captures/foreign");
    if folder.is_dir() {
        return Some(folder);
    }
    let why = format!("needs the captures in {}", folder.display());
    assert!(std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_none_or(|v| v != "1"), "{why}");
    let _ = writeln!(stderr(), "SKIPPED: {why}");
    None
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, into);
        } else if [".cap", ".pcap", ".pcapng", ".zst", ".gz"].iter().any(|e| path.to_string_lossy().ends_with(e)) {
            into.push(path);
        }
    }
}

/// `None`: refused, by name.
fn analysed(path: &Path) -> Option<Report> {
    let source = capture::open(std::slice::from_ref(&path.to_path_buf()), &FileOptions::default()).ok()?;
    let settings = Settings {
        plan: Arc::new(Plan::default()),
        natures: NatureWatch::default(),
        fabric: FabricConfig::default(),
        worker: WorkerConfig::default(),
        pace: Pace::Max,
        live: false,
    };
    let (outlets, stop) = (Outlets::default(), AtomicBool::new(false));
    Some(run(source, &settings, outlets, &stop, &mut |_| ()).unwrap())
}

#[test]
fn no_capture_of_others_stops_the_analysis() {
    let Some(folder) = folder() else { return };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let (next, analyses, packets) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun = Instant::now();
                    if let Some(report) = analysed(path) {
                        analyses.fetch_add(1, Ordering::Relaxed);
                        packets.fetch_add(report.capture.packets as usize, Ordering::Relaxed);
                    }
                    let took = begun.elapsed();
                    assert!(took < LIMIT, "{} took {took:?}", path.display());
                }
            });
        }
    });
    let (analyses, packets) = (analyses.into_inner(), packets.into_inner());
    eprintln!("{} files, {analyses} of them analysed, {packets} packets", paths.len());
    assert!(paths.len() > 2_000 && analyses * 100 > paths.len() * 95, "{analyses} of {} were analysed", paths.len());
}
