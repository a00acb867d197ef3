//! Link meters over simulated fabrics, against what the simulator counted on every wire (labels.json beside the captures).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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
                    None => assert_eq!(sum(truth, "pkts") , 0, "{from}->{to} is not in the report"),
                }
            }
        }
    }
    found
}

fn differences(run: &Run) -> Vec<String> {
    let mut found = Vec::new();
    for (truth, link, back) in mirrored(run) {
        let roce = link.roce.clone().unwrap_or_default();
        let host = truth["from"].as_str().unwrap().starts_with('h');
        let mut same = |what: &str, want: u64, got: u64| {
            if want != got {
                found.push(format!("{} {what}: truth {want}, report {got}", link.name));
            }
        };
        same("packets", sum(truth, "pkts"), link.packets);
        same("bytes", sum(truth, "bytes"), link.bytes);
        same("data packets", sum(truth, "data"), roce.data_packets);
        same("CE", sum(truth, "ce"), link.ce_packets);
        same("CNP", sum(truth, "cnp"), link.cnp_packets);
        same("NAK", sum(truth, "nak"), roce.nak_sequence);
        same("PFC", sum(back, "pfc_xoff") + sum(back, "pfc_xon"), link.pfc.frames);
        if host {
            same("retransmitted", sum(truth, "retx"), roce.retransmitted);
        }
        let (want, got) = (sum(truth, "pause_ns"), link.pfc.paused_ns.unwrap_or_default()[3]);
        if want.abs_diff(got) > want / 100 + 2_000 {
            found.push(format!("{} paused: truth {want} ns, report {got} ns", link.name));
        }
        let peak = truth["peak100us_bytes"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).max().unwrap();
        let got = link.burst.max_bps_100us / 80_000;
        if got * 10 < peak * 8 || got * 10 > peak * 12 {
            found.push(format!("{} peak: truth {peak}, report {got}", link.name));
        }
    }
    found
}

#[test]
fn every_wire() {
    for name in ["checkpoint_open","degraded_open","ecmp_collision_open","healthy_mirror_loss","healthy_ring_pipeline","healthy_two_rings","incast_open","link_down_fast_open","link_down_slow_open","lossy_open","microburst_open","oversub_open","pfc_storm_open","straggler_open"] {
        let Some(run) = scenario(name) else { return };
        for line in differences(&run) {
            eprintln!("{name}: {line}");
        }
        eprintln!("{name}: moves {} truth {:?} mirror lost {} dup {}", run.moves.len(), run.labels["effects"]["failovers"].as_array().map(Vec::len), run.report.capture.mirror.lost, run.report.capture.mirror.duplicated);
    }
}
