//! Losses are counted to the frame; interfaces go and come back; a killed process leaves nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::namespace::{Seen, Sender, cable, frames_in, in_namespace, ip, seen_for, step, udp, wait_for};
use crate::live::netlink::Netlink;
use crate::live::{Choice, LiveOptions, Mode, open, sys};
use crate::{LiveState, Source};

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
            step(&mut sources, &mut seen, 600, |_| false);
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
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "live::tests::trouble::a_killed_process_leaves_no_program_behind", "--nocapture"])
            .env(CHILD, "rx0")
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
