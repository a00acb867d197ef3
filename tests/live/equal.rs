//! A live run reports what a replay of the same frames does.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::namespace::{Run, Sender, cable, fixture, frames_of, in_namespace, ip, replay, tc};

/// The pcapng files of a folder, by name.
fn written(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// What a report says but for the names of its inputs.
fn unnamed(report: &Value, name: &str) -> Value {
    let mut report: Value = serde_json::from_str(&report.to_string().replace(name, "TAP")).unwrap();
    report["capture"]["files"] = Value::Null;
    report
}

fn count(report: &Value, list: &str) -> usize {
    report[list].as_array().unwrap().len()
}

fn kinds(report: &Value) -> Vec<String> {
    let mut kinds: Vec<String> =
        report["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

/// Sends a capture to a live run that writes what it sees, and replays what was written.
fn live_and_replayed(name: &str, mode: &str) {
    with_workers(name, mode, "1");
}

/// As [`live_and_replayed`], by several workers; the replay is by one.
fn with_workers(name: &str, mode: &str, workers: &str) {
    let frames = frames_of(&fixture(name));
    cable("tx0", "rx0");
    let folder = tempfile::tempdir().unwrap();
    let write = folder.path().join("written");
    let write_to = write.to_str().unwrap();
    let mut run = Run::start(&["-i", "rx0", "--mode", mode, "--write", write_to, "--workers", workers]);
    Sender::new("tx0").replay(&frames);
    let live = run.stop();
    ip("link delete tx0");
    assert_eq!(live["capture"]["packets"], frames.len(), "{name} {mode}: {}", live["capture"]);
    let files = written(&write);
    assert_eq!(files.len(), 1, "{files:?}");
    let again = replay(&[files[0].to_str().unwrap()]);
    let file = files[0].file_name().unwrap().to_str().unwrap();
    let (one, other) = (unnamed(&live, "rx0"), unnamed(&again, file));
    for part in one.as_object().unwrap().keys() {
        assert_eq!(one[part], other[part], "{name} {mode}: {part} differs");
    }
    // And against the capture it came from, whose frames have other times.
    let original = replay(&[fixture(name).to_str().unwrap()]);
    for list in ["links", "flows", "qps"] {
        assert_eq!(count(&live, list), count(&original, list), "{name} {mode}: {list}");
    }
    assert_eq!(live["capture"]["refused"], original["capture"]["refused"]);
}

#[test]
fn a_live_run_reports_what_a_replay_of_its_frames_does() {
    in_namespace(|| {
        for mode in ["xdp", "packet", "pcap"] {
            live_and_replayed("c01_loss_after_tap", mode);
        }
        live_and_replayed("f01_rnr", "packet");
        live_and_replayed("e06_ecn_red", "packet");
    });
}

#[test]
fn several_workers_report_live_what_one_does_in_a_replay() {
    in_namespace(|| {
        for mode in ["xdp", "packet"] {
            with_workers("c01_loss_after_tap", mode, "2");
        }
        with_workers("e02_erspan2", "packet", "3");
        with_workers("e06_ecn_red", "packet", "2");
    });
}

#[test]
fn feeds_of_remote_mirrors_are_unwrapped_live() {
    in_namespace(|| {
        for name in ["e01_rspan_vlan", "e02_erspan2", "e05_span_rx_tx_dup"] {
            live_and_replayed(name, "packet");
        }
        live_and_replayed("e02_erspan2", "xdp");
    });
}

#[test]
fn a_filter_selects_live_what_it_does_in_a_replay() {
    in_namespace(|| {
        for name in ["e01_rspan_vlan", "d05_background_tcp"] {
            let frames = frames_of(&fixture(name));
            for filter in
                ["vlan", "not vlan", "udp port 4791", "vlan and udp port 4791", "vlan and host 10.0.0.1", "tcp"]
            {
                let again = replay(&[fixture(name).to_str().unwrap(), "--filter", filter]);
                for mode in ["xdp", "packet", "pcap"] {
                    cable("tx0", "rx0");
                    let mut run = Run::start(&["-i", "rx0", "--mode", mode, "--filter", filter]);
                    let sender = Sender::new("tx0");
                    frames.iter().for_each(|(_, frame)| sender.send(frame));
                    let live = run.stop();
                    ip("link delete tx0");
                    let came = live["capture"]["packets"].as_u64().unwrap();
                    assert_eq!(Some(came), again["capture"]["packets"].as_u64(), "{name} {mode} {filter}");
                    let left_out = live["capture"]["files"][0]["live"]["filtered"].as_u64().unwrap();
                    assert_eq!(came + left_out, frames.len() as u64, "{name} {mode} {filter}");
                }
            }
        }
    });
}

#[test]
fn a_span_port_of_a_bridge_shows_two_hosts() {
    in_namespace(|| {
        ip("link add bridge type bridge");
        // What the bridge says of itself would be mirrored as well.
        fs::write("/proc/sys/net/ipv6/conf/bridge/disable_ipv6", "1").unwrap_or_default();
        ip("link set bridge up");
        for (host, port) in [("h1", "p1"), ("h2", "p2"), ("span", "probe")] {
            cable(host, port);
        }
        ip("link set p1 master bridge");
        ip("link set p2 master bridge");
        tc("qdisc add dev p1 clsact");
        for way in ["ingress", "egress"] {
            tc(&format!("filter add dev p1 {way} protocol all u32 match u32 0 0 action mirred egress mirror dev span"));
        }
        let frames = frames_of(&fixture("c01_loss_after_tap"));
        let mut run = Run::start(&["-i", "probe"]);
        let (one, two) = (Sender::new("h1"), Sender::new("h2"));
        // Each host sends what carries its address.
        let first = frames[0].1[6..12].to_vec();
        for (_, frame) in &frames {
            if frame[6..12] == first { one.send(frame) } else { two.send(frame) }
        }
        let live = run.stop();
        let original = replay(&[fixture("c01_loss_after_tap").to_str().unwrap()]);
        // Now and then the bridge says something of itself: what the hosts said is counted.
        let said = |report: &Value| {
            report["qps"].as_array().unwrap().iter().map(|q| q["packets"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!(said(&live), said(&original));
        assert_eq!(count(&live, "qps"), count(&original, "qps"));
        assert_eq!(
            kinds(&live).contains(&"fabric_loss".to_owned()),
            kinds(&original).contains(&"fabric_loss".to_owned())
        );
        assert_eq!(live["capture"]["files"][0]["live"]["state"], "up");
    });
}
