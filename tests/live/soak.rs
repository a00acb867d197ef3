//! Ten minutes at a steady rate: memory stays flat. Not part of the usual run:
//! `cargo test --test live soak -- --ignored --nocapture`.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::namespace::{Run, Sender, cable, fixture, frames_of, in_namespace};

/// Resident memory of a process in KiB.
fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Sends captures of faults over and over, each time as other hosts with other queue pairs' numbers running on.
fn send(stop: &AtomicBool) -> u64 {
    let sender = Sender::new("tx0");
    let captures: Vec<_> =
        ["c01_loss_after_tap", "f01_rnr", "d05_background_tcp"].map(|n| frames_of(&fixture(n))).into();
    let mut sent = 0;
    loop {
        for (_, frame) in captures.iter().flatten() {
            sender.send(frame);
            sent += 1;
            if sent % 64 == 0 {
                std::thread::sleep(Duration::from_millis(8));
            }
            if stop.load(Ordering::Relaxed) {
                return sent;
            }
        }
    }
}

#[test]
#[ignore = "ten minutes; FABRICSCOPE_SOAK_SECONDS shortens it"]
fn memory_is_flat_for_ten_minutes() {
    in_namespace(|| {
        let seconds = std::env::var("FABRICSCOPE_SOAK_SECONDS").map_or(600, |s| s.parse().unwrap());
        cable("tx0", "rx0");
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(&["-i", "rx0", "--mode", "packet", "--evidence", folder.path().to_str().unwrap()]);
        let stop = AtomicBool::new(false);
        let (begun, mut memory) = (Instant::now(), Vec::new());
        let sent = std::thread::scope(|scope| {
            let sender = scope.spawn(|| send(&stop));
            while begun.elapsed() < Duration::from_secs(seconds) {
                std::thread::sleep(Duration::from_secs(seconds) / 60);
                memory.push(resident_kib(run.id()));
            }
            stop.store(true, Ordering::Relaxed);
            sender.join().unwrap()
        });
        let report = run.stop();
        // Tables and rings fill in the first third. The store in memory, which has its own bound, is left out.
        let (early, late) = (memory[20..30].iter().max().unwrap(), memory[50..].iter().max().unwrap());
        eprintln!(
            "{sent} frames in {seconds} s; memory in MiB: {:?}",
            memory.iter().map(|k| k / 1024).collect::<Vec<_>>()
        );
        let input = &report["capture"]["files"][0]["live"];
        let lost: u64 = ["lost_in_ring", "lost_without_buffer", "lost_in_kernel", "lost_by_interface"]
            .iter()
            .map(|kind| input[kind].as_u64().unwrap())
            .sum();
        assert_eq!(report["capture"]["packets"].as_u64().unwrap() + lost, sent, "{input}");
        assert!(*late <= early + early / 10, "memory grows: {early} KiB, then {late} KiB");
    });
}
