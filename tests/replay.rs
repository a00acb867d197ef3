//! `fabricscope replay` as a user runs it: captures in, report and exit status out.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")
}

fn capture(name: &str) -> PathBuf {
    captures().join(format!("{name}.pcap.zst"))
}

fn fabricscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fabricscope"))
}

fn replay(arguments: &[&str]) -> Output {
    fabricscope().arg("replay").args(arguments).output().expect("the program runs")
}

fn report_bytes(arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.json");
    let done = replay(&[arguments, &["--quiet", "--report", out.to_str().unwrap()]].concat());
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    fs::read(out).unwrap()
}

fn report(arguments: &[&str]) -> Value {
    serde_json::from_slice(&report_bytes(arguments)).unwrap()
}

fn failure(arguments: &[&str]) -> String {
    let done = replay(arguments);
    assert_eq!(done.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(done.stderr).unwrap()
}

/// Captures (a folder of several files is one) that have, or shall have, an expected report.
fn all_captures() -> Vec<String> {
    let entries = fs::read_dir(captures()).unwrap().map(|e| e.unwrap());
    // A folder without a topology is no fabric: its captures have a test of their own.
    let wanted =
        entries.filter(|e| e.path().join("topology.json").exists() || e.path().extension().is_some_and(|e| e == "zst"));
    let mut names: Vec<String> = wanted.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_capture_gives_the_expected_report() {
    let write = std::env::var_os("FABRICSCOPE_WRITE_EXPECTED").is_some();
    let mut differ = Vec::new();
    for name in all_captures() {
        // Relative, so that the path in the report is the same everywhere.
        let mut program = fabricscope();
        program.current_dir(captures()).args(["replay", &name, "--quiet", "--format", "json"]);
        let topology = format!("{name}/topology.json");
        if captures().join(&topology).exists() {
            program.args(["--topology", &topology]);
        }
        let done = program.output().unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        let expected = captures().join(format!("{}.expected.json", name.trim_end_matches(".pcap.zst")));
        if write {
            fs::write(&expected, &done.stdout).unwrap();
        } else if fs::read(&expected).unwrap_or_default() != done.stdout {
            differ.push(name);
        }
    }
    assert!(
        differ.is_empty(),
        "other reports than expected: {differ:?} (fixtures/captures/README.md tells how to look)"
    );
}

#[test]
fn twice_the_same_and_paced_the_same() {
    let file = capture("e05_span_rx_tx_dup");
    let file = file.to_str().unwrap();
    let first = report_bytes(&[file]);
    assert_eq!(first, report_bytes(&[file]));
    assert_eq!(first, report_bytes(&[file, "--pace", "4"]));
}

#[test]
fn standard_input_gives_what_the_file_gives() {
    let file = capture("a05_atomic_fa");
    let of_file = report(&[file.to_str().unwrap()]);
    let mut child = fabricscope()
        .args(["replay", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(&file).unwrap()).unwrap();
    let done = child.wait_with_output().unwrap();
    let of_input = serde_json::from_slice::<Value>(&done.stdout).unwrap().to_string();
    // The same but for the name of the input.
    let unnamed = of_file.to_string().replace(file.to_str().unwrap(), "-").replace("a05_atomic_fa.pcap", "-");
    assert_eq!(unnamed, of_input);
}

#[test]
fn several_files_are_one_fabric() {
    let (a, b) = (capture("a05_atomic_fa"), capture("c06_duplicate"));
    let whole = report(&[a.to_str().unwrap(), b.to_str().unwrap()]);
    let packets = |r: &Value| r["capture"]["packets"].as_u64().unwrap();
    assert_eq!(packets(&whole), packets(&report(&[a.to_str().unwrap()])) + packets(&report(&[b.to_str().unwrap()])));
    assert_eq!(whole["capture"]["files"].as_array().unwrap().len(), 2);
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.pcap");
    fs::write(&text, "these are notes, no capture").unwrap();
    let wrong = failure(&[text.to_str().unwrap()]);
    assert!(wrong.contains("notes.pcap"), "{wrong}");
    let missing = failure(&["/nonexistent.pcap"]);
    assert!(missing.contains("/nonexistent.pcap"), "{missing}");
    let topology = failure(&[capture("a05_atomic_fa").to_str().unwrap(), "--topology", text.to_str().unwrap()]);
    assert!(topology.contains("notes.pcap") && topology.contains("line"), "{topology}");
}

#[test]
fn a_cut_file_is_analysed_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let whole = zstd::decode_all(&fs::read(capture("a05_atomic_fa")).unwrap()[..]).unwrap();
    let cut = folder.path().join("cut.pcap");
    fs::write(&cut, &whole[..whole.len() - 7]).unwrap();
    let report = report(&[cut.to_str().unwrap()]);
    assert_eq!(report["capture"]["packets"], 399);
    let damage = report["capture"]["files"][0]["damage"][0].as_str().unwrap();
    assert!(damage.contains("at byte"), "{damage}");
}

#[test]
fn a_topology_is_written_and_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fabric.toml");
    let capture = capture("a07_cm_write_lat");
    let done =
        fabricscope().args(["topology", capture.to_str().unwrap(), "-o", file.to_str().unwrap()]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report = report(&[capture.to_str().unwrap(), "--topology", file.to_str().unwrap()]);
    let names: Vec<_> = report["links"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"10.10.0.2->unknown-switch"), "{names:?}");
}

#[test]
fn a_filter_leaves_the_rest_out() {
    let file = capture("d05_background_tcp");
    let report = report(&[file.to_str().unwrap(), "--filter", "udp port 53"]);
    let flows = report["flows"].as_array().unwrap();
    assert!(!flows.is_empty() && flows.iter().all(|f| f["sport"] == 53 || f["dport"] == 53), "{flows:?}");
    let wrong = failure(&[file.to_str().unwrap(), "--filter", "udp prt 53"]);
    assert!(wrong.contains("udp prt 53"), "{wrong}");
}

#[test]
fn the_exit_status_tells_of_findings() {
    let lossy = capture("c01_loss_after_tap");
    let done = replay(&[lossy.to_str().unwrap(), "--fail-on", "warning"]);
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stdout));
    let healthy = capture("a05_atomic_fa");
    assert!(replay(&[healthy.to_str().unwrap(), "--fail-on", "warning"]).status.success());
}

#[test]
fn the_verdict_comes_first_in_the_terminal() {
    let done = replay(&[capture("c01_loss_after_tap").to_str().unwrap()]);
    let text = String::from_utf8(done.stdout).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("CRITICAL") || first.starts_with("WARNING"), "{text}");
    assert!(text.find("LINKS").unwrap() < text.find("FINDINGS").unwrap());
    assert!(text.contains("fabric_loss"), "{text}");
}
