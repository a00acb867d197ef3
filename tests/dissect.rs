//! `fabricscope dissect` as a user runs it: one flow's story as text and as JSON.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn captures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fabricscope")).current_dir(captures()).args(arguments).output().unwrap()
}

/// The flows of a capture, as the report has them.
fn flows(capture: &str) -> Vec<Value> {
    let done = run(&["replay", capture, "--quiet", "--format", "json"]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    report["flows"].as_array().unwrap().clone()
}

fn ends(flow: &Value) -> String {
    let text = |key: &str| flow[key].as_str().unwrap().to_owned();
    format!("{}:{}-{}:{}", text("src"), flow["sport"], text("dst"), flow["dport"])
}

fn capture() -> String {
    let mut names: Vec<String> = std::fs::read_dir(captures())
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().into_string().ok())
        .filter(|n| n.ends_with(".pcap.zst"))
        .collect();
    names.sort();
    names.first().unwrap().clone()
}

#[test]
fn the_busiest_flow_in_either_order_and_format() {
    let capture = capture();
    let all = flows(&capture);
    let first = all.iter().find(|f| f["src"].as_str().is_some_and(|s| s.parse::<std::net::IpAddr>().is_ok())).unwrap();
    let flow = ends(first);
    let json = run(&["dissect", &capture, "--flow", &flow, "--format", "json"]);
    assert!(json.status.success(), "{}", String::from_utf8_lossy(&json.stderr));
    let story: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(story["flow"], flow.as_str());
    assert_eq!((&story["app"], &story["engine"]), (&first["app"], &first["engine"]));
    let sent = story["directions"].as_array().unwrap();
    assert!(sent.iter().any(|d| d["packets"] == first["packets"] && d["bytes"] == first["bytes"]), "{story:#}");
    let (a, b) = flow.split_once('-').unwrap();
    let text = run(&["dissect", &capture, "--flow", &format!("{b}-{a}")]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("by its") && text.contains("sent") && text.contains(first["app"].as_str().unwrap()),
        "{text}"
    );
}

#[test]
fn without_a_flow_those_to_choose_from_are_listed() {
    let text = String::from_utf8(run(&["dissect", "names/misleading.pcap.zst"]).stdout).unwrap();
    let line = text.lines().find(|l| l.contains("10.77.0.2:443")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("redis"), "{line}");
    let flow = line.split_whitespace().next().unwrap();
    let story = run(&["dissect", "names/misleading.pcap.zst", "--flow", flow]);
    assert!(String::from_utf8(story.stdout).unwrap().contains("redis, by its payload"));
    let json: Value =
        serde_json::from_slice(&run(&["dissect", "names/misleading.pcap.zst", "--format", "json"]).stdout).unwrap();
    assert!(json["flows"].as_array().unwrap().iter().any(|f| f == flow), "{json}");
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let capture = capture();
    let done = run(&["dissect", &capture, "--flow", "192.0.2.1:1-192.0.2.2:2"]);
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(said.contains("192.0.2.1 and 192.0.2.2 not in the capture") && said.contains("try "), "{said}");
    let wrong = run(&["dissect", &capture, "--flow", "nonsense"]);
    assert_eq!(wrong.status.code(), Some(2));
    let stdin = run(&["dissect", "-", "--flow", "192.0.2.1:1-192.0.2.2:2"]);
    assert!(String::from_utf8(stdin.stderr).unwrap().contains("standard input"));
}
