//! What the tests over captures share: finding them, reading them independently of the capture room, running them through.

#![allow(dead_code, reason = "each test uses its part")]

pub mod labelled;
pub mod variants;

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analyzer::fabric::{Fabric, FabricConfig};
use analyzer::report::Report;
use analyzer::tick::Tick;
use analyzer::topology::Plan;
use analyzer::worker::{NatureWatch, TapNature, Worker, WorkerConfig};
use capture::{Direction, Frame, Interface, InterfaceId, LinkType};

/// The shared captures, or a loud line that the test did not run.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FABRICSCOPE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let path = root.join("captures").join(folder);
    if path.exists() {
        return Some(path);
    }
    if std::env::var("FABRICSCOPE_REQUIRE_ALL").is_ok_and(|v| v == "1") {
        panic!("{} is missing", path.display());
    }
    let _ = writeln!(stderr(), "SKIPPED: {} is missing; set FABRICSCOPE_SHARED", path.display());
    None
}

/// A classic pcap file in memory.
pub struct Pcap {
    bytes: Vec<u8>,
}

/// One of its records.
pub struct Record<'a> {
    pub bytes: &'a [u8],
    pub wire_len: u32,
    pub at_ns: u64,
}

impl Pcap {
    pub fn open(path: &Path) -> Self {
        let raw = std::fs::read(path).unwrap();
        let bytes =
            if raw.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) { zstd::decode_all(raw.as_slice()).unwrap() } else { raw };
        assert!(matches!(le32(&bytes, 0), 0xa1b2_3c4d | 0xa1b2_c3d4), "little-endian pcap");
        Self { bytes }
    }

    /// One that is in memory already.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    pub fn link_type(&self) -> LinkType {
        LinkType::from_number(le32(&self.bytes, 20) as u16)
    }

    pub fn records(&self) -> Vec<Record<'_>> {
        let unit_ns = if le32(&self.bytes, 0) == 0xa1b2_3c4d { 1 } else { 1000 };
        let mut records = Vec::new();
        let mut at = 24;
        while at + 16 <= self.bytes.len() {
            let captured = le32(&self.bytes, at + 8) as usize;
            records.push(Record {
                bytes: &self.bytes[at + 16..at + 16 + captured],
                wire_len: le32(&self.bytes, at + 12),
                at_ns: u64::from(le32(&self.bytes, at)) * 1_000_000_000
                    + u64::from(le32(&self.bytes, at + 4)) * unit_ns,
            });
            at += 16 + captured;
        }
        records
    }
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// One tap of a run: its file, and what is known of its mirror.
pub struct Tap {
    pub path: PathBuf,
    pub nature: TapNature,
}

/// What a file's own frames say of its mirror.
pub fn learnt(path: &Path) -> TapNature {
    let file = Pcap::open(path);
    let mut watch = NatureWatch::default();
    let id = InterfaceId(0);
    let interface = interface(id, &file_name(path), file.link_type());
    watch.add_interface(&interface);
    watch.observe(&frames(&file, id));
    watch.nature(&interface.source)
}

fn frames(file: &Pcap, interface: InterfaceId) -> Vec<Frame<'_>> {
    file.records()
        .iter()
        .map(|r| Frame {
            bytes: r.bytes,
            at_ns: r.at_ns,
            wire_len: r.wire_len,
            interface,
            direction: Direction::Unknown,
        })
        .collect()
}

/// Runs captures through worker and fabric, merged by time; `tick` sees every tick.
pub fn run(taps: &[Tap], plan: Plan, mut tick: impl FnMut(&Tick)) -> Report {
    let files: Vec<Pcap> = taps.iter().map(|t| Pcap::open(&t.path)).collect();
    let mut worker = Worker::new(WorkerConfig::default(), Arc::new(plan));
    let mut merged: Vec<Frame<'_>> = Vec::new();
    for (index, (tap, file)) in taps.iter().zip(&files).enumerate() {
        let id = InterfaceId(index as u16);
        worker.add_interface(&interface(id, &file_name(&tap.path), file.link_type()), tap.nature);
        merged.extend(frames(file, id));
    }
    merged.sort_by_key(|f| f.at_ns);
    let mut fabric = Fabric::new(FabricConfig::default());
    let mut ready = |t: Tick| {
        tick(&t);
        fabric.absorb(&t);
    };
    worker.observe(&merged, &mut ready);
    worker.finish(&mut ready);
    fabric.finish();
    fabric.report(Vec::new())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A tap without anything known of it but its name.
pub fn interface(id: InterfaceId, source: &str, link_type: LinkType) -> Interface {
    Interface {
        id,
        source: source.to_owned(),
        name: None,
        index_in_file: 0,
        link_type,
        speed_bps: None,
        snaplen: 0,
        fcs_len: 0,
    }
}
