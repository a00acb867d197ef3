//! The registry keeps its promises; every kind fires on what it is for and on nothing else.

mod classes;
mod congestion;
mod control;
mod ledger;
mod links;
mod many;
mod transport;

use super::*;
use crate::jobs::{Jobs, JobsConfig};
use crate::packet::{Addr, MirrorKey};
use crate::report::Finding;
use crate::slot::{LinkSlot, SLOT_NS};
use crate::tick::{LinkId, LinkInfo, LinkTick, QpKey, QpTick, RoceCounters, Sign, SparseHistogram, Tick, Witness};

pub(super) const MS: u64 = 1_000_000;
/// Where made-up time begins; aligned to ticks.
pub(super) const T0: u64 = 1_700_000_000_000_000_000;
/// 25 Gbit/s: 312,500 bytes in 100 us, 31,250,000 in a slot of 10 ms.
pub(super) const SPEED: u64 = 25_000_000_000;

/// An engine fed with made-up ticks of 100 ms.
pub(super) struct Scene {
    pub engine: Engine,
    jobs: Jobs,
    at_ns: u64,
    new_links: Vec<LinkInfo>,
}

pub(super) fn host(n: u8) -> Addr {
    Addr::v4([10, 0, 0, n])
}

fn info(link: u32, from: &str, to: &str) -> LinkInfo {
    LinkInfo {
        link: LinkId(link),
        id: format!("{from}-{to}"),
        name: format!("{from}->{to}"),
        from: from.into(),
        to: to.into(),
        speed_bps: Some(SPEED),
        group: None,
        mirror: MirrorKey::default(),
        tap: "tap.pcap".into(),
        reverse: None,
        host: None,
        to_host: false,
    }
}

/// 0: h1 to leaf0, 1: leaf0 to h1, 2 and 3: h2's; 4 and 5: leaf0 up to spine0 and spine1; 6 and 7: down from them.
pub(super) fn fabric() -> Vec<LinkInfo> {
    let mut all = vec![
        info(0, "h1", "leaf0"),
        info(1, "leaf0", "h1"),
        info(2, "h2", "leaf0"),
        info(3, "leaf0", "h2"),
        info(4, "leaf0", "spine0"),
        info(5, "leaf0", "spine1"),
        info(6, "spine0", "leaf0"),
        info(7, "spine1", "leaf0"),
    ];
    for (at, link) in all.iter_mut().enumerate() {
        link.reverse = Some(LinkId([1, 0, 3, 2, 6, 7, 4, 5][at]));
        link.host = [Some(1), Some(1), Some(2), Some(2)].get(at).copied().flatten().map(host);
        link.to_host = at == 1 || at == 3;
        link.group = (at >= 4).then(|| if at < 6 { "leaf0 up".into() } else { "leaf0 down".into() });
    }
    all
}

impl Scene {
    pub fn new() -> Self {
        Self::with(&DetectConfig::default())
    }

    pub fn with(config: &DetectConfig) -> Self {
        let jobs = Jobs::new(JobsConfig::default(), false);
        Self { engine: Engine::new(config), jobs, at_ns: T0, new_links: fabric() }
    }

    /// One tick; `fill` gets it with its start and end set.
    pub fn tick(&mut self, fill: impl FnOnce(&mut Tick)) -> Vec<Finding> {
        let mut tick = Tick {
            start_ns: self.at_ns,
            end_ns: self.at_ns + 100 * MS,
            new_links: std::mem::take(&mut self.new_links),
            ..Tick::default()
        };
        fill(&mut tick);
        self.at_ns += 100 * MS;
        let mut changed = self.engine.judge(&tick);
        if self.jobs.absorb(&tick) {
            changed.extend(self.engine.judge_jobs(self.jobs.known()));
        }
        changed
    }

    /// Ticks in which every link carries a little.
    pub fn calm(&mut self, ticks: usize) -> &mut Self {
        for _ in 0..ticks {
            self.tick(|t| t.links = (0..8).map(|l| calm(t, l)).collect());
        }
        self
    }

    pub fn finish(&mut self) {
        self.jobs.finish();
        self.engine.finish();
    }

    pub fn found(&self, kind: &str) -> Vec<Finding> {
        self.engine.findings().into_iter().filter(|f| f.kind == kind).collect()
    }

    /// The only finding of a kind.
    pub fn one(&self, kind: &str) -> Finding {
        let mut all = self.found(kind);
        assert_eq!(all.len(), 1, "{kind}: {all:#?}");
        all.remove(0)
    }
}

/// A link that carries a packet every 100 us or so, a tenth of its speed.
pub(super) fn calm(t: &Tick, link: u32) -> LinkTick {
    with_slots(t, link, |_| LinkSlot {
        packets: 100,
        bytes: 3_000_000,
        ect_packets: 100,
        max_bytes_100us: 100_000,
        ..LinkSlot::default()
    })
}

/// A link whose ten slots of the tick are what `slot` says (by number).
pub(super) fn with_slots(t: &Tick, link: u32, slot: impl Fn(u64) -> LinkSlot) -> LinkTick {
    let slots: Vec<LinkSlot> =
        (0..10).map(|i| LinkSlot { at_ns: t.start_ns + i * SLOT_NS, length_ns: SLOT_NS, ..slot(i) }).collect();
    let sum = |f: fn(&LinkSlot) -> u64| slots.iter().map(f).sum();
    LinkTick {
        link,
        packets: sum(|s| s.packets),
        bytes: sum(|s| s.bytes),
        ect_packets: sum(|s| s.ect_packets),
        ce_packets: sum(|s| s.ce_packets),
        pfc_frames: sum(|s| s.pfc_frames),
        max_bytes_100us: slots.iter().map(|s| s.max_bytes_100us).max().unwrap_or(0),
        first_ns: t.start_ns + 1,
        last_ns: t.end_ns - 1,
        slots,
        ..LinkTick::default()
    }
}

/// A queue pair from one host to another over a link, with its counters and first signs.
pub(super) fn qp(t: &Tick, from: u8, to: u8, link: u32, roce: RoceCounters, signs: &[(Sign, u64)]) -> QpTick {
    QpTick {
        key: QpKey { src: host(from), dst: host(to), dst_qp: 0x11 },
        src_qp: None,
        paired_by: "none",
        transport: "RC",
        service: None,
        link: LinkId(link),
        packets: roce.data_packets.max(1),
        bytes: roce.data_packets * 4200,
        copies: 0,
        messages: 1,
        message_bytes: 4096,
        opcodes: Vec::new(),
        roce,
        naks: [0; 4],
        ce_packets: 0,
        cnp_packets: 0,
        class: None,
        cnp_dscp: None,
        repeats_of_one_psn_max: 0,
        inversion_depth_max: 0,
        timeout_silence_ns_max: 0,
        first_ns: t.start_ns + 1,
        last_ns: t.end_ns - 1,
        rtt: SparseHistogram::default(),
        witnesses: signs.iter().map(|&(what, at)| Witness { at_ns: t.start_ns + at, psn: 7, what }).collect(),
    }
}

#[test]
fn every_kind_has_a_name_a_hold_and_sourced_thresholds() {
    for kind in KINDS {
        assert!(kind.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", kind.name);
        assert!(kind.knobs.iter().any(|k| k.name == "hold_ms"), "{} never closes", kind.name);
        assert!(kind.advice.ends_with('.') && kind.shows.ends_with('.'), "{}", kind.name);
        for knob in kind.knobs {
            assert!(!knob.unit.is_empty() && !knob.source.is_empty() && !knob.what.is_empty(), "{}", knob.name);
        }
        for cause in kind.follows {
            assert!(
                KINDS.iter().any(|k| k.name == cause.kind),
                "{} follows from {}, which is none",
                kind.name,
                cause.kind
            );
        }
    }
    let mut names: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn the_documentation_is_what_the_registry_says() {
    let committed = include_str!("../../../docs/findings.md");
    assert!(committed == markdown(), "docs/findings.md is out of date: run the ignored test write_documentation");
}

/// Writes docs/findings.md: `cargo test -p analyzer write_documentation -- --ignored`.
#[test]
#[ignore = "writes a file of the repository"]
fn write_documentation() {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/findings.md"), markdown()).unwrap();
}

#[test]
fn a_calm_fabric_has_no_findings() {
    let mut scene = Scene::new();
    scene.calm(30);
    assert_eq!(scene.engine.findings(), []);
}
