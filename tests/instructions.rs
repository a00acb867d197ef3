//! What a packet costs in instructions, which no busy machine changes: a guard against hot paths that grow unnoticed.
//!
//! A corpus is replayed twice under callgrind, once with fewer packets and once with more; the difference is what the packets
//! between cost, without start and end of the program. The program is the one that the tests build, hardly optimised, so the
//! figures say nothing of the product's speed (docs/performance.md does), only whether it has changed.
//!
//! Recorded figures stand in `tests/instructions.txt`. With a change that explains it, record them anew:
//!
//!     FABRICSCOPE_WRITE_EXPECTED=1 cargo test -p fabricscope --test instructions

// Tests may stop on what they did not expect, and say what they skip.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs::{self, File};
use std::io::{BufWriter, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;

use fixtures::corpus::ALL;

/// Corpora: RDMA, everyday protocols with payload, a flood of flows that are nobody's.
const LETTERS: [char; 3] = ['A', 'C', 'E'];
/// More instructions than recorded by this part are too many.
const TOLERANCE: f64 = 0.05;
/// Packets of the two runs.
const FEWER: u64 = 4_000;
const MORE: u64 = 24_000;

#[test]
fn a_packet_costs_no_more_instructions_than_recorded() {
    if let Some(why) = cannot() {
        assert!(!is_set("FABRICSCOPE_REQUIRE_ALL"), "instructions per packet: {why}");
        let _ = writeln!(stderr(), "SKIPPED: instructions per packet: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let counted: Vec<(char, u64)> = LETTERS.iter().map(|&letter| (letter, per_packet(letter, folder.path()))).collect();
    if is_set("FABRICSCOPE_WRITE_EXPECTED") {
        let lines: String = counted.iter().map(|(letter, count)| format!("{letter} {count}\n")).collect();
        return fs::write(recorded_in(), lines).unwrap();
    }
    let breaches: Vec<String> = counted.iter().filter_map(|&(letter, now)| breach(letter, now)).collect();
    assert!(
        breaches.is_empty(),
        "more than recorded in tests/instructions.txt (its test says how to record): {breaches:#?}"
    );
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value == "1")
}

fn recorded_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions.txt")
}

/// What is wrong with a count; less than recorded is told, so that it can be recorded.
fn breach(letter: char, now: u64) -> Option<String> {
    let text = fs::read_to_string(recorded_in()).unwrap();
    let of = |line: &str| line.strip_prefix(letter).and_then(|count| count.trim().parse::<u64>().ok());
    let recorded = text.lines().find_map(of).unwrap_or_else(|| panic!("no figure of {letter} is recorded"));
    let change = now as f64 / recorded as f64 - 1.0;
    let told = format!("{letter}: {now} instructions per packet, recorded {recorded}: {:+.1} %", change * 100.0);
    eprintln!("{told}");
    (change > TOLERANCE).then_some(told)
}

/// Why instructions can't be counted here.
fn cannot() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the figures are of x86-64");
    }
    let there = Command::new("valgrind").arg("--version").output().is_ok_and(|done| done.status.success());
    (!there).then_some("needs valgrind (./setup installs it)")
}

fn per_packet(letter: char, folder: &Path) -> u64 {
    let [fewer, more] = [FEWER, MORE].map(|packets| instructions(letter, packets, folder));
    (more - fewer) / (MORE - FEWER)
}

/// Instructions that a replay of so many packets takes, whatever they are.
fn instructions(letter: char, packets: u64, folder: &Path) -> u64 {
    let corpus = ALL.iter().find(|corpus| corpus.letter == letter).unwrap();
    let capture = folder.join("capture.pcap");
    (corpus.write)(packets, &mut BufWriter::new(File::create(&capture).unwrap())).unwrap();
    let done = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            env!("CARGO_BIN_EXE_fabricscope"),
            "replay",
            "--quiet",
            "--store",
            "none",
        ])
        .arg(&capture)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    collected.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count in: {said}"))
}
