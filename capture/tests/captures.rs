//! Reads every capture that is there, sound and hostile, within limits of time and memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use capture::{FileOptions, Frame, Input, Interface, InterfaceId, Sink, Step, open};
use serde_json::Value;

#[derive(Default)]
struct Counter {
    interfaces: usize,
    frames: u64,
}

impl Sink for Counter {
    fn interface(&mut self, interface: &Interface) {
        assert_eq!(usize::from(interface.id.0), self.interfaces, "interfaces are numbered densely");
        self.interfaces += 1;
    }
    fn frames(&mut self, batch: &[Frame<'_>]) {
        assert!(!batch.is_empty() && batch.len() <= 256);
        for frame in batch {
            assert!(usize::from(frame.interface.0) < self.interfaces, "an interface is said before its frames");
            assert!(frame.wire_len as usize >= frame.bytes.len());
        }
        self.frames += batch.len() as u64;
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, count: u64) {
        assert!(count > 0);
    }
}

fn shared() -> Option<PathBuf> {
    let given = std::env::var_os("FABRICSCOPE_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let found = given.unwrap_or(beside);
    if found.join("captures").is_dir() {
        return Some(found);
    }
    assert!(std::env::var("FABRICSCOPE_REQUIRE_ALL").as_deref() != Ok("1"), "no captures at {}", found.display());
    let _ = writeln!(stderr(), "SKIPPED: there are no captures at {}", found.display());
    None
}

fn captures(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            captures(&path, into);
        } else if !name.ends_with(".json") && !name.ends_with(".md") {
            into.push(path);
        }
    }
}

fn read(path: &Path) -> Result<(Counter, Input), String> {
    let mut source = open(&[path.to_owned()], &FileOptions::default()).map_err(|e| e.to_string())?;
    let mut counter = Counter::default();
    while source.step(&mut counter) != Step::End {}
    let input = source.inputs().remove(0);
    assert_eq!(input.frames, counter.frames, "{}", path.display());
    Ok((counter, input))
}

/// What other readers say of a file, and why we say otherwise.
const EXPLAINED: &[(&str, Option<u64>, &str)] = &[
    ("malformed/derived/caplen_over_snaplen.pcap", Some(4), "goes on behind the record with the wrong length"),
    (
        "malformed/suricata-verify/smtp-to-comma/10.7.29.101_49898-178.63.41.150_25.pcap",
        Some(199),
        "goes on behind three stray bytes, where others stop after 18 records",
    ),
    (
        "malformed/libpcap/shb-option-too-long.pcapng",
        Some(0),
        "the only section has an unsound length: nothing is sure",
    ),
    ("malformed/libpcap/pcap-invalid-version-1.pcap", None, "version 1.4: refused, as by libpcap"),
    ("malformed/derived/elf_like.pcap", None, "a program; capinfos calls it a capture of one ELF"),
    ("malformed/derived/empty.pcap", None, "empty; capinfos calls it a capture of nothing"),
    (
        "libpcap/linktype-reserved-field-not-zero.pcap",
        None,
        "reserved bits of the link type are set: refused, as by libpcap",
    ),
];

fn told(folder: &Path) -> BTreeMap<String, u64> {
    let json = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap() };
    let (index, capinfos) = (json("INDEX.json"), json("CAPINFOS.json"));
    let rows = index.as_array().unwrap().iter().map(|row| {
        // The index did not look into this compression and this format; tshark did.
        let looked = if row["packets"] == 0 { &row["tshark_packets"] } else { &row["packets"] };
        (row["file"].as_str().unwrap().to_owned(), looked.as_u64().unwrap_or(0))
    });
    let mut told: BTreeMap<String, u64> = rows.collect();
    for (file, about) in capinfos["opened"].as_object().unwrap() {
        told.extend(about["n"].as_str().and_then(|n| n.parse().ok()).map(|n| (file.clone(), n)));
    }
    told
}

#[test]
fn every_foreign_capture_is_read_or_refused_by_name() {
    let Some(folder) = shared().map(|s| s.join("captures/foreign")) else { return };
    let told = told(&folder);
    let (mut paths, mut wrong, mut frames) = (Vec::new(), Vec::new(), 0);
    captures(&folder, &mut paths);
    for path in &paths {
        let file = path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let begun = Instant::now();
        let read = read(path);
        assert!(begun.elapsed() < Duration::from_secs(10), "{file} took {:?}", begun.elapsed());
        let ours = read.as_ref().ok().map(|(counter, _)| counter.frames);
        frames += ours.unwrap_or(0);
        let explained = EXPLAINED.iter().find(|(name, ..)| *name == file).map(|(_, count, _)| *count);
        let expected = explained.or_else(|| told.get(&file).map(|n| Some(*n)));
        if expected.is_some_and(|expected| expected != ours) {
            wrong.push(format!("{file}: {ours:?} frames, {expected:?} expected {:?}", read.err()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told.len() > 2_000 && paths.len() >= told.len(), "{} told, {} there", told.len(), paths.len());
    eprintln!("{} files, {frames} frames; {} explained", paths.len(), EXPLAINED.len());
    assert!(peak_mib().is_none_or(|mib| mib < 150), "{:?} MiB at the peak", peak_mib());
}

/// Most memory that this process held at once.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}

#[test]
fn every_soft_roce_capture_has_as_many_frames_as_its_label_says() {
    let Some(folder) = shared().map(|s| s.join("captures/softroce")) else { return };
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    let labels = labels["captures"].as_array().unwrap();
    for label in labels {
        let (counter, input) = read(&folder.join(label["pcap"].as_str().unwrap())).unwrap();
        assert_eq!(Some(counter.frames), label["tshark"]["packets"].as_u64(), "{}", label["pcap"]);
        assert_eq!(input.damage, [], "{}", label["pcap"]);
        assert_eq!(Some(input.read_bytes), input.size_bytes, "{}", label["pcap"]);
    }
    assert!(labels.len() > 10, "only {} labels", labels.len());
}

#[test]
fn the_taps_of_a_simulated_fabric_are_merged_in_order() {
    let Some(folder) = shared().map(|s| s.join("captures/fabric-sim/lossy_open")) else { return };
    let labels: Value = serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    let mirrors = labels["mirrors"].as_array().unwrap();
    let paths: Vec<PathBuf> = mirrors.iter().map(|m| folder.join(m["pcap"].as_str().unwrap())).collect();
    let mut source = open(&paths, &FileOptions::default()).unwrap();
    let mut order = InOrder::default();
    while source.step(&mut order) != Step::End {}
    for (mirror, input) in mirrors.iter().zip(source.inputs()) {
        assert_eq!(Some(input.frames), mirror["stats"]["packets"].as_u64(), "{}", input.path);
    }
}

#[derive(Default)]
struct InOrder(u64);

impl Sink for InOrder {
    fn interface(&mut self, _: &Interface) {}
    fn frames(&mut self, batch: &[Frame<'_>]) {
        for frame in batch {
            assert!(frame.at_ns >= self.0);
            self.0 = frame.at_ns;
        }
    }
    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}
