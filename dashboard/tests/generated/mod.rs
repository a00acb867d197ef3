//! A minute of a made-up fabric that shows every state the page knows: busy, idle, not observed and partly observed links,
//! congestion with its consequences, hostile names. Deterministic.

use std::sync::Arc;

use analyzer::fabric::{Fabric, FabricConfig};
use analyzer::packet::{Addr, MirrorKey, MirrorKind};
use analyzer::report::{File, Report};
use analyzer::tick::{
    CaptureTick, FlowKey, FlowTick, LinkId, LinkInfo, LinkTick, QpKey, QpTick, RoceCounters, SparseHistogram, TapTick,
    Tick,
};
use store::Facts;

pub mod findings;

/// 2026-03-02T08:00:00Z.
pub const START_NS: u64 = 1_772_438_400_000_000_000;
/// Length of a tick.
pub const TICK_NS: u64 = 100_000_000;
/// Ticks in the minute.
pub const TICKS: u64 = 600;
/// A name that would run a script if it were ever markup.
pub const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"> & 'quoted'";

const SPEED_BPS: u64 = 200_000_000_000;
/// Steps of the training job are half a second: five ticks, of which two communicate.
const STEP_TICKS: u64 = 5;

/// What is written and published.
pub struct Made {
    pub facts: Vec<Facts>,
    pub report: Report,
}

/// Links 0..8 are access links of leaf0, 8..12 of leaf1, 12..14 spine links; 14 never carries a packet; 15 has a hostile name.
pub fn links() -> Vec<LinkInfo> {
    (0..16).map(link).collect()
}

fn link(index: u32) -> LinkInfo {
    let (from, to, tap, session) = match index {
        0..8 => ("leaf0".to_owned(), format!("gpu-{index}"), "leaf0.pcap", 7),
        8..12 => ("leaf1".to_owned(), format!("gpu-{index}"), "leaf1.pcap", 8),
        12..14 => ("leaf0".to_owned(), format!("spine{}", index - 12), "leaf0.pcap", 9),
        14 => ("leaf1".to_owned(), "gpu-spare".to_owned(), "leaf1.pcap", 8),
        _ => ("leaf1".to_owned(), HOSTILE.to_owned(), "leaf1.pcap", 8),
    };
    LinkInfo {
        link: LinkId(index),
        id: format!("{from}-{to}:{from}>{to}"),
        name: format!("{from} \u{2192} {to}"),
        from,
        to,
        speed_bps: (index != 15).then_some(SPEED_BPS),
        group: None,
        mirror: key(session),
        tap: tap.to_owned(),
        reverse: None,
        host: None,
        to_host: false,
    }
}

fn key(session: u32) -> MirrorKey {
    MirrorKey {
        kind: MirrorKind::Erspan3,
        session: Some(session),
        source: Some(Addr::v4([10, 255, 0, session as u8])),
        ..MirrorKey::default()
    }
}

/// Deterministic noise in 0..1.
fn noise(a: u64, b: u64) -> f64 {
    let mut x = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x >> 40) as f64 / (1u64 << 24) as f64
}

/// Rate of a link in a tick as a share of its speed; `None`: no packet.
fn load(index: u32, tick: u64) -> Option<f64> {
    let communicates = tick % STEP_TICKS < 2;
    let jitter = 1.0 + 0.04 * (noise(u64::from(index), tick) - 0.5);
    match index {
        // leaf1's mirror delivered nothing for five seconds.
        8..16 if (200..250).contains(&tick) => None,
        3 if (300..420).contains(&tick) => Some(0.93 * jitter),
        6 if tick >= 480 => None,
        0..12 => Some(if communicates { 0.62 } else { 0.02 } * jitter),
        12 | 13 => Some(0.41 * jitter),
        15 => (tick % 50 < 6).then_some(0.0004 * jitter),
        _ => None,
    }
}

fn link_tick(index: u32, tick: u64, start_ns: u64) -> Option<LinkTick> {
    let share = load(index, tick)?;
    let bytes = (share * SPEED_BPS as f64 * TICK_NS as f64 / 8e9) as u64;
    let packets = bytes / 4_170 + 1;
    let congested = index == 3 && (300..420).contains(&tick);
    let marked = if congested { packets * 12 / 100 } else { 0 };
    let retransmitted = if congested && tick.is_multiple_of(10) { 24 } else { 0 };
    Some(LinkTick {
        link: index,
        packets,
        bytes,
        rdma_bytes: bytes,
        rdma_packets: packets,
        ect_packets: packets,
        ce_packets: marked,
        cnp_packets: marked / 9,
        pfc_frames: if index == 5 && tick % 40 == 7 { 12 } else { 0 },
        paused_ns: if index == 5 && tick % 40 == 7 { [0, 0, 0, 1_900_000, 0, 0, 0, 0] } else { [0; 8] },
        first_ns: start_ns + 1_000,
        last_ns: start_ns + TICK_NS - 1_000,
        silent_ns_max: 90_000,
        silent_until_ns: start_ns + 500_000,
        max_bytes_1ms: ((bytes as f64 / 100.0 * 1.2) as u64).min(SPEED_BPS / 8_000),
        max_bytes_100us: ((bytes as f64 / 1000.0 * 1.45) as u64).min(SPEED_BPS / 80_000),
        max_100us_at_ns: start_ns + 300_000 + u64::from(index) * 1_000,
        rtt: rtt(if congested { 384 } else { 0 }, index, tick),
        roce: RoceCounters {
            data_packets: packets * 9 / 10,
            retransmitted,
            useful_bytes: bytes * 9 / 10,
            lost_after_tap: retransmitted / 8,
            nak_sequence: retransmitted / 12,
            icrc_checked: packets,
            ..RoceCounters::default()
        },
        ..LinkTick::default()
    })
}

/// Some tens of microseconds, later by `shift` buckets of the sketch.
fn rtt(shift: u16, index: u32, tick: u64) -> SparseHistogram {
    let base = analyzer::sketch::bucket_of(22_000) + shift + (noise(u64::from(index) + 77, tick) * 4.0) as u16;
    SparseHistogram(vec![(base, 400), (base + 4, 300), (base + 10, 80), (base + 26, 9), (base + 40, 1)])
}

fn gpu(index: u32) -> Addr {
    Addr::v4([10, 1, (index / 8) as u8, (index % 8 + 1) as u8])
}

fn flow(index: u32, tick: u64, start_ns: u64) -> FlowTick {
    const APPS: [Option<&str>; 6] = [Some("roce"), Some("nvme-rdma"), Some("tls"), Some("dns"), None, Some("grpc")];
    let app = APPS[index as usize % APPS.len()];
    let rdma = matches!(app, Some("roce" | "nvme-rdma"));
    let packets = 40 + (noise(u64::from(index), tick) * 60.0) as u64;
    FlowTick {
        key: FlowKey {
            src: gpu(index % 12),
            dst: gpu((index * 5 + 1) % 12),
            sport: if rdma { 0 } else { 33_000 + index as u16 },
            dport: if rdma { 4791 } else { 443 },
            protocol: if rdma { 17 } else { 6 },
            dst_qp: rdma.then_some(0x1100 + index),
        },
        sport: 33_000 + index as u16,
        vlan: None,
        link: LinkId(index % 12),
        packets,
        bytes: packets * if rdma { 4_170 } else { 900 },
        first_ns: start_ns + 2_000,
        last_ns: start_ns + TICK_NS - 2_000,
        ce_packets: if index % 12 == 3 && (300..420).contains(&tick) { packets / 8 } else { 0 },
        retransmitted: u64::from(index % 12 == 3 && (300..420).contains(&tick) && tick.is_multiple_of(10)),
        copies: 0,
        app,
        closed: true,
        dscp: None,
        engine: if app.is_some() { "dpi" } else { "none" },
        confidence: if app.is_some() { 0.98 } else { 0.0 },
        attrs: None,
        host_name: match index {
            2 => Some("registry.cluster.example".to_owned()),
            8 => Some(HOSTILE.to_owned()),
            _ => None,
        },
        rtt: SparseHistogram::default(),
    }
}

fn qp(index: u32, tick: u64, start_ns: u64) -> QpTick {
    let troubled = index % 12 == 3 && (300..420).contains(&tick);
    QpTick {
        key: QpKey { src: gpu(index % 12), dst: gpu((index * 5 + 1) % 12), dst_qp: 0x1100 + index },
        src_qp: (!index.is_multiple_of(7)).then_some(0x2100 + index),
        paired_by: if index.is_multiple_of(7) { "none" } else { "psn" },
        transport: "RC",
        service: (index % 6 == 1).then_some("nvme-rdma"),
        link: LinkId(index % 12),
        packets: 500,
        bytes: 500 * 4_170,
        copies: 0,
        messages: 4,
        message_bytes: 4 << 20,
        opcodes: vec![(0x06, 4), (0x07, 488), (0x08, 4), (0x11, 4)],
        roce: RoceCounters {
            data_packets: 496,
            retransmitted: if troubled { 6 } else { 0 },
            psn_gaps: u64::from(troubled),
            timeouts: u64::from(troubled && tick.is_multiple_of(40)),
            lost_after_tap: u64::from(troubled),
            icrc_checked: 500,
            ..RoceCounters::default()
        },
        naks: [u64::from(troubled), 0, 0, 0],
        ce_packets: if troubled { 60 } else { 0 },
        cnp_packets: if troubled { 7 } else { 0 },
        class: None,
        cnp_dscp: None,
        repeats_of_one_psn_max: u32::from(troubled),
        inversion_depth_max: 0,
        timeout_silence_ns_max: 0,
        first_ns: start_ns + 3_000,
        last_ns: start_ns + TICK_NS - 3_000,
        rtt: rtt(if troubled { 384 } else { 0 }, index, tick),
        witnesses: Vec::new(),
    }
}

fn taps(tick: u64, start_ns: u64) -> Vec<TapTick> {
    let tap = |source: &str, session, lost: u64| TapTick {
        source: source.to_owned(),
        key: key(session),
        frames: 90_000,
        lost,
        lost_first_ns: if lost > 0 { start_ns + 5_000 } else { 0 },
        lost_last_ns: if lost > 0 { start_ns + 9_000 } else { 0 },
        truncated: 12,
    };
    let mut all = vec![tap("leaf0.pcap", 7, if (100..108).contains(&tick) { 31 } else { 0 }), tap("leaf0.pcap", 9, 0)];
    if !(200..250).contains(&tick) {
        all.push(tap("leaf1.pcap", 8, 0));
    }
    all
}

fn tick(tick: u64) -> Tick {
    let start_ns = START_NS + tick * TICK_NS;
    let blind = (200..250).contains(&tick);
    let seen = move |index: &u32| !(blind && index % 12 >= 8) && (tick % STEP_TICKS < 2 || index.is_multiple_of(3));
    Tick {
        start_ns,
        end_ns: start_ns + TICK_NS,
        capture: CaptureTick {
            frames: 270_000,
            wire_bytes: 1_100_000_000,
            captured_bytes: 34_000_000,
            refused: vec![("ipv4_header_short", 2), ("roce_bth_short", u64::from(tick.is_multiple_of(3)))],
            duplicated: 11,
            flows_evicted: 0,
            icrc_unchecked: 0,
        },
        new_links: if tick == 0 { links() } else { Vec::new() },
        links: (0..16).filter_map(|index| link_tick(index, tick, start_ns)).collect(),
        flows: (0..240).filter(seen).map(|index| flow(index, tick, start_ns)).collect(),
        qps: (0..48).filter(seen).map(|index| qp(index, tick, start_ns)).collect(),
        taps: taps(tick, start_ns),
        ..Tick::default()
    }
}

/// The whole minute.
pub fn minute() -> Made {
    let links = Arc::new(links());
    let mut fabric = Fabric::new(FabricConfig::default());
    let mut facts = Vec::new();
    for sequence in 0..TICKS {
        let tick = Arc::new(tick(sequence));
        fabric.absorb(&tick);
        let findings = if sequence + 1 == TICKS { findings::all() } else { Vec::new() };
        facts.push(Facts {
            sensor: "bench".into(),
            run: "generated".into(),
            sequence,
            tick,
            links: links.clone(),
            findings: Arc::new(findings),
            jobs: Arc::default(),
        });
    }
    Made { facts, report: report(&fabric) }
}

fn report(fabric: &Fabric) -> Report {
    let file = |path: &str, damage: &[&str]| File {
        path: path.to_owned(),
        link_types: vec!["Ethernet".to_owned()],
        packets: 80_000_000,
        bytes: 10_000_000_000,
        first_ns: Some(START_NS),
        last_ns: Some(START_NS + TICKS * TICK_NS),
        damage: damage.iter().map(|text| (*text).to_owned()).collect(),
        live: None,
    };
    let damage = "leaf1.pcap at byte 5,120,344: a record of 9,001,223 bytes, longer than the snapshot length 256; skipped to the next";
    let mut report = fabric.report(vec![file("leaf0.pcap", &[]), file("leaf1.pcap", &[damage])]);
    report.findings = findings::all();
    report.jobs = vec![findings::job()];
    report
}
