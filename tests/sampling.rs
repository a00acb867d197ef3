//! Mirrors that copy a sample of packets: what can't be known from one is not claimed.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn replay(arguments: &[&str]) -> Value {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/c01_loss_after_tap.pcap.zst");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fabricscope"));
    let done = command.arg("replay").arg(capture).args(["--format", "json"]).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn has_loss(report: &Value) -> bool {
    report["findings"].as_array().unwrap().iter().any(|f| f["kind"] == "fabric_loss")
}

#[test]
fn gaps_in_a_sample_are_no_losses() {
    let whole = replay(&[]);
    assert!(has_loss(&whole) && whole["capture"]["mirror"]["sampled_one_in"].is_null());
    let sample = replay(&["--sampling", "10"]);
    assert!(!has_loss(&sample), "{}", sample["findings"]);
    assert_eq!(sample["capture"]["mirror"]["sampled_one_in"], 10);
    assert_eq!(sample["capture"]["packets"], whole["capture"]["packets"]);
    assert_eq!(sample["qps"].as_array().unwrap().len(), whole["qps"].as_array().unwrap().len());
}

#[test]
fn a_topology_declares_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fabric.toml");
    std::fs::write(&file, "[[mirrors]]\npcap = \"c01_loss_after_tap.pcap\"\nsampled_one_in = 5000\n").unwrap();
    let sample = replay(&["--topology", file.to_str().unwrap()]);
    assert_eq!(sample["capture"]["mirror"]["sampled_one_in"], 5000);
    assert!(!has_loss(&sample));
}
