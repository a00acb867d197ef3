//! Accumulating equals merging, and the report is the same every time.

use super::*;
use crate::packet::{Addr, MirrorKey};
use crate::tick::{
    CaptureTick, FlowKey, FlowTick, LinkId, LinkTick, QpKey, QpTick, RoceCounters, SparseHistogram, TapTick,
};

fn info(link: u32) -> LinkInfo {
    LinkInfo {
        link: LinkId(link),
        id: format!("l{link}"),
        name: format!("leaf{link}->spine{link}"),
        from: format!("leaf{link}"),
        to: format!("spine{link}"),
        speed_bps: Some(25_000_000_000),
        group: None,
        mirror: MirrorKey::default(),
        tap: format!("tap{link}.pcap"),
        reverse: None,
        host: None,
        to_host: false,
    }
}

fn flow(host: u8, bytes: u64, at_ns: u64, link: u32) -> FlowTick {
    FlowTick {
        key: FlowKey {
            src: Addr::v4([10, 0, 0, host]),
            dst: Addr::v4([10, 0, 1, 1]),
            sport: 0,
            dport: 4791,
            protocol: 17,
            dst_qp: Some(7),
        },
        sport: 49152,
        vlan: None,
        link: LinkId(link),
        packets: 1,
        bytes,
        first_ns: at_ns,
        last_ns: at_ns,
        ce_packets: 0,
        retransmitted: 0,
        copies: 0,
        app: Some("roce"),
        closed: true,
        dscp: None,
        engine: "dpi",
        confidence: 1.0,
        host_name: None,
        attrs: None,
        rtt: SparseHistogram::default(),
    }
}

/// One packet of one of many flows.
pub(super) fn flow_of(n: u16, at_ns: u64) -> FlowTick {
    let plain = flow(1, 60, at_ns, 0);
    FlowTick { key: FlowKey { sport: n, dst_qp: None, ..plain.key }, ..plain }
}

fn qp(at_ns: u64, opcodes: Vec<(u8, u64)>) -> QpTick {
    QpTick {
        key: QpKey { src: Addr::v4([10, 0, 0, 1]), dst: Addr::v4([10, 0, 1, 1]), dst_qp: 7 },
        src_qp: None,
        paired_by: "none",
        transport: "RC",
        service: None,
        link: LinkId(0),
        packets: 2,
        bytes: 2000,
        copies: 0,
        messages: 1,
        message_bytes: 1900,
        opcodes,
        roce: RoceCounters { data_packets: 2, ..RoceCounters::default() },
        naks: [1, 0, 0, 0],
        ce_packets: 1,
        cnp_packets: 0,
        class: None,
        cnp_dscp: None,
        repeats_of_one_psn_max: 0,
        inversion_depth_max: 0,
        timeout_silence_ns_max: 0,
        first_ns: at_ns,
        last_ns: at_ns,
        rtt: SparseHistogram(vec![(100, 3)]),
        witnesses: Vec::new(),
    }
}

fn tick(start_ns: u64, pfc_frames: u64) -> Tick {
    let link = LinkTick {
        link: 0,
        packets: 10,
        bytes: 5000,
        rdma_bytes: 5000,
        rdma_packets: 10,
        pfc_frames,
        paused_ns: [0, 0, 0, pfc_frames * 100, 0, 0, 0, 0],
        first_ns: start_ns + 1,
        last_ns: start_ns + 90,
        silent_ns_max: start_ns,
        silent_until_ns: start_ns + 5,
        max_bytes_1ms: 1000,
        max_bytes_100us: 500,
        rtt: SparseHistogram(vec![(20, 1), (200, 4)]),
        ..LinkTick::default()
    };
    Tick {
        start_ns,
        end_ns: start_ns + 100,
        capture: CaptureTick { frames: 10, refused: vec![("short", 1)], ..CaptureTick::default() },
        new_links: if start_ns == 100 { vec![info(0), info(1)] } else { Vec::new() },
        links: vec![link],
        flows: vec![flow(2, start_ns * 3, start_ns, 0), flow(1, 50, start_ns, 0)],
        qps: vec![qp(start_ns + 1, vec![(0x11, 1), (0x0a, 1)])],
        taps: vec![TapTick {
            source: "tap0.pcap".into(),
            key: MirrorKey::default(),
            frames: 10,
            lost: 1,
            lost_first_ns: start_ns + 3,
            lost_last_ns: start_ns + 3,
            truncated: 2,
        }],
        ..Tick::default()
    }
}

#[test]
fn accumulating_equals_merging() {
    let (mut one_by_one, mut at_once) = (Fabric::new(FabricConfig::default()), Fabric::new(FabricConfig::default()));
    let mut merged = tick(100, 0);
    one_by_one.absorb(&tick(100, 0));
    for start in [200, 300] {
        one_by_one.absorb(&tick(start, 2));
        merged.merge(tick(start, 2));
    }
    at_once.absorb(&merged);
    let (a, mut b) = (one_by_one.report(Vec::new()), at_once.report(Vec::new()));
    assert_eq!((a.capture.ticks_widened, b.capture.ticks_widened), (0, 2));
    b.capture.ticks_widened = 0;
    assert_eq!((&a.links, &a.flows, &a.qps, &a.capture), (&b.links, &b.flows, &b.qps, &b.capture));
    assert_eq!((a.capture.packets, a.capture.refused["short"], a.capture.mirror.lost), (30, 3, 3));
    let tap = &a.capture.taps[0];
    assert_eq!(
        (a.capture.taps.len(), tap.name.as_str(), tap.frames, tap.lost, tap.truncated),
        (1, "tap0.pcap", 30, 3, 6)
    );
    let link = &a.links[0];
    assert_eq!((link.packets, link.first_ns, link.last_ns, link.silent_ns_max), (30, 101, 390, Some(300)));
    assert_eq!((link.burst.max_bps_1ms, link.burst.max_bps_100us), (8_000_000, 40_000_000));
    assert_eq!(link.rtt_ns.map(|q| q.count), Some(15));
    assert_eq!((link.pfc.visible.as_str(), link.pfc.paused_ns.map(|p| p[3])), ("yes", Some(400)));
    assert_eq!((a.links[1].pfc.visible.as_str(), a.links[1].pfc.paused_ns, &a.links[1].roce), ("unknown", None, &None));
    assert_eq!((a.flows[0].src.as_str(), a.flows[0].bytes, a.flows[0].l4.as_str()), ("10.0.0.2", 1800, "udp"));
    assert_eq!((a.qps[0].opcodes["RC_ACK"], a.qps[0].opcodes["RC_WRITE_ONLY"], a.qps[0].nak.sequence), (3, 3, 3));
}

#[test]
fn the_report_is_the_same_whatever_the_order_within_a_tick() {
    let text = |reversed: bool| {
        let mut fabric = Fabric::new(FabricConfig::default());
        let mut t = tick(100, 1);
        if reversed {
            t.flows.reverse();
        }
        fabric.absorb(&t);
        serde_json::to_string(&fabric.report(Vec::new())).unwrap()
    };
    assert_eq!(text(false), text(true));
}

#[test]
fn full_maps_and_short_reports_say_so() {
    let config = FabricConfig { flow_capacity: 16, max_flows_in_report: 3, ..FabricConfig::default() };
    let mut fabric = Fabric::new(config);
    for host in 0..20 {
        let mut t = tick(100 + u64::from(host), 0);
        t.flows = vec![flow(host, 10, 100 + u64::from(host), 0)];
        fabric.absorb(&t);
    }
    let report = fabric.report(Vec::new());
    assert_eq!(report.flows.len(), 3);
    assert_eq!(report.flows.len() as u64 + report.flows_left_out, 20);
    assert_eq!(report.capture.flows_evicted, 20 - fabric.totals.flows.len() as u64);
    assert!(fabric.totals.flows.len() <= 16);
}

/// What found no room anywhere is in the report, by what it is; what was kept whole is not named.
#[test]
fn what_found_no_room_is_told() {
    let mut fabric = Fabric::new(FabricConfig::default());
    assert_eq!(fabric.report(Vec::new()).capture.not_kept, BTreeMap::new());
    for control_left_out in [3, 4] {
        fabric.absorb(&Tick { control_left_out, messages_left_out: 1, ..Tick::default() });
    }
    let told = [("control".to_owned(), 7), ("messages".to_owned(), 2)];
    assert_eq!(fabric.report(Vec::new()).capture.not_kept, BTreeMap::from(told));
}
