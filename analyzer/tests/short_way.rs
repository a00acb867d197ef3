//! Plain packets take a short way through the worker: every tick must be what it is without it, on every capture with RDMA, as it is
//! and with frames lost, doubled, exchanged, damaged and marked; with long and short ticks, and with a table too small.

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use analyzer::tick::Tick;
use analyzer::topology::Plan;
use analyzer::worker::{TapNature, Worker, WorkerConfig};
use capture::{Direction, Frame, InterfaceId, LinkType};
use fixtures::ring::{Config, Envelope};
use support::{Pcap, interface, shared};

/// A frame of one's own.
#[derive(Clone)]
struct Own {
    bytes: Vec<u8>,
    at_ns: u64,
    wire_len: u32,
}

fn worker(config: WorkerConfig, link_type: LinkType) -> Worker {
    let mut worker = Worker::new(config, Arc::new(Plan::default()));
    worker.add_interface(&interface(InterfaceId(0), "tap", link_type), TapNature::default());
    worker
}

fn ticks(frames: &[Own], link_type: LinkType, config: WorkerConfig) -> Vec<Tick> {
    let lent: Vec<Frame<'_>> = frames
        .iter()
        .map(|f| Frame {
            bytes: &f.bytes,
            at_ns: f.at_ns,
            wire_len: f.wire_len,
            interface: InterfaceId(0),
            direction: Direction::Unknown,
        })
        .collect();
    let (mut worker, mut ticks) = (worker(config, link_type), Vec::new());
    for batch in lent.chunks(100) {
        worker.observe(batch, &mut |tick| ticks.push(tick));
    }
    worker.finish(&mut |tick| ticks.push(tick));
    ticks
}

fn same(name: &str, frames: &[Own], link_type: LinkType, config: &WorkerConfig) {
    let short = ticks(frames, link_type, config.clone());
    let long = ticks(frames, link_type, WorkerConfig { short_way: false, ..config.clone() });
    assert_eq!(short.len(), long.len(), "{name}: ticks");
    for (s, l) in short.iter().zip(&long) {
        let at = s.start_ns;
        assert_eq!(s.capture, l.capture, "{name} at {at}: totals");
        assert_eq!(s.taps, l.taps, "{name} at {at}: taps");
        each(name, at, &s.flows, &l.flows);
        each(name, at, &s.qps, &l.qps);
        each(name, at, &s.links, &l.links);
        each(name, at, &s.messages, &l.messages);
        assert!(s == l, "{name} at {at}");
    }
}

fn each<T: PartialEq + std::fmt::Debug>(name: &str, at: u64, short: &[T], long: &[T]) {
    assert_eq!(short.len(), long.len(), "{name} at {at}");
    for (s, l) in short.iter().zip(long) {
        assert!(s == l, "{name} at {at}\nshort {s:#?}\nlong {l:#?}");
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Frames lost, doubled, exchanged, late, damaged, cut, marked: one in `rare` each.
fn troubled(frames: &[Own], rare: u64, seed: u64) -> Vec<Own> {
    let mut random = Random(seed);
    let mut out: Vec<Own> = Vec::with_capacity(frames.len());
    for frame in frames {
        let mut frame = frame.clone();
        match random.below(rare * 8) {
            0 => continue,
            1 => out.push(Own { at_ns: frame.at_ns + 700, ..frame.clone() }),
            2 => {
                if let Some(before) = out.last_mut() {
                    std::mem::swap(before, &mut frame);
                }
            }
            3 => frame.at_ns = frame.at_ns.saturating_sub(random.below(30_000_000)),
            4 => {
                let at = random.below(frame.bytes.len().clamp(1, 90) as u64) as usize;
                if let Some(byte) = frame.bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            5 => frame.bytes.truncate(random.below(90) as usize),
            6 => {
                // IPv4 without a tag: congestion experienced.
                if let Some(class) = frame.bytes.get_mut(15) {
                    *class |= 3;
                }
            }
            _ => {}
        }
        out.push(frame);
    }
    out
}

fn every_way(name: &str, frames: &[Own], link_type: LinkType) {
    let config = WorkerConfig::default();
    same(name, frames, link_type, &config);
    same(name, frames, link_type, &WorkerConfig { tick_ns: 1_000_000, ..config.clone() });
    same(name, frames, link_type, &WorkerConfig { flow_capacity: 16, check_icrc: false, ..config.clone() });
    for (seed, rare) in [(1, 2), (2, 20), (3, 400)] {
        let troubled = troubled(frames, rare, seed);
        same(&format!("{name}, 1 in {rare} troubled"), &troubled, link_type, &config);
        let small = WorkerConfig { tick_ns: 3_000_000, check_icrc: false, ..config.clone() };
        same(&format!("{name}, 1 in {rare} troubled, short ticks"), &troubled, link_type, &small);
    }
}

fn owned(file: &Pcap, most: usize) -> Vec<Own> {
    let own = |r: &support::Record<'_>| Own { bytes: r.bytes.to_vec(), at_ns: r.at_ns, wire_len: r.wire_len };
    file.records().iter().take(most).map(own).collect()
}

fn captures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            captures(&entry, found);
        } else if entry.to_string_lossy().contains(".pcap") && !entry.to_string_lossy().contains(".pcapng") {
            found.push(entry);
        }
    }
}

#[test]
fn captures_give_the_same_ticks() {
    for folder in ["softroce", "fabric-sim"] {
        let Some(folder) = shared(folder) else { continue };
        let mut found = Vec::new();
        captures(&folder, &mut found);
        found.sort();
        assert!(!found.is_empty());
        for path in found {
            let file = Pcap::open(&path);
            every_way(&path.display().to_string(), &owned(&file, 5_000), file.link_type());
        }
    }
}

#[test]
fn rings_give_the_same_ticks() {
    let base = Config { hosts: 8, queue_pairs: 40, packets: 20_000, ..Config::default() };
    let configs = [
        ("cut", base),
        ("whole", Config { payload_len: 64, message_packets: 2, whole: true, snaplen: 65_535, ..base }),
        ("erspan", Config { snaplen: 182, envelope: Envelope::Erspan3, ..base }),
        ("slow", Config { gap_ns: 9_000, ..base }),
    ];
    for (name, config) in configs {
        let mut bytes = Vec::new();
        fixtures::ring::write(&config, &mut bytes).unwrap();
        every_way(name, &owned(&Pcap::of(bytes), usize::MAX), LinkType::Ethernet);
    }
}
