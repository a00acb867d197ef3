//! Each mode lends exactly what was sent.

use super::namespace::{Sender, cable, frames_in, in_namespace, ip, seen_for, step, tc, udp};
use crate::live::{Choice, LiveOptions, Machine, Mode, open, probe, sys};

const MODES: [Mode; 4] = [Mode::XdpCopy, Mode::XdpGeneric, Mode::Packet, Mode::Pcap];

fn only(mode: Mode) -> LiveOptions {
    LiveOptions { choice: Choice::Only(mode), ring_bytes: 8 << 20, ..LiveOptions::default() }
}

/// Sends frames on `a` and compares what is lent at `b`.
fn lends_exactly(mode: Mode, sent: &[Vec<u8>]) {
    let mut sources = open(&["rx0".to_owned()], &only(mode)).unwrap_or_else(|e| panic!("{e}"));
    let mut seen = seen_for(&sources);
    let sender = Sender::new("tx0");
    let before = sys::clock_ns(libc::CLOCK_REALTIME);
    for frames in sent.chunks(64) {
        frames.iter().for_each(|f| sender.send(f));
        step(&mut sources, &mut seen, 1, |_| false);
    }
    step(&mut sources, &mut seen, 20_000, |s| frames_in(s) >= sent.len());
    let after = sys::clock_ns(libc::CLOCK_REALTIME);
    let seen = &seen[0];
    let missing: Vec<usize> = (0..sent.len()).filter(|n| !seen.frames.contains(&sent[*n])).collect();
    let input = sources[0].inputs().remove(0);
    assert!(missing.is_empty(), "{mode:?}: {missing:?} of {} are missing; {input:?}", sent.len());
    assert_eq!(seen.frames.len(), sent.len(), "{mode:?}");
    assert!(seen.frames == sent, "{mode:?}: frames differ");
    assert!(seen.wire_lens.iter().zip(sent).all(|(w, f)| *w as usize == f.len()), "{mode:?}");
    assert!(seen.times.is_sorted() && seen.times.iter().all(|t| (before..=after).contains(t)), "{mode:?}: times");
    if mode != Mode::Pcap {
        let distinct: std::collections::HashSet<u64> = seen.times.iter().copied().collect();
        assert!(distinct.len() > sent.len() / 2, "{mode:?}: {} times for {} frames", distinct.len(), sent.len());
    }
    assert_eq!((input.frames, input.dropped), (sent.len() as u64, 0));
    assert_eq!(input.live.unwrap().mode, mode.name());
}

#[test]
fn every_mode_is_exact_to_the_byte() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let sent: Vec<Vec<u8>> = (0..1_000).map(|n| udp(n, n as u16, 60 + (n as usize * 37) % 1_455)).collect();
        MODES.into_iter().for_each(|mode| lends_exactly(mode, &sent));
    });
}

#[test]
fn every_mode_takes_jumbo_frames() {
    in_namespace(|| {
        cable("tx0", "rx0", "mtu 9000");
        let sent: Vec<Vec<u8>> = (0..300).map(|n| udp(n, 7, if n % 3 == 0 { 9_014 } else { 4_170 })).collect();
        MODES.into_iter().for_each(|mode| lends_exactly(mode, &sent));
    });
}

#[test]
fn every_mode_keeps_vlan_tags() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let tagged = |n: u32| {
            let plain = udp(n, 7, 200);
            let tag: &[u8] =
                if n.is_multiple_of(2) { &[0x81, 0, 0x60, 100] } else { &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9] };
            [&plain[..12], tag, &plain[12..]].concat()
        };
        let sent: Vec<Vec<u8>> = (0..200).map(tagged).collect();
        MODES.into_iter().for_each(|mode| lends_exactly(mode, &sent));
    });
}

#[test]
fn a_snap_length_cuts_and_the_filter_counts() {
    in_namespace(|| {
        cable("tx0", "rx0", "mtu 9000");
        for mode in MODES {
            let options = LiveOptions { snaplen: 96, filter: Some("udp src port 5".to_owned()), ..only(mode) };
            let mut sources = open(&["rx0".to_owned()], &options).unwrap();
            let mut seen = seen_for(&sources);
            let sender = Sender::new("tx0");
            (0..100).for_each(|n| sender.send(&udp(n, if n < 40 { 5 } else { 6 }, 5_000)));
            step(&mut sources, &mut seen, 300, |_| false);
            let input = sources[0].inputs().remove(0);
            assert_eq!((input.frames, input.filtered), (40, 60), "{mode:?}");
            assert!(seen[0].frames.iter().all(|f| f.len() == 96) && seen[0].wire_lens.iter().all(|w| *w == 5_000));
        }
    });
}

#[test]
fn every_queue_and_every_member_has_its_source() {
    in_namespace(|| {
        cable("tx0", "rx0", "numtxqueues 2 numrxqueues 2");
        for mode in [Mode::XdpCopy, Mode::Packet] {
            let mut sources = open(&["rx0".to_owned()], &LiveOptions { fan_out: 2, ..only(mode) }).unwrap();
            assert_eq!(sources.len(), 2, "{mode:?}");
            let mut seen = seen_for(&sources);
            let sender = Sender::new("tx0");
            (0..400).for_each(|n| sender.send(&udp(n, n as u16 % 64, 100)));
            step(&mut sources, &mut seen, 1_000, |s| frames_in(s) >= 400);
            let each: Vec<usize> = seen.iter().map(|s| s.frames.len()).collect();
            assert_eq!(each.iter().sum::<usize>(), 400, "{mode:?}: {each:?}");
            assert!(each.iter().all(|n| *n > 20), "{mode:?}: {each:?}");
        }
    });
}

#[test]
fn a_span_port_shows_what_two_hosts_say() {
    in_namespace(|| {
        ip("link add bridge type bridge");
        ip("link set bridge up");
        cable("h1", "p1", "");
        cable("h2", "p2", "");
        cable("span", "probe", "");
        ip("link set p1 master bridge");
        ip("link set p2 master bridge");
        tc("qdisc add dev p1 clsact");
        for parent in ["ingress", "egress"] {
            tc(&format!(
                "filter add dev p1 {parent} protocol all u32 match u32 0 0 action mirred egress mirror dev span"
            ));
        }
        for mode in MODES {
            let mut sources = open(&["probe".to_owned()], &only(mode)).unwrap();
            let mut seen = seen_for(&sources);
            let (one, two) = (Sender::new("h1"), Sender::new("h2"));
            for n in 0..50 {
                one.send(&udp(n, 1, 100));
                let mut back = udp(n, 2, 100);
                back[..12].rotate_left(6);
                two.send(&back);
            }
            step(&mut sources, &mut seen, 400, |_| false);
            let flow = |port: u8| seen[0].frames.iter().filter(|f| f[12..14] == [8, 0] && f[35] == port).count();
            assert_eq!((flow(1), flow(2)), (50, 50), "{mode:?}");
        }
    });
}

#[test]
fn the_best_mode_takes_nothing_from_the_host() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let (facts, trials) = probe("rx0").unwrap();
        assert_eq!((facts.driver.as_deref(), facts.kind.as_deref(), facts.running), (Some("veth"), Some("veth"), true));
        assert_eq!((facts.queues, facts.mtu, facts.has_addresses), (1, 1500, false));
        assert_eq!(trials.len(), 6);
        let says = |facts: &crate::live::Facts, what: &str| facts.advice().iter().any(|a| a.found.contains(what));
        assert!(says(&facts, "MTU 1500") && !says(&facts, "is down") && !says(&facts, "has addresses"));
        assert!(Machine::read().missing.is_empty(), "{:?}", Machine::read());
        ip("address add 10.9.9.1/24 dev rx0");
        let sources = open(&["rx0".to_owned()], &LiveOptions::default()).unwrap();
        let live = sources[0].inputs().remove(0).live.unwrap();
        assert_eq!(live.mode, "tpacket_v3");
        assert_eq!(live.refused.len(), 3);
        assert!(live.refused.iter().all(|r| r.reason.contains("addresses")), "{:?}", live.refused);
        // On request it is taken nevertheless; the driver cannot do without copies, which is said.
        let sources =
            open(&["rx0".to_owned()], &LiveOptions { choice: Choice::Xdp, ..LiveOptions::default() }).unwrap();
        let live = sources[0].inputs().remove(0).live.unwrap();
        assert_eq!((live.mode.as_str(), live.refused.len()), ("af_xdp copy", 2));
        assert!(live.refused[0].reason.contains("does not support"), "{:?}", live.refused);
        let error = open(&["nosuch0".to_owned()], &LiveOptions::default()).err().unwrap().to_string();
        assert!(error.contains("nosuch0") && error.contains("no such interface"), "{error}");
    });
}
