//! `fabricscope demo`, the program as a whole.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use serde_json::Value;

fn demo(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_fabricscope")).arg("demo").args(arguments).output().expect("the program runs")
}

/// A scenario as fast as it goes: the report names its fault, on the right link, and the job beside it.
#[test]
fn a_scenario_is_analysed_as_it_is_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let path = report.to_str().unwrap();
    let done = demo(&["incast", "--pace", "max", "--headless", "--report", path]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let incast = findings.iter().find(|f| f["kind"] == "incast").expect("an incast is found");
    assert!(incast["subject"].to_string().contains("h03"), "{incast}");
    let hosts: Vec<usize> =
        report["jobs"].as_array().unwrap().iter().filter_map(|j| Some(j["hosts"].as_array()?.len())).collect();
    assert!(!hosts.is_empty(), "a job is recognised");
}

#[test]
fn scenarios_are_listed_and_unknown_ones_named() {
    let list = demo(&["--list"]);
    let text = String::from_utf8_lossy(&list.stdout);
    assert!(list.status.success() && text.lines().count() > 40 && text.contains("pfc_storm"), "{text}");
    let wrong = demo(&["no_such_thing"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("no scenario is called no_such_thing"));
}
