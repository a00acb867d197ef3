//! Flows of real programs by their names, at misleading ports too; scans and floods by what they do, and nothing else as such.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn run(arguments: &[&str]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let done = Command::new(env!("CARGO_BIN_EXE_fabricscope")).current_dir(folder).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn flows(capture: &str) -> Vec<Value> {
    let report: Value = serde_json::from_slice(&run(&["replay", capture, "--quiet", "--format", "json"])).unwrap();
    report["flows"].as_array().unwrap().clone()
}

/// What every flow with data at this port is named, each once.
fn at(flows: &[Value], port: u64) -> Vec<&str> {
    let mine = |f: &&Value| (f["sport"] == port || f["dport"] == port) && f["packets"].as_u64() > Some(1);
    let mut names: Vec<&str> = flows.iter().filter(mine).map(|f| f["app"].as_str().unwrap_or("unknown")).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn payload_outranks_a_misleading_port() {
    let all = flows("names/misleading.pcap.zst");
    for (port, name) in
        [(443, "redis"), (80, "nats"), (2049, "memcached"), (3306, "ssh"), (6379, "http"), (22, "rsync")]
    {
        assert_eq!(at(&all, port), [name], "at port {port}");
    }
    assert!(all.iter().filter(|f| f["l4"] == "tcp").all(|f| f["engine"] == "dpi"));
}

#[test]
fn routing_daemons_and_what_monitors_them() {
    let all = flows("names/routing.pcap.zst");
    assert_eq!((at(&all, 179), at(&all, 11_019)), (vec!["bgp"], vec!["bmp"]));
    let named = |l4: &str, name: &str| all.iter().filter(|f| f["l4"] == l4 && f["app"] == name).count();
    assert_eq!((named("udp", "rip"), named("ip-88", "eigrp"), named("igmp", "igmp")), (4, 4, 2));
}

#[test]
fn publishers_and_subscribers() {
    let all = flows("names/dds.pcap.zst");
    let udp: Vec<&Value> = all.iter().filter(|f| f["l4"] == "udp").collect();
    assert!(udp.len() >= 4 && udp.iter().all(|f| f["app"] == "rtps"), "{udp:?}");
}

fn doing(flows: &[Value], what: &str) -> usize {
    flows.iter().filter(|f| f["behaviour"] == what).count()
}

#[test]
fn a_scan_and_a_flood_are_seen_and_nothing_else_is_one() {
    let (scan, flood) = (flows("names/scan.pcap.zst"), flows("names/flood.pcap.zst"));
    assert!(scan.iter().filter(|f| f["behaviour"] == "scan").all(|f| f["src"] == "10.77.0.1"));
    assert_eq!((doing(&scan, "scan"), doing(&scan, "flood")), (120, 0));
    assert_eq!((doing(&flood, "scan"), doing(&flood, "flood")), (0, 600));
    for ordinary in ["names/misleading.pcap.zst", "names/routing.pcap.zst", "d05_background_tcp.pcap.zst"] {
        let all = flows(ordinary);
        assert_eq!((doing(&all, "scan"), doing(&all, "flood")), (0, 0), "{ordinary}");
    }
}

#[test]
fn both_are_said_in_the_terminal() {
    let text = |capture: &str| String::from_utf8(run(&["replay", capture])).unwrap();
    assert!(text("names/scan.pcap.zst").contains("10.77.0.1 scans: tried 12"));
    assert!(text("names/flood.pcap.zst").contains("10.77.0.2 is flooded: 600 attempts came to nothing"));
}
