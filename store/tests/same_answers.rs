//! ClickHouse answers what memory answers: made-up facts of two sensors, with names as hostile as packets can make them, asked
//! every question in many forms.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod contract_facts;
mod with_server;

use std::sync::Arc;

use analyzer::packet::{Addr, MirrorKey, MirrorKind};
use analyzer::report::{Finding, Job, Severity, Step, Subject, SubjectQp};
use analyzer::sketch::bucket_of;
use analyzer::tick::*;
use contract_facts::{TICK_NS, query, window};
use store::{ClickHouse, Facts, Memory, Query, Store};

const HOSTILE: [&str; 10] = [
    "plain",
    "it's \"quoted\"",
    "back\\slash\\",
    "nul\0inside",
    "日本 ÄÖ İΣΑΣ",
    "'; DROP TABLE flows; --",
    "{x:String} ? ?? ?fields",
    "line\nfeed\ttab",
    "%_%",
    "",
];

/// Marsaglia's xorshift: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize].clone()
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.roll(2) == 0).then_some(value)
    }

    /// Small, or near what 53 bits cannot hold.
    fn count(&mut self) -> u64 {
        if self.roll(8) == 0 { (1 << 56) + self.roll(1 << 20) } else { self.roll(1_000) }
    }

    fn histogram(&mut self) -> SparseHistogram {
        let mut row: Vec<(u16, u32)> =
            (0..self.roll(4)).map(|_| (bucket_of(1 + self.roll(1 << 30)), 1 + self.roll(9) as u32)).collect();
        row.sort_unstable();
        row.dedup_by_key(|(bucket, _)| *bucket);
        SparseHistogram(row)
    }

    fn address(&mut self) -> Addr {
        match self.roll(5) {
            0 => Addr::lid(self.roll(3) as u16),
            1 => Addr::mac([2, 0, 0, 0, 0, self.roll(3) as u8]),
            2 => Addr([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.roll(3) as u8]),
            _ => Addr::v4([10, 0, 0, self.roll(12) as u8]),
        }
    }

    fn counters(&mut self) -> RoceCounters {
        RoceCounters {
            data_packets: self.roll(9),
            retransmitted: self.roll(3),
            nak_sequence: self.roll(2),
            rnr: self.roll(2),
            timeouts: self.roll(2),
            psn_gaps: self.count(),
            inversions: self.roll(2),
            icrc_checked: self.roll(9),
            icrc_bad: self.roll(2),
            lost_before_tap: self.roll(2),
            lost_after_tap: self.roll(2),
            ..RoceCounters::default()
        }
    }
}

fn link_info(dice: &mut Dice, index: u32) -> LinkInfo {
    let kind = dice.one(&[MirrorKind::Plain, MirrorKind::Erspan3, MirrorKind::Rspan]);
    let mirror = MirrorKey {
        kind,
        vlan: dice.maybe(7),
        session: dice.maybe(3),
        port: None,
        source: dice.maybe(Addr::v4([1; 4])),
    };
    LinkInfo {
        link: LinkId(index),
        id: format!("link {index} {}", HOSTILE[index as usize % HOSTILE.len()]),
        name: dice.one(&HOSTILE).to_owned(),
        from: dice.one(&HOSTILE).to_owned(),
        to: dice.one(&HOSTILE).to_owned(),
        speed_bps: dice.maybe(400_000_000_000),
        group: dice.maybe("lag".to_owned()),
        mirror,
        tap: dice.one(&HOSTILE).to_owned(),
        reverse: None,
        host: dice.maybe(Addr::v4([10, 0, 0, 1])),
        to_host: false,
    }
}

fn link_tick(dice: &mut Dice, link: u32, at: u64) -> LinkTick {
    LinkTick {
        link,
        packets: dice.count(),
        bytes: dice.count(),
        rdma_bytes: dice.roll(2),
        rdma_packets: dice.roll(5),
        ect_packets: dice.roll(100),
        ce_packets: dice.roll(100),
        cnp_packets: dice.roll(9),
        pfc_frames: u64::from(dice.roll(20) == 0),
        paused_ns: [0, dice.roll(9_000_000), 0, 0, 0, 0, 0, dice.roll(9_000_000)],
        first_ns: at + dice.roll(1_000),
        last_ns: at + 1_000 + dice.roll(1_000),
        silent_ns_max: dice.roll(3) * 1_000,
        silent_until_ns: at + dice.roll(1_000),
        max_bytes_1ms: dice.roll(5_000),
        max_bytes_100us: dice.roll(4),
        max_100us_at_ns: at + dice.roll(1_000),
        rtt: dice.histogram(),
        roce: dice.counters(),
        tcp_retransmitted: dice.roll(3),
        ..LinkTick::default()
    }
}

fn flow_tick(dice: &mut Dice, key: FlowKey, at: u64, links: u64) -> FlowTick {
    let app = dice.one(&[None, Some("tls"), Some("nvme-rdma"), Some("dns")]);
    FlowTick {
        key,
        sport: if key.sport == 0 { dice.roll(60_000) as u16 } else { key.sport },
        vlan: dice.maybe(dice.0 as u16 & 0xfff),
        link: LinkId(dice.roll(links) as u32),
        packets: 1 + dice.roll(50),
        bytes: dice.count(),
        first_ns: at + dice.roll(1_000),
        last_ns: at + 1_000 + dice.roll(1_000),
        ce_packets: dice.roll(3),
        retransmitted: dice.roll(3),
        copies: dice.roll(2),
        app,
        closed: true,
        dscp: None,
        engine: if app.is_some() { "dpi" } else { "none" },
        confidence: if app.is_some() { dice.roll(100) as f32 / 100.0 } else { 0.0 },
        host_name: (dice.roll(4) == 0).then(|| dice.one(&HOSTILE).to_owned()),
        attrs: (dice.roll(4) == 0)
            .then(|| vec![("sni", dice.one(&HOSTILE).to_owned()), ("ja4", "x".to_owned())].into()),
        rtt: dice.histogram(),
    }
}

fn qp_tick(dice: &mut Dice, key: QpKey, at: u64, links: u64) -> QpTick {
    let src_qp = dice.maybe(dice.0 as u32 & 0xff_ffff);
    QpTick {
        key,
        src_qp,
        paired_by: if src_qp.is_some() { "psn" } else { "none" },
        transport: "RC",
        service: dice.maybe("nfs-rdma"),
        link: LinkId(dice.roll(links) as u32),
        packets: 1 + dice.roll(50),
        bytes: dice.count(),
        copies: dice.roll(2),
        messages: dice.roll(9),
        message_bytes: dice.count(),
        opcodes: vec![(0x04, 1 + dice.roll(9)), (0x11, 1), (0x81, 1 + dice.roll(3))],
        roce: dice.counters(),
        naks: [dice.roll(2), dice.roll(2), dice.roll(2), dice.roll(2)],
        ce_packets: dice.roll(9),
        cnp_packets: dice.roll(9),
        class: None,
        cnp_dscp: None,
        repeats_of_one_psn_max: 0,
        inversion_depth_max: 0,
        timeout_silence_ns_max: 0,
        first_ns: at + dice.roll(1_000),
        last_ns: at + 1_000 + dice.roll(1_000),
        rtt: dice.histogram(),
        witnesses: Vec::new(),
    }
}

fn finding(dice: &mut Dice, at: u64, links: &[LinkInfo]) -> Finding {
    let id = dice.roll(12);
    let qp = SubjectQp { src: "10.0.0.1".to_owned(), dst: HOSTILE[4].to_owned(), dst_qp: id as u32 };
    Finding {
        id: format!("finding {id}"),
        kind: ["fabric_loss", "mirror_loss", "incast"][id as usize % 3].to_owned(),
        severity: [Severity::Info, Severity::Warning, Severity::Critical][id as usize % 3],
        subject: Subject { link: dice.maybe(links[0].id.clone()), qp: dice.maybe(qp), ..Subject::default() },
        since_ns: window(id, id + 1).from_ns,
        until_ns: dice.maybe(at),
        value: dice.roll(1_000) as f64 / 7.0,
        unit: "packets".to_owned(),
        threshold: 1.0 / 3.0,
        explanation: HOSTILE[id as usize % HOSTILE.len()].to_owned(),
        ..Finding::default()
    }
}

/// The facts of one sensor; `seed` decides.
fn sensor(name: &str, seed: u64, ticks: u64) -> Vec<Facts> {
    let mut dice = Dice(seed);
    let flows: Vec<FlowKey> = (0..25)
        .map(|n| {
            let protocol = dice.one(&[6u8, 17, 17, 0, 132, 200]);
            let dst_qp = (protocol == 17).then(|| dice.maybe(n)).flatten();
            let sport = if dst_qp.is_some() { 0 } else { dice.roll(3) as u16 + 1_000 };
            FlowKey {
                src: dice.address(),
                dst: dice.address(),
                sport,
                dport: dice.one(&[443, 4791, 53]),
                protocol,
                dst_qp,
            }
        })
        .collect();
    let mut links: Arc<Vec<LinkInfo>> = Arc::new((0..3).map(|i| link_info(&mut dice, i)).collect());
    (0..ticks)
        .map(|n| {
            let at = window(n, n).from_ns;
            if dice.roll(4) == 0 && links.len() < 9 {
                let index = links.len() as u32;
                let more = links.iter().cloned().chain([link_info(&mut dice, index)]).collect();
                links = Arc::new(more);
            }
            let known = links.len() as u64;
            let on: Vec<u32> = (0..links.len() as u32).filter(|_| dice.roll(3) > 0).collect();
            let flowing: Vec<FlowKey> = flows.iter().copied().filter(|_| dice.roll(3) == 0).collect();
            let mut pairs: Vec<QpKey> =
                flowing.iter().filter_map(|f| Some(QpKey { src: f.src, dst: f.dst, dst_qp: f.dst_qp? })).collect();
            pairs.sort();
            pairs.dedup();
            let tick = Tick {
                start_ns: at,
                end_ns: at + TICK_NS,
                links: on.into_iter().map(|link| link_tick(&mut dice, link, at)).collect(),
                flows: flowing.into_iter().map(|key| flow_tick(&mut dice, key, at, known)).collect(),
                qps: pairs.into_iter().map(|key| qp_tick(&mut dice, key, at, known)).collect(),
                ..Tick::default()
            };
            let findings = (0..dice.roll(3)).map(|_| finding(&mut dice, at, &links)).collect();
            Facts {
                sensor: name.into(),
                run: format!("run {}", HOSTILE[3]).into(),
                sequence: n,
                tick: Arc::new(tick),
                links: links.clone(),
                findings: Arc::new(findings),
                jobs: Arc::new((0..dice.roll(3)).map(|n| job(&mut dice, n, at)).collect()),
            }
        })
        .collect()
}

/// Of a few names; hosts as hostile as a report could have them.
fn job(dice: &mut Dice, n: u64, at: u64) -> Job {
    let start_ns = at.saturating_sub(dice.roll(9) * TICK_NS);
    let efficiency = 0.1 + dice.roll(8) as f64 / 10.0;
    Job {
        id: format!("job-{}", 1 + n * 6 + dice.roll(6)),
        hosts: (0..dice.roll(4)).map(|_| dice.one(&HOSTILE).to_owned()).collect(),
        steps: [start_ns, at].map(|ns| Step { start_ns: ns, end_ns: ns + 7, communication_ns: dice.count() }).to_vec(),
        steps_left_out: dice.count(),
        efficiency: dice.maybe(efficiency),
        ended: dice.roll(2) == 0,
        ..Job::default()
    }
}

async fn both() -> Option<(Memory, ClickHouse)> {
    let server = with_server::server()?;
    let clickhouse = ClickHouse::open(&server.url("same_answers"), None).await.unwrap();
    let memory = Memory::new(1_000_000);
    let (a, b) = (sensor("s1", 0x9e37_79b9_7f4a_7c15, 30), sensor("it's s2", 0x1234_5678_9abc_def1, 24));
    for facts in [&a[..20], &b[..], &a[10..]] {
        memory.write(facts).await.unwrap();
        clickhouse.write(facts).await.unwrap();
    }
    Some((memory, clickhouse))
}

/// Compares what both say; the names of what was asked stand in the failure.
macro_rules! same {
    ($memory:expr, $clickhouse:expr, $ask:ident($($with:expr),*), $($what:tt)*) => {{
        let (left, right) = ($memory.$ask($($with),*).await, $clickhouse.$ask($($with),*).await);
        assert_eq!(format!("{:#?}", left.unwrap()), format!("{:#?}", right.unwrap()), $($what)*);
    }};
}

fn queries(names: &[&str], sorts: &[&str]) -> Vec<Query> {
    let all = window(0, 30);
    let mut made: Vec<Query> = Vec::new();
    for (n, sort) in sorts.iter().enumerate() {
        made.push(Query { descending: n % 2 == 0, limit: 7, offset: (n % 3) as u64 * 4, ..query(all, sort) });
    }
    for text in HOSTILE.iter().chain(&["10.0.0", "TLS", "i̇σας", "4791", "nope"]) {
        made.push(Query { search: (*text).to_owned(), ..query(all, sorts[0]) });
    }
    for (n, name) in names.iter().enumerate() {
        let n = n as u64;
        made.push(Query { name: Some((*name).to_owned()), ..query(window(3 * n, 3 * n + 7), sorts[0]) });
    }
    for (n, text) in HOSTILE.iter().enumerate().take(4) {
        made.push(Query { link: Some(format!("link {n} {text}")), ..query(all, sorts[0]) });
    }
    made
}

#[tokio::test]
async fn links_and_series_are_the_same() {
    let Some((memory, clickhouse)) = both().await else { return };
    same!(memory, clickhouse, extent(), "extent");
    let mut partial = window(4, 9);
    partial.from_ns += TICK_NS / 3;
    partial.to_ns -= TICK_NS / 3;
    for (window, steps) in
        [(window(0, 30), 60), (window(0, 30), 7), (partial, 3), (window(50, 60), 5), (window(9, 9), 5)]
    {
        same!(memory, clickhouse, links(window, steps), "links {window:?} {steps}");
        same!(memory, clickhouse, looked(window), "looked {window:?}");
        for (n, text) in HOSTILE.iter().enumerate() {
            let link = format!("link {n} {text}");
            same!(memory, clickhouse, series(&link, window, steps), "series {link} {window:?} {steps}");
        }
    }
}

#[tokio::test]
async fn flows_are_the_same() {
    let Some((memory, clickhouse)) = both().await else { return };
    let sorts = [
        "bytes",
        "src",
        "sport",
        "dst",
        "dport",
        "l4",
        "vlan",
        "dst_qp",
        "link",
        "packets",
        "first_ns",
        "last_ns",
        "retransmitted",
        "ce_packets",
        "app",
        "engine",
        "confidence",
        "host_name",
    ];
    for query in queries(&["tls", "dns", "nvme-rdma", ""], &sorts) {
        same!(memory, clickhouse, flows(&query), "flows {query:?}");
    }
}

#[tokio::test]
async fn queue_pairs_are_the_same() {
    let Some((memory, clickhouse)) = both().await else { return };
    let sorts = [
        "packets",
        "src",
        "dst",
        "dst_qp",
        "src_qp",
        "paired_by",
        "transport",
        "service",
        "link",
        "copies",
        "messages",
        "message_bytes",
        "psn_gaps",
        "retransmitted",
        "inversions",
        "nak",
        "rnr",
        "timeouts",
        "ce_packets",
        "cnp_packets",
        "icrc_bad",
        "icrc_checked",
        "lost_before_tap",
        "lost_after_tap",
        "first_ns",
        "last_ns",
    ];
    for query in queries(&["nfs-rdma", ""], &sorts) {
        same!(memory, clickhouse, qps(&query), "queue pairs {query:?}");
    }
}

#[tokio::test]
async fn findings_are_the_same() {
    let Some((memory, clickhouse)) = both().await else { return };
    let sorts = ["since_ns", "id", "kind", "severity", "until_ns", "value", "unit", "threshold"];
    for query in queries(&["fabric_loss", "incast"], &sorts) {
        same!(memory, clickhouse, findings(&query), "findings {query:?}");
    }
}

#[tokio::test]
async fn jobs_are_the_same() {
    let Some((memory, clickhouse)) = both().await else { return };
    for query in queries(&[], &["since_ns"]) {
        same!(memory, clickhouse, jobs(query.window), "jobs {query:?}");
    }
}
