//! Link meters over simulated fabrics, against what the simulator counted on every wire (labels.json beside the captures).

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::path::Path;

use analyzer::report::{Link, Report};
use analyzer::tick::Move;
use analyzer::topology::{Plan, Topology};
use analyzer::worker::TapNature;
use serde_json::Value;
use support::{Tap, run, shared};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

struct Run {
    labels: Value,
    report: Report,
    moves: Vec<Move>,
}

fn scenario(name: &str) -> Option<Run> {
    let folder = shared("fabric-sim")?.join(name);
    let labels = json(&folder.join("labels.json"));
    let text = std::fs::read_to_string(folder.join("topology.json")).unwrap();
    let topology = Topology::parse(&text, "topology.json").unwrap();
    let plan = Plan::new(&topology);
    let taps: Vec<Tap> = labels["mirrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mirror| {
            let path = folder.join(mirror["pcap"].as_str().unwrap());
            let source = path.file_name().unwrap().to_string_lossy().into_owned();
            let rspan = plan.tap_format(&source).is_some_and(|(rspan, _)| rspan);
            Tap { path, nature: TapNature { rspan, ..TapNature::default() } }
        })
        .collect();
    let mut moves = Vec::new();
    let report = run(&taps, plan, |tick| moves.extend(tick.moves.iter().copied()));
    Some(Run { labels, report, moves })
}

fn sum(bins: &Value, column: &str) -> u64 {
    bins[column].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum()
}

/// Directions of mirrored links: (bins of the truth, the report's link, the reverse direction's bins).
fn mirrored(run: &Run) -> Vec<(&Value, &Link, &Value)> {
    let bins = run.labels["link_bins"].as_array().unwrap();
    let mut found = Vec::new();
    for mirror in run.labels["mirrors"].as_array().unwrap() {
        for port in mirror["ports"].as_array().unwrap() {
            for truth in bins.iter().filter(|b| b["link"] == port["link"]) {
                let (from, to) = (truth["from"].as_str().unwrap(), truth["to"].as_str().unwrap());
                let link = run.report.links.iter().find(|l| l.from == from && l.to == to);
                let back = bins.iter().find(|b| b["link"] == port["link"] && b["from"] == truth["to"]).unwrap();
                match link {
                    Some(link) => found.push((truth, link, back)),
                    None => assert_eq!(sum(truth, "pkts"), 0, "{from}->{to} is not in the report"),
                }
            }
        }
    }
    found
}

/// Frames under way when the run ended, or when their link went down, reached no mirror.
const UNDER_WAY: u64 = 2;

/// What differs between the meters of mirrored links and the simulator's own counts; empty: nothing.
fn differences(run: &Run) -> Vec<String> {
    let mut found = Vec::new();
    for (truth, link, back) in mirrored(run) {
        let roce = link.roce.clone().unwrap_or_default();
        let lost = sum(truth, "lost_wire") + UNDER_WAY;
        let mut same = |what: &str, want: u64, got: u64, less: u64| {
            if got > want || got + less < want {
                found.push(format!("{} {what}: truth {want}, report {got}", link.name));
            }
        };
        same("packets", sum(truth, "pkts"), link.packets, lost);
        same("bytes", sum(truth, "bytes"), link.bytes, lost * 4200);
        same("data packets", sum(truth, "data"), roce.data_packets, lost);
        same("CE", sum(truth, "ce"), link.ce_packets, lost);
        same("CNP", sum(truth, "cnp"), link.cnp_packets, lost);
        same("NAK", sum(truth, "nak"), roce.nak_sequence, 0);
        same("PFC", sum(back, "pfc_xoff") + sum(back, "pfc_xon"), link.pfc.frames, 0);
        // The simulator counts repeats where they leave their host.
        if truth["from"].as_str().unwrap().starts_with('h') {
            same("retransmitted", sum(truth, "retx"), roce.retransmitted, 0);
        }
        found.extend(paused(truth, link));
        found.extend(peak(truth, link));
    }
    found
}

/// The simulator's transmitter stops at a packet's end, so the two differ by a packet's time per pause.
fn paused(truth: &Value, link: &Link) -> Option<String> {
    let (want, got) = (sum(truth, "pause_ns"), link.pfc.paused_ns.unwrap_or_default()[3]);
    (want.abs_diff(got) > want / 100 + 2_000).then(|| format!("{} paused: truth {want} ns, report {got} ns", link.name))
}

/// Bins are aligned to the clock here and to the run's start there: a burst over two bins shows as half at least.
fn peak(truth: &Value, link: &Link) -> Option<String> {
    let want = truth["peak100us_bytes"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).max().unwrap();
    let got = link.burst.max_bps_100us / 80_000;
    (got * 2 < want || got > want * 2).then(|| format!("{} peak: truth {want}, report {got}", link.name))
}

#[test]
fn meters_are_what_was_on_every_mirrored_wire() {
    for name in [
        "checkpoint_open",
        "degraded_open",
        "ecmp_collision_open",
        "healthy_two_rings",
        "straggler_open",
        "healthy_ring_pipeline",
        "incast_open",
        "link_down_fast_open",
        "link_down_slow_open",
        "lossy_open",
        "microburst_open",
        "oversub_open",
        "pfc_storm_open",
    ] {
        let Some(run) = scenario(name) else { return };
        assert!(!mirrored(&run).is_empty(), "{name}");
        assert_eq!(differences(&run), [""; 0], "{name}");
        assert_eq!(run.report.capture.mirror.lost, 0, "{name}");
    }
}

#[test]
fn what_the_mirror_lost_is_missing_and_is_told() {
    let Some(run) = scenario("healthy_mirror_loss") else { return };
    let lost = run.labels["mirrors"][0]["stats"]["mirror_lost_random"].as_u64().unwrap();
    let seen: u64 = mirrored(&run).iter().map(|(_, link, _)| link.packets).sum();
    let sent: u64 = mirrored(&run).iter().map(|(truth, ..)| sum(truth, "pkts")).sum();
    assert_eq!((run.report.capture.mirror.lost, sent - seen), (lost, lost));
    let fabric: u64 = run.report.qps.iter().map(|q| q.retransmitted + q.lost_before_tap + q.lost_after_tap).sum();
    assert_eq!(fabric, 0, "the mirror's loss is not the fabric's");
}

/// A flow that had to leave a link that went down: when it was last there, and first on the other link.
#[test]
fn failovers_are_moves() {
    for name in ["link_down_fast_open"] {
        let Some(run) = scenario(name) else { return };
        let epoch = run.labels["epoch_ns"].as_u64().unwrap();
        let failovers = run.labels["effects"]["failovers"].as_array().unwrap();
        let visible: Vec<&Value> = failovers.iter().filter(|f| on_mirrors(&run, f)).collect();
        assert!(!visible.is_empty(), "{name}: {failovers:?}");
        for failover in visible {
            let qp = &run.labels["qps"].as_array().unwrap()[failover["qp"].as_u64().unwrap() as usize];
            let key = (qp["src_ip"].as_str().unwrap(), qp["dst_qpn"].as_u64().unwrap() as u32);
            let mine =
                run.moves.iter().filter(|m| (m.flow.src.to_string().as_str(), m.flow.dst_qp) == (key.0, Some(key.1)));
            let times: Vec<(u64, u64)> = mine.map(|m| (m.last_on_from_ns - epoch, m.first_on_to_ns - epoch)).collect();
            let (last, first) = (&failover["last_on_failed_ns"], &failover["first_on_new_ns"]);
            let (last, first) = (last.as_u64().unwrap(), first.as_u64().unwrap());
            let near = |&(l, f): &(u64, u64)| l.abs_diff(last) < 5_000 && f.abs_diff(first) < 5_000;
            assert!(times.iter().any(near), "{name}: {failover} {times:?}");
        }
    }
}

fn on_mirrors(run: &Run, failover: &Value) -> bool {
    let ports = || run.labels["mirrors"].as_array().unwrap().iter().flat_map(|m| m["ports"].as_array().unwrap());
    ["failed_link", "new_link"].iter().all(|end| ports().any(|p| p["link"] == failover[*end]))
}
