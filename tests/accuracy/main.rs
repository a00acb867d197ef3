//! What the detectors find and what they invent, against known truth: docs/accuracy.md is written here.
//!
//! `cargo test --test accuracy` judges a few simulated scenarios and fails when one is not named or something is invented.
//! `FABRICSCOPE_WRITE_ACCURACY=1 cargo test --test accuracy` judges everything and writes docs/accuracy.md.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod judge;
mod table;
mod truth;
mod variants;

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fixtures::sim::catalogue;
use fixtures::sim::scenario::Scenario;
use serde_json::Value;

use judge::{Judged, judge};
use truth::Case;

/// Simulated scenarios judged by every test run: short ones, over all families of faults, and two without any.
const ALWAYS: [&str; 19] = [
    "healthy_two_rings",
    "healthy_ring_pipeline",
    "healthy_doubled",
    "healthy_mirror_loss",
    "lossy_cut",
    "lossy_mirror_loss",
    "straggler",
    "packet_trim",
    "lossy_sampled",
    "duplicates",
    "incast",
    "link_degraded",
    "lossy_link",
    "pfc_storm",
    "receiver_not_ready",
    "link_down_slow",
    "link_flap",
    "host_link_down",
    "reordering",
];

/// The report of the program as a user runs it.
fn report(case: &Case) -> Value {
    let mut program = Command::new(env!("CARGO_BIN_EXE_fabricscope"));
    program.arg("replay").args(&case.captures).args(["--quiet", "--format", "json", "--store", "none"]);
    if let Some(topology) = &case.topology {
        program.arg("--topology").arg(topology);
    }
    let done = program.output().unwrap();
    assert!(done.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Does `work` for each item, two at a time, and keeps the order.
fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((at, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, items.get(n)?)))
                {
                    let result = work(item);
                    done.lock().unwrap().push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn judge_scenario(scenario: &Scenario) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    fixtures::sim::write::write(scenario, folder.path()).unwrap();
    let case = truth::simulated(folder.path()).unwrap();
    judge(&case, &report(&case))
}

fn judge_folder(folder: &Path) -> Vec<Judged> {
    let cases = if folder.join("labels.json").exists() { truth::emulated(folder) } else { truth::folders(folder) };
    each(&cases, |case: &Case| judge(case, &report(case)))
}

fn shared(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("FABRICSCOPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    Some(base.join("captures").join(name)).filter(|folder| folder.exists())
}

#[test]
fn faults_are_named_and_nothing_is_invented() {
    let mut scenarios: Vec<Scenario> = ALWAYS.iter().map(|name| catalogue::find(name).expect(name)).collect();
    let lossy = catalogue::find("lossy_link").unwrap();
    scenarios.extend(variants::ALL.iter().filter(|v| v.always).map(|v| v.of(&lossy)));
    let judged = each(&scenarios, judge_scenario);
    let wrong: Vec<String> = judged.iter().flat_map(Judged::complaints).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_document_is_written_on_demand() {
    if std::env::var_os("FABRICSCOPE_WRITE_ACCURACY").is_none() {
        return;
    }
    let own: Vec<Scenario> = catalogue::all().into_iter().filter(|s| s.name != "demo").collect();
    let mut parts = vec![("our own simulated fabric", each(&own, judge_scenario))];
    for (name, title) in [("fabric-sim", "another simulator"), ("softroce", "Linux soft-RoCE on emulated hosts")] {
        match shared(name) {
            Some(folder) => parts.push((title, judge_folder(&folder))),
            None => drop(writeln!(stderr(), "SKIPPED: captures/{name} of the shared folder is not here")),
        }
    }
    let varied: Vec<_> = variants::ALL.iter().map(|v| (v, each(&variants::of_all(v, &own), judge_scenario))).collect();
    let text = table::document(&parts, &varied);
    std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/accuracy.md"), text).unwrap();
}

/// Scenarios with other dice, and those seen through worse mirrors: the same faults are named and nothing else. The seeds are new with
/// each number: `FABRICSCOPE_SEEDS=5 cargo test --test accuracy dice -- --ignored`.
#[test]
#[ignore = "minutes; FABRICSCOPE_SEEDS says with how many seeds"]
fn faults_are_named_with_other_dice() {
    let seeds = std::env::var("FABRICSCOPE_SEEDS").map_or(3, |s| s.parse::<u64>().unwrap());
    let known = catalogue::all().into_iter().filter(|s| s.name != "demo" && !s.name.contains("_hosts"));
    let thrown: Vec<Scenario> =
        known.flat_map(|s| (1..=seeds).map(move |n| Scenario { seed: s.seed + 1_000 * n, ..s.clone() })).collect();
    let mut wrong = complaints("as it is", &thrown);
    for variant in variants::ALL {
        wrong.extend(complaints(variant.title, &variants::of_all(variant, &thrown)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaints(title: &str, scenarios: &[Scenario]) -> Vec<String> {
    let judged: Vec<Vec<String>> = each(scenarios, |s| judge_scenario(s).complaints());
    let good = judged.iter().filter(|complaints| complaints.is_empty()).count();
    let _ = writeln!(stderr(), "{title}: {good} of {} without complaint", judged.len());
    let seeds = scenarios.iter().map(|s| s.seed);
    let said = judged.into_iter().zip(seeds);
    said.flat_map(|(all, seed)| all.into_iter().map(move |c| format!("{title}, seed {seed}: {c}"))).collect()
}
