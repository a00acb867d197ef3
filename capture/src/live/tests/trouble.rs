//! Losses are counted to the frame; interfaces go and come back; a killed process leaves nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::namespace::{Seen, Sender, cable, frames_in, in_namespace, ip, seen_for, step, udp, wait_for};
use crate::live::netlink::Netlink;
use crate::live::{Choice, LiveOptions, Machine, Mode, open, sys};
use crate::{LiveState, Source, Step};

fn only(mode: Mode, ring_bytes: usize) -> LiveOptions {
    LiveOptions { choice: Choice::Only(mode), ring_bytes, ..LiveOptions::default() }
}

fn live(source: &dyn Source) -> crate::Live {
    source.inputs().remove(0).live.unwrap()
}

#[test]
fn under_overload_received_and_lost_are_what_was_sent() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        for mode in [Mode::XdpCopy, Mode::XdpGeneric, Mode::Packet, Mode::Pcap] {
            let mut sources = open(&["rx0".to_owned()], &only(mode, 1 << 20)).unwrap();
            let mut seen = seen_for(&sources);
            let sender = Sender::new("tx0");
            let sent: u32 = 30_000;
            (0..sent).for_each(|n| sender.send(&udp(n, 1, 1_000)));
            // Nothing was read so far: all that counts comes at the end.
            sources[0].close(&mut seen[0]);
            assert_eq!(sources[0].step(&mut seen[0]), Step::End);
            let (received, lost) = (seen[0].frames.len() as u64, seen[0].dropped);
            let input = sources[0].inputs().remove(0);
            assert_eq!(received + lost, u64::from(sent), "{mode:?}: {received} and {lost}; {:?}", input.live);
            assert!(lost > 1_000 && received > 100, "{mode:?}: {received} and {lost}");
            assert_eq!((input.frames, input.dropped), (received, lost));
            let live = input.live.unwrap();
            assert_eq!(live.lost_in_ring + live.lost_without_buffer + live.lost_by_interface, lost);
        }
    });
}

#[test]
fn an_interface_that_goes_down_or_away_is_waited_for() {
    in_namespace(|| {
        for mode in [Mode::XdpCopy, Mode::Packet, Mode::Pcap] {
            cable("tx0", "rx0", "");
            let mut sources = open(&["rx0".to_owned()], &only(mode, 1 << 20)).unwrap();
            let mut seen = seen_for(&sources);
            let round = |sources: &mut Vec<Box<dyn Source>>, seen: &mut Vec<Seen>, what: &str| {
                let before = frames_in(seen);
                step(sources, seen, 700, |_| false);
                assert_eq!(live(&*sources[0]).state, LiveState::Up, "{mode:?} {what}: {:?}", live(&*sources[0]));
                let sender = Sender::new("tx0");
                (0..10).for_each(|n| sender.send(&udp(n, 1, 100)));
                step(sources, seen, 1_000, |s| frames_in(s) >= before + 10);
                assert_eq!(frames_in(seen), before + 10, "{mode:?} {what}");
            };
            round(&mut sources, &mut seen, "at first");
            ip("link set dev rx0 down");
            step(&mut sources, &mut seen, 300, |_| false);
            assert_eq!(live(&*sources[0]).state, LiveState::Down, "{mode:?}");
            ip("link set dev rx0 up");
            wait_for("rx0");
            wait_for("tx0");
            round(&mut sources, &mut seen, "up again");
            ip("link del dev tx0");
            step(&mut sources, &mut seen, 300, |_| false);
            assert_eq!((live(&*sources[0]).state, live(&*sources[0]).outages), (LiveState::Gone, 2), "{mode:?}");
            cable("tx0", "rx0", "");
            round(&mut sources, &mut seen, "back again");
            drop(sources);
            ip("link del dev tx0");
        }
    });
}

#[test]
fn a_user_with_three_capabilities_may_capture() {
    if let Ok(interface) = std::env::var(CHILD) {
        become_nobody_with(&[12, 13, 39]);
        for mode in [Mode::XdpCopy, Mode::Packet, Mode::Pcap] {
            let sources =
                open(std::slice::from_ref(&interface), &only(mode, 64 << 20)).unwrap_or_else(|e| panic!("{e}"));
            let live = live(&*sources[0]);
            let short = live.notes.iter().any(|n| n.contains("limit of locked memory"));
            assert_eq!(short, mode == Mode::XdpCopy, "{mode:?}: {:?}", live.notes);
        }
        assert!(Machine::read().missing.is_empty());
        become_nobody_with(&[]);
        let machine = Machine::read();
        assert_eq!(machine.missing, ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF"]);
        let advice = machine.advice();
        assert!(advice.iter().any(|a| a.found.starts_with("8 MiB of memory may be locked")), "{advice:?}");
        let error = open(&[interface], &LiveOptions::default()).err().unwrap().to_string();
        assert!(error.contains("CAP_NET_RAW"), "{error}");
        return;
    }
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let output = child("a_user_with_three_capabilities_may_capture", "rx0").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

/// This thread gives up all privileges but these capabilities, and the right to lock much memory.
fn become_nobody_with(capabilities: &[u32]) {
    let limit = libc::rlimit { rlim_cur: 8 << 20, rlim_max: 8 << 20 };
    let mask = capabilities.iter().fold(0_u64, |mask, c| mask | 1 << c);
    // Version 3 of `capset`: effective, permitted, inheritable; their lower halves, then their upper ones.
    let (low, high) = (mask as u32, (mask >> 32) as u32);
    let (header, sets) = ([0x2008_0522_u32, 0], [low, low, 0, high, high, 0]);
    // SAFETY: system calls upon this thread alone, with values that live long enough.
    unsafe {
        libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit);
        libc::prctl(libc::PR_SET_KEEPCAPS, 1);
        libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534);
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()), 0);
    }
}

/// This test again, in a process of its own that is told of an interface.
fn child(test: &str, interface: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("live::tests::trouble::{test}"), "--nocapture"]).env(CHILD, interface);
    command
}

const CHILD: &str = "FABRICSCOPE_TEST_CHILD_INTERFACE";

#[test]
fn a_killed_process_leaves_no_program_behind() {
    if let Ok(interface) = std::env::var(CHILD) {
        let options = only(Mode::XdpCopy, 1 << 20);
        let _sources = open(&[interface], &options).unwrap();
        writeln!(std::io::stderr(), "ready").unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
        return;
    }
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let has_program = || Netlink::open().unwrap().link(sys::interface_index("rx0")).unwrap().unwrap().xdp;
        assert!(!has_program());
        let mut child = child("a_killed_process_leaves_no_program_behind", "rx0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|l| l.contains("ready")), "the child did not get ready");
        assert!(has_program());
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let gone = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            !has_program()
        });
        assert!(gone, "the program is still attached");
    });
}
