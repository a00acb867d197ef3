//! Facts with sums that can be worked out by head.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use analyzer::packet::{Addr, MirrorKey};
use analyzer::report::{Evidence, Finding, Job, LostTime, Severity, Step, StepTime, Subject};
use analyzer::sketch::bucket_of;
use analyzer::tick::*;
use store::{Facts, Query, Window};

/// Length of a tick.
pub const TICK_NS: u64 = 100_000_000;
const START_NS: u64 = 1_700_000_000_000_000_000;

/// From the start of tick `from` to the start of tick `to`.
pub fn window(from: u64, to: u64) -> Window {
    Window { from_ns: START_NS + from * TICK_NS, to_ns: START_NS + to * TICK_NS }
}

/// Everything in a window, largest first.
pub fn query(window: Window, sort: &str) -> Query {
    let sort = sort.to_owned();
    Query { window, search: String::new(), link: None, name: None, sort, descending: true, offset: 0, limit: 100 }
}

/// The facts of tick `n`.
pub fn facts(n: u64) -> Facts {
    let at = START_NS + n * TICK_NS;
    let mut links = vec![busy(n, at)];
    if n == 5 {
        links.push(LinkTick { link: 1, packets: 1, bytes: 64, first_ns: at, last_ns: at, ..Default::default() });
    }
    let tick = Tick {
        start_ns: at,
        end_ns: at + TICK_NS,
        links,
        flows: vec![tls(n, at), roce(at)],
        qps: vec![qp(n, at)],
        ..Default::default()
    };
    Facts {
        sensor: "s1".into(),
        run: "r1".into(),
        sequence: n,
        tick: Arc::new(tick),
        links: Arc::new(vec![info(0, "a>b", "a", "b"), info(1, "b>a", "b", "a")]),
        findings: Arc::new(found(n, at)),
        jobs: Arc::new(if n.is_multiple_of(2) { vec![job(n)] } else { Vec::new() }),
    }
}

/// A job with a step in each tick up to `n`; the tick after tells nothing of it.
pub fn job(n: u64) -> Job {
    let step = |k: u64| {
        let start_ns = window(k, k + 1).from_ns;
        Step { start_ns, end_ns: start_ns + 10, communication_ns: 10 }
    };
    let lost = LostTime { cause: "it's \"lost\"".to_owned(), lost_ns: 5, steps: 1, ..Default::default() };
    Job {
        id: "job-1".to_owned(),
        hosts: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
        steps: (0..=n).map(step).collect(),
        step_ns: Some(StepTime { p50: TICK_NS, p99: TICK_NS }),
        lost: vec![lost],
        efficiency: (n > 0).then_some(0.75),
        ..Default::default()
    }
}

fn info(link: u32, id: &str, from: &str, to: &str) -> LinkInfo {
    LinkInfo {
        link: LinkId(link),
        id: id.to_owned(),
        name: format!("{from}->{to}"),
        from: from.to_owned(),
        to: to.to_owned(),
        speed_bps: (link == 0).then_some(100_000_000_000),
        group: None,
        mirror: MirrorKey::default(),
        // PFC is seen on the first tap only.
        tap: ["t.pcap", "u.pcap"][link as usize].to_owned(),
        reverse: Some(LinkId(1 - link)),
        host: Some(Addr::v4([10, 0, 0, 1])),
        to_host: false,
    }
}

fn busy(n: u64, at: u64) -> LinkTick {
    LinkTick {
        link: 0,
        packets: 10 * (1 + n),
        bytes: 1_000 * (1 + n),
        rdma_bytes: 500,
        ect_packets: 10 * (1 + n),
        ce_packets: 1 + n,
        pfc_frames: 1,
        paused_ns: [0, 0, 0, 1_000, 0, 0, 0, 0],
        first_ns: at + 5,
        last_ns: at + 50,
        max_bytes_1ms: 600,
        max_bytes_100us: 500,
        max_100us_at_ns: at,
        rtt: SparseHistogram(vec![(bucket_of(5_000), 90), (bucket_of(9_000), 10)]),
        roce: RoceCounters { data_packets: 8, retransmitted: 2, ..Default::default() },
        ..Default::default()
    }
}

fn key(sport: u16, dport: u16, protocol: u8, dst_qp: Option<u32>) -> FlowKey {
    let (a, b) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
    let (src, dst) = if protocol == 6 { (a, b) } else { (b, a) };
    FlowKey { src, dst, sport, dport, protocol, dst_qp }
}

fn tls(n: u64, at: u64) -> FlowTick {
    FlowTick {
        key: key(5_000, 443, 6, None),
        sport: 5_000,
        vlan: Some(7),
        link: LinkId(0),
        packets: 7,
        bytes: 700,
        first_ns: at + 5,
        last_ns: at + 45,
        ce_packets: 0,
        retransmitted: 1,
        copies: 0,
        // Named in the second tick only: it stays named.
        app: (n == 1).then_some("tls"),
        closed: true,
        dscp: None,
        engine: if n == 1 { "dpi" } else { "none" },
        confidence: if n == 1 { 0.5 } else { 0.0 },
        host_name: (n == 1).then(|| "a.example".to_owned()),
        attrs: (n == 1).then(|| vec![("sni", "a.example".to_owned())].into()),
        rtt: SparseHistogram(vec![(bucket_of(5_000), 1)]),
    }
}

fn roce(at: u64) -> FlowTick {
    FlowTick {
        key: key(0, 4791, 17, Some(17)),
        sport: 49_152,
        vlan: None,
        packets: 3,
        bytes: 300,
        app: Some("roce"),
        closed: true,
        dscp: None,
        engine: "dpi",
        confidence: 1.0,
        host_name: None,
        attrs: None,
        ..tls(0, at)
    }
}

fn qp(n: u64, at: u64) -> QpTick {
    QpTick {
        key: QpKey { src: Addr::v4([10, 0, 0, 2]), dst: Addr::v4([10, 0, 0, 1]), dst_qp: 17 },
        src_qp: (n == 0).then_some(18),
        paired_by: "psn",
        transport: "RC",
        service: (n == 2).then_some("nvme-rdma"),
        link: LinkId(0),
        packets: 10,
        bytes: 900,
        copies: 1,
        messages: 2,
        message_bytes: 800,
        opcodes: vec![(0x0a, 10), (0x11, 1)],
        roce: RoceCounters { psn_gaps: 1, ..Default::default() },
        naks: [0, 0, 1, 0],
        ce_packets: 0,
        cnp_packets: 0,
        class: None,
        cnp_dscp: None,
        repeats_of_one_psn_max: 0,
        inversion_depth_max: 0,
        timeout_silence_ns_max: 0,
        first_ns: at + 5,
        last_ns: at + 40,
        rtt: SparseHistogram(vec![(bucket_of(5_000), 1)]),
        witnesses: Vec::new(),
    }
}

fn found(n: u64, at: u64) -> Vec<Finding> {
    let finding = |kind: &str, since_ns, value| Finding {
        id: format!("{kind}-1"),
        kind: kind.to_owned(),
        severity: Severity::Warning,
        subject: Subject { link: Some("a>b".to_owned()), ..Default::default() },
        since_ns,
        value,
        unit: "packets".to_owned(),
        explanation: "it's \"lost\"\n".to_owned(),
        evidence: Evidence { numbers: BTreeMap::from([("lost_packets".to_owned(), value)]), ..Default::default() },
        ..Default::default()
    };
    match n {
        0 => vec![finding("incast", at, 1.0)],
        2..5 => vec![finding("loss", window(2, 3).from_ns, n as f64)],
        5 => vec![Finding { until_ns: Some(at), ..finding("loss", window(2, 3).from_ns, 5.0) }],
        _ => Vec::new(),
    }
}
