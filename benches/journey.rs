//! What a packet costs, stage by stage: `cargo bench --bench journey -- [LETTERS] [--packets N] [--rounds N]`.
//!
//! Every stage runs as a process of its own over the same capture, in turns, so that a busy machine hurts all alike;
//! what counts is processor time per packet and its ratio to the walk of the same round.
//!
//! `--workers` compares the time on the wall of two workers on two processors with that of one worker on one.

// A bench may stop on what it did not expect, prints, and asks the kernel for processor time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, unsafe_code)]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use analyzer::fabric::FabricConfig;
use analyzer::topology::Plan;
use analyzer::wire::{Decoder, TapFormat};
use analyzer::worker::{NatureWatch, TapNature, Worker, WorkerConfig};
use capture::{FileOptions, Frame, Interface, InterfaceId, LinkType, Sink, Step};
use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use fabricscope::args::Pace;
use fabricscope::pipeline::{Outlets, Settings, run};
use fixtures::corpus::{ALL, Corpus};

/// A stage: its name, what it does, and how it takes a capture.
type Stage = (&'static str, &'static str, fn(&Path));

const STAGES: [Stage; 5] = [
    ("walk", "records read, lengths added", |file| drain(file, &mut Walk::default())),
    ("decode", "headers read to the innermost transport", |file| drain(file, &mut Decode::default())),
    ("worker", "links, flows, conversations, meters", |file| drain(file, &mut Work::new())),
    ("full", "the product: worker, fabric, detectors, report", |file| full(file, 1)),
    ("naive", "what anyone would write: etherparse and a HashMap", |file| drain(file, &mut Naive::default())),
];

/// Compared by time on the wall.
const TEAMS: [Stage; 2] = [
    ("alone", "the product, all its threads on one processor", |file| {
        stay_on_one();
        full(file, 1);
    }),
    ("team2", "the product with two workers", |file| full(file, 2)),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.as_slice() {
        [flag, stage, file] if flag == "--stage" => run_stage(stage, Path::new(file)),
        _ => compare(&arguments),
    }
}

/// Runs one stage in this process; prints its processor time in ns, its peak memory in KiB, and its time on the wall in ns.
fn run_stage(name: &str, file: &Path) {
    let (_, _, stage) = STAGES.iter().chain(&TEAMS).find(|(n, ..)| *n == name).expect("a stage of that name");
    let begun = Instant::now();
    stage(file);
    println!("{} {} {}", processor_ns(), peak_kib(), begun.elapsed().as_nanos());
}

fn stay_on_one() {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the set is plain bits, all of which may be zero; the kernel reads as many bytes as it has.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut set);
        libc::sched_setaffinity(0, size, &raw const set)
    };
    assert_eq!(result, 0, "a process can be told to stay on a processor");
}

fn processor_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to the place given, which is one.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the processor time of a process can be asked for");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn compare(arguments: &[String]) {
    let value = |name: &str| arguments.iter().position(|a| a == name).map(|at| arguments[at + 1].parse().unwrap());
    let rounds: usize = value("--rounds").unwrap_or(5) as usize;
    let packets: Option<u64> = value("--packets");
    let letters = arguments.first().filter(|a| a.chars().all(|c| c.is_ascii_uppercase()));
    let chosen = |corpus: &&Corpus| letters.is_none_or(|l| l.contains(corpus.letter));
    if arguments.iter().any(|a| a == "--workers") {
        println!(
            "time on the wall per packet, median of {rounds} paired rounds: one worker on one processor, two workers on two"
        );
        for corpus in ALL.iter().filter(chosen) {
            measure_teams(corpus, packets.unwrap_or(corpus.packets), rounds);
        }
        return;
    }
    println!(
        "processor time per packet of the whole process, median of {rounds} paired rounds; ratio to the walk of the same round"
    );
    for (name, what, _) in STAGES {
        println!("  {name:7} {what}");
    }
    for corpus in ALL.iter().filter(chosen) {
        measure(corpus, packets.unwrap_or(corpus.packets), rounds);
    }
}

fn measure(corpus: &Corpus, packets: u64, rounds: usize) {
    let file = made(corpus, packets);
    println!("\n{}  {} ({packets} packets)", corpus.letter, corpus.what);
    let mut results: Vec<Vec<(f64, u64)>> = vec![Vec::new(); STAGES.len()];
    for _ in 0..rounds {
        for (stage, results) in STAGES.iter().zip(&mut results) {
            let (ns, kib, _) = child(stage.0, &file);
            results.push((ns as f64 / packets as f64, kib));
        }
    }
    for ((name, ..), own) in STAGES.iter().zip(&results) {
        let ratios: Vec<f64> = own.iter().zip(&results[0]).map(|(a, walk)| a.0 / walk.0).collect();
        let ns = median(own.iter().map(|r| r.0).collect());
        let kib = own.iter().map(|r| r.1).max().unwrap_or(0);
        println!("  {name:7} {ns:8.1} ns  {:6.2} x  {:6} MiB", median(ratios), kib / 1024);
    }
}

fn measure_teams(corpus: &Corpus, packets: u64, rounds: usize) {
    let file = made(corpus, packets);
    let per = |ns: u64| ns as f64 / packets as f64;
    let results: Vec<_> = (0..rounds)
        .map(|_| TEAMS.map(|(name, ..)| child(name, &file)).map(|(cpu, _, wall)| (per(cpu), per(wall))))
        .collect();
    let of = |what: fn(&[(f64, f64); 2]) -> f64| median(results.iter().map(what).collect());
    println!(
        "  {}  one {:7.1} ns  two {:7.1} ns  {:5.2} x;  processor time {:7.1} and {:7.1} ns",
        corpus.letter,
        of(|r| r[0].1),
        of(|r| r[1].1),
        of(|r| r[0].1 / r[1].1),
        of(|r| r[0].0),
        of(|r| r[1].0),
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn made(corpus: &Corpus, packets: u64) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{}-{packets}.pcap", corpus.letter));
    if !file.exists() {
        let beside = file.with_extension("part");
        (corpus.write)(packets, &mut std::io::BufWriter::new(File::create(&beside).unwrap())).unwrap();
        fs::rename(beside, &file).unwrap();
    }
    file
}

fn child(stage: &str, file: &Path) -> (u64, u64, u64) {
    let out = Command::new(std::env::current_exe().unwrap()).args(["--stage", stage]).arg(file).output().unwrap();
    assert!(out.status.success(), "{stage}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    (next(), next(), next())
}

fn drain(file: &Path, sink: &mut dyn Sink) {
    let mut source = capture::open(&[file.to_owned()], &FileOptions::default()).unwrap();
    while source.step(sink) != Step::End {}
}

/// Adds up lengths.
#[derive(Default)]
struct Walk {
    frames: u64,
    wire_bytes: u64,
    captured_bytes: u64,
}

impl Sink for Walk {
    fn interface(&mut self, _: &Interface) {}

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.frames += batch.len() as u64;
        for frame in batch {
            self.wire_bytes += u64::from(frame.wire_len);
            self.captured_bytes += frame.bytes.len() as u64;
        }
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

impl Drop for Walk {
    fn drop(&mut self) {
        std::hint::black_box((self.frames, self.wire_bytes, self.captured_bytes));
    }
}

#[derive(Default)]
struct Decode {
    decoder: Decoder,
    refused: u64,
}

impl Sink for Decode {
    fn interface(&mut self, _: &Interface) {}

    fn frames(&mut self, batch: &[Frame<'_>]) {
        for frame in batch {
            let read = self.decoder.decode(LinkType::Ethernet, TapFormat::default(), frame.bytes, frame.wire_len);
            self.refused += u64::from(std::hint::black_box(read).is_err());
        }
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

struct Work(Worker);

impl Work {
    fn new() -> Self {
        Self(Worker::new(WorkerConfig::default(), Arc::new(Plan::default())))
    }
}

impl Sink for Work {
    fn interface(&mut self, interface: &Interface) {
        self.0.add_interface(interface, TapNature::default());
    }

    fn frames(&mut self, batch: &[Frame<'_>]) {
        self.0.observe(batch, &mut drop);
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

fn full(file: &Path, workers: usize) {
    let source = capture::open(&[file.to_owned()], &FileOptions::default()).unwrap();
    let settings = Settings {
        plan: Arc::new(Plan::default()),
        natures: NatureWatch::default(),
        fabric: FabricConfig::default(),
        worker: WorkerConfig { workers, ..WorkerConfig::default() },
        pace: Pace::Max,
        live: false,
    };
    let outlets = Outlets::default();
    let report = run(source, &settings, outlets, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert!(report.capture.packets > 0);
}

type FiveTuple = (Vec<u8>, Vec<u8>, u16, u16, u8);

/// Packets and bytes by 5-tuple.
#[derive(Default)]
struct Naive(HashMap<FiveTuple, (u64, u64)>);

impl Sink for Naive {
    fn interface(&mut self, _: &Interface) {}

    fn frames(&mut self, batch: &[Frame<'_>]) {
        for frame in batch {
            let Ok(packet) = LaxSlicedPacket::from_ethernet(frame.bytes) else { continue };
            let (src, dst, protocol) = match &packet.net {
                Some(LaxNetSlice::Ipv4(ip)) => {
                    let h = ip.header();
                    (h.source().to_vec(), h.destination().to_vec(), h.protocol().0)
                }
                Some(LaxNetSlice::Ipv6(ip)) => {
                    let h = ip.header();
                    (h.source().to_vec(), h.destination().to_vec(), h.next_header().0)
                }
                _ => continue,
            };
            let (sport, dport) = match &packet.transport {
                Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
                Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
                _ => (0, 0),
            };
            let flow = self.0.entry((src, dst, sport, dport, protocol)).or_default();
            flow.0 += 1;
            flow.1 += u64::from(frame.wire_len);
        }
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}
