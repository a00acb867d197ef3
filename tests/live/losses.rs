//! What was sent is what was analysed and each kind of loss, to the frame; interfaces go and come back; ends are clean.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::namespace::{Run, Sender, cable, fixture, frames_of, in_namespace, ip, until};

fn number(input: &Value, name: &str) -> u64 {
    input["live"][name].as_u64().unwrap()
}

const LOSSES: [&str; 4] = ["lost_in_ring", "lost_without_buffer", "lost_in_kernel", "lost_by_interface"];

#[test]
fn under_overload_analysed_and_lost_are_what_was_sent() {
    in_namespace(|| {
        for mode in ["xdp", "packet", "pcap"] {
            cable("tx0", "rx0");
            let frame = frames_of(&fixture("c01_loss_after_tap")).swap_remove(20).1;
            let mut run = Run::start(&["-i", "rx0", "--mode", mode, "--ring", "1"]);
            // Nothing is read while it stands still: the ring runs over.
            run.signal(libc::SIGSTOP);
            std::thread::sleep(Duration::from_millis(20));
            let sender = Sender::new("tx0");
            let sent = 20_000;
            (0..sent).for_each(|_| sender.send(&frame));
            run.signal(libc::SIGCONT);
            (0..500).for_each(|_| sender.send(&frame));
            let report = run.stop();
            ip("link delete tx0");
            let input = &report["capture"]["files"][0];
            let lost: u64 = LOSSES.iter().map(|kind| number(input, kind)).sum();
            let analysed = report["capture"]["packets"].as_u64().unwrap();
            assert!(lost > 1_000, "{mode}: nothing was lost: {input}");
            assert_eq!(analysed + lost, sent + 500, "{mode}: {input}");
            assert_eq!(report["capture"]["mirror"]["lost"], lost, "{mode}: the detectors know of every loss");
            let kinds: Vec<&str> =
                report["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
            assert!(kinds.contains(&"mirror_loss"), "{mode}: {kinds:?}");
            assert!(!kinds.contains(&"fabric_loss"), "{mode}: a blind sensor blames the fabric: {kinds:?}");
        }
    });
}

#[test]
fn what_a_filter_leaves_out_is_counted() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let frames = frames_of(&fixture("d05_background_tcp"));
        let mut run = Run::start(&["-i", "rx0", "--mode", "packet", "--filter", "udp", "--snaplen", "96"]);
        Sender::new("tx0").replay(&frames);
        let report = run.stop();
        let input = &report["capture"]["files"][0];
        let analysed = report["capture"]["packets"].as_u64().unwrap();
        assert!(analysed > 0 && number(input, "filtered") > 0, "{input}");
        assert_eq!(analysed + number(input, "filtered"), frames.len() as u64);
        assert!(report["capture"]["captured_bytes"].as_u64().unwrap() <= analysed * 96);
    });
}

#[test]
fn an_interface_is_removed_and_restored() {
    in_namespace(|| {
        for mode in ["xdp", "packet"] {
            cable("tx0", "rx0");
            let frames = frames_of(&fixture("c06_duplicate"));
            let mut run = Run::start(&["-i", "rx0", "--mode", mode, "--serve=127.0.0.1:0"]);
            Sender::new("tx0").replay(&frames);
            run.wait_for_packets(frames.len());
            // What lies in the ring is read although the interface is gone.
            run.signal(libc::SIGSTOP);
            let sender = Sender::new("tx0");
            frames.iter().take(50).for_each(|(_, frame)| sender.send(frame));
            std::thread::sleep(Duration::from_millis(300));
            ip("link delete tx0");
            run.signal(libc::SIGCONT);
            run.wait_for("is gone");
            cable("tx0", "rx0");
            run.wait_for("is up again");
            Sender::new("tx0").replay(&frames);
            let report = run.stop();
            ip("link delete tx0");
            let input = &report["capture"]["files"][0];
            assert_eq!(report["capture"]["packets"], 2 * frames.len() + 50, "{mode}: {input}");
            assert_eq!((number(input, "outages"), &input["live"]["state"]), (1, &Value::from("up")), "{mode}: {input}");
        }
    });
}

#[test]
fn several_interfaces_are_counted_each_by_itself() {
    in_namespace(|| {
        for mode in ["xdp", "packet", "pcap"] {
            cable("tx0", "rx0");
            cable("tx1", "rx1");
            let mut run = Run::start(&["-i", "rx0", "rx1", "--mode", mode, "--ring", "1", "--snaplen", "rx1=96"]);
            run.signal(libc::SIGSTOP);
            let (one, other) = (Sender::new("tx0"), Sender::new("tx1"));
            let frame = vec![0x42; 300];
            (0..12_000).for_each(|_| one.send(&frame));
            (0..300).for_each(|_| other.send(&frame));
            run.signal(libc::SIGCONT);
            (0..500).for_each(|_| one.send(&frame));
            let report = run.stop();
            [0, 1].iter().for_each(|n| ip(&format!("link delete tx{n}")));
            let files = report["capture"]["files"].as_array().unwrap();
            let lost = |at: usize| LOSSES.iter().map(|kind| number(&files[at], kind)).sum::<u64>();
            let came = |at: usize| files[at]["packets"].as_u64().unwrap();
            assert_eq!((files[0]["path"].as_str(), files[1]["path"].as_str()), (Some("rx0"), Some("rx1")), "{mode}");
            assert!(lost(0) > 1_000, "{mode}: {files:?}");
            assert_eq!((came(0) + lost(0), came(1) + lost(1)), (12_500, 300), "{mode}: {files:?}");
            assert_eq!((number(&files[0], "cut"), number(&files[1], "cut")), (0, came(1)), "{mode}: {files:?}");
            assert_eq!(report["capture"]["packets"], came(0) + came(1), "{mode}");
        }
    });
}

#[test]
fn a_flood_on_one_interface_starves_no_other() {
    in_namespace(|| {
        for mode in ["xdp", "packet"] {
            cable("tx0", "rx0");
            cable("tx1", "rx1");
            let mut run = Run::start(&["-i", "rx0", "rx1", "--mode", mode, "--ring", "16"]);
            let flooding = AtomicBool::new(true);
            let sent = std::thread::scope(|scope| {
                let flood = scope.spawn(|| {
                    let (sender, frame) = (Sender::new("tx0"), vec![0x42; 300]);
                    (0..).take_while(|_| flooding.load(Ordering::Relaxed)).map(|_| sender.send(&frame)).count()
                });
                let trickle = Sender::new("tx1");
                for _ in 0..400 {
                    trickle.send(&[0x17; 100]);
                    std::thread::sleep(Duration::from_millis(1));
                }
                flooding.store(false, Ordering::Relaxed);
                flood.join().unwrap() as u64
            });
            let report = run.stop();
            [0, 1].iter().for_each(|n| ip(&format!("link delete tx{n}")));
            let files = report["capture"]["files"].as_array().unwrap();
            let lost = |at: usize| LOSSES.iter().map(|kind| number(&files[at], kind)).sum::<u64>();
            let came = |at: usize| files[at]["packets"].as_u64().unwrap();
            assert_eq!((came(0) + lost(0), came(1), lost(1)), (sent, 400, 0), "{mode}: {files:?}");
        }
    });
}

#[test]
fn a_change_of_the_mtu_loses_nothing() {
    in_namespace(|| {
        for mode in ["xdp", "packet", "pcap"] {
            cable("tx0", "rx0");
            let mut run = Run::start(&["-i", "rx0", "--mode", mode]);
            let sender = Sender::new("tx0");
            let send = |len: usize| (0..200).for_each(|_| sender.send(&vec![0x42; len]));
            send(1_500);
            for mtu in [1_500, 9_216] {
                ["rx0", "tx0"].iter().for_each(|end| ip(&format!("link set dev {end} mtu {mtu}")));
                send(mtu.min(9_000));
            }
            let report = run.stop();
            ip("link delete tx0");
            let input = &report["capture"]["files"][0];
            assert_eq!((report["capture"]["packets"].as_u64(), input["bytes"].as_u64()), (Some(600), Some(2_400_000)));
            assert_eq!(LOSSES.iter().map(|kind| number(input, kind)).sum::<u64>(), 0, "{mode}: {input}");
        }
    });
}

#[test]
fn a_killed_run_leaves_no_program_on_the_interface() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let has_program = || {
            let told = Command::new("ip").args(["-d", "link", "show", "rx0"]).output().unwrap();
            String::from_utf8_lossy(&told.stdout).contains("xdp")
        };
        let mut run = Run::start(&["-i", "rx0", "--mode", "xdp"]);
        assert!(has_program());
        run.signal(libc::SIGKILL);
        run.wait();
        until("the program is gone", || !has_program());
    });
}

#[test]
fn captures_are_written_within_their_budget() {
    in_namespace(|| {
        cable("tx0", "rx0");
        let folder = tempfile::tempdir().unwrap();
        let write = folder.path().join("w");
        let options = ["--write", write.to_str().unwrap(), "--write-size", "64K", "--write-budget", "256K"];
        let mut run = Run::start(&[&["-i", "rx0", "--mode", "packet"], &options[..]].concat());
        let sender = Sender::new("tx0");
        let frame = vec![0x42; 1_500];
        for _ in 0..40 {
            (0..25).for_each(|_| sender.send(&frame));
            std::thread::sleep(Duration::from_millis(2));
        }
        let report = run.stop();
        assert_eq!(report["capture"]["packets"], 1_000);
        let files: Vec<_> = fs::read_dir(&write).unwrap().map(|e| e.unwrap()).collect();
        let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
        assert!((150_000..=256 << 10).contains(&bytes) && files.len() >= 3, "{bytes} bytes in {} files", files.len());
        assert!(files.iter().all(|f| f.file_name().to_string_lossy().ends_with(".pcapng")), "{files:?}");
    });
}
