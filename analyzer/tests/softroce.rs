//! Transport facts over the Linux kernel's own RoCEv2, against what the wire is known to hold (labels.json beside the captures).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use analyzer::report::Report;
use analyzer::topology::Plan;
use analyzer::worker::TapNature;
use serde_json::Value;
use support::{Tap, run, shared};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn counts(value: &Value) -> BTreeMap<String, u64> {
    value.as_object().unwrap().iter().map(|(name, count)| (name.clone(), number(count))).collect()
}

/// What differs between a report and the truth, one line each.
fn differences(truth: &Value, report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, want: String, got: String| {
        if want != got {
            found.push(format!("{what}: truth {want}, report {got}"));
        }
    };
    let mut opcodes: BTreeMap<String, u64> = BTreeMap::new();
    for (name, n) in report.qps.iter().flat_map(|q| &q.opcodes) {
        *opcodes.entry(name.clone()).or_default() += n;
    }
    same("operations", format!("{:?}", counts(&truth["rdma_opcodes"])), format!("{opcodes:?}"));
    let want: BTreeSet<(String, u32)> = truth["dest_qps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|q| q.as_str().unwrap().split_once('/').unwrap())
        .map(|(host, qp)| (host.to_owned(), u32::from_str_radix(&qp[2..], 16).unwrap()))
        .collect();
    let got: BTreeSet<(String, u32)> = report.qps.iter().map(|q| (q.dst.clone(), q.dst_qp)).collect();
    same("destination queue pairs", format!("{want:?}"), format!("{got:?}"));
    let sum = |f: &dyn Fn(&analyzer::report::Qp) -> u64| report.qps.iter().map(f).sum::<u64>();
    let nak = |name: &str| number(&truth["naks"][name]);
    for (name, want, got) in [
        ("NAK sequence", nak("NAK code 0"), sum(&|q| q.nak.sequence)),
        ("NAK remote access", nak("NAK code 2"), sum(&|q| q.nak.remote_access)),
        ("NAK others", 0, sum(&|q| q.nak.invalid_request + q.nak.remote_operation)),
        ("RNR", nak("RNR NAK"), sum(&|q| q.rnr)),
        ("CE", number(&truth["ecn_of_roce"]["CE"]), sum(&|q| q.ce_packets)),
        ("packets", number(&truth["packets"]), report.capture.packets),
    ] {
        same(name, want.to_string(), got.to_string());
    }
    let streams = &truth["psn_request_streams"];
    let (repeats, gaps) = (number(&streams["repeated_psn_packets"]), number(&streams["forward_gaps"]));
    let (r, g) = (sum(&|q| q.retransmitted), sum(&|q| q.psn_gaps));
    if (repeats, gaps) != (r, g) {
        let copies = sum(&|q| q.copies);
        let inversions = sum(&|q| q.inversions);
        found.push(format!("close: repeats {repeats} / {r}, gaps {gaps} / {g}, copies {copies}, inversions {inversions}"));
    }
    found
}

#[test]
fn transport_facts_are_those_of_the_wire() {
    let Some(folder) = shared("softroce") else { return };
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    for label in labels["captures"].as_array().unwrap() {
        let name = label["pcap"].as_str().unwrap();
        let tap = Tap { path: folder.join(name), nature: TapNature::default() };
        let report = run(&[tap], Plan::default(), |_| {});
        for line in differences(&label["tshark"], &report) {
            eprintln!("{name}: {line}");
        }
        for q in &report.qps {
            if std::env::var_os("SHOW").is_some() {
                eprintln!("   {} > {} qp {:x} src {:x?} by {} {} {:?} pk {} copies {} msgs {} bytes {} retx {} gaps {} inv {} nak {:?} rnr {} to {} before {} after {} icrc {}/{} rtt {:?}",
                    q.src, q.dst, q.dst_qp, q.src_qp, q.paired_by, q.transport, q.service, q.packets, q.copies, q.messages, q.message_bytes, q.retransmitted, q.psn_gaps, q.inversions, q.nak.sequence, q.rnr, q.timeouts, q.lost_before_tap, q.lost_after_tap, q.icrc_bad, q.icrc_checked, q.rtt_ns.map(|r| (r.count, r.p50, r.max)));
            }
        }
    }
}
