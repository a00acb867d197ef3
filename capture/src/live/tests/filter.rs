//! The same expression selects the same frames in each mode as in a replay, tags or not, and what it leaves out is counted.

use std::collections::HashSet;

use super::namespace::{Sender, cable, frames_in, in_namespace, seen_for, step, udp};
use crate::LinkType;
use crate::filter::Program;
use crate::live::{Choice, LiveOptions, Mode, open};

/// Expressions that look before, at and behind the tag, by offset, by header length, by the frame's length.
const EXPRESSIONS: [&str; 20] = [
    "udp port 4791",
    "udp dst port 4791 and src port 3",
    "host 10.0.0.1",
    "src host 10.0.0.9",
    "vlan",
    "not vlan",
    "vlan 100",
    "vlan and udp port 4791",
    "vlan 7 and vlan 9 and host 10.0.0.2",
    "vlan 7 or vlan 100",
    "vlan or host 10.0.0.1",
    "ether proto 0x88a8",
    "ether src 02:00:00:00:00:01",
    "ether[12:4] = 0x81006064",
    "ether[13] = 0 and ether[15] & 1 = 0",
    "ether[10:4] & 0xffff = 0x8100",
    "ether[ether[14] & 0xf] = 0x01",
    "greater 150",
    "udp[8:4] & 3 = 1",
    "tcp or arp or (ip6 and udp)",
];

/// Frames with no tag, with one, with two, of other protocols; each is another one.
fn frames() -> Vec<Vec<u8>> {
    let one = |n: u32| {
        let plain = udp(n, n as u16 % 5, 120 + (n as usize * 13) % 80);
        let tag: &[u8] = match n % 6 {
            0 | 1 => &[],
            2 => &[0x81, 0, 0x60, 100],
            3 => &[0x81, 0, 0, 101],
            4 => &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9],
            _ => &[0x81, 0, 0, 7, 0x81, 0, 0, 9],
        };
        let mut frame = [&plain[..12], tag, &plain[12..]].concat();
        if n % 11 == 1 && tag.is_empty() {
            frame[12..14].copy_from_slice(&[8, 6]);
        }
        frame
    };
    (0..240).map(one).collect()
}

#[test]
fn an_expression_selects_the_same_frames_live_as_in_a_file() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let sent = frames();
        for expression in EXPRESSIONS {
            let program = Program::compile(LinkType::Ethernet, expression).unwrap();
            let matches = |f: &&Vec<u8>| program.matches(f, f.len() as u32);
            let expected: Vec<&Vec<u8>> = sent.iter().filter(matches).collect();
            for mode in [Mode::XdpCopy, Mode::Packet, Mode::Pcap] {
                let options = LiveOptions {
                    choice: Choice::Only(mode),
                    ring_bytes: 4 << 20,
                    filter: Some(expression.to_owned()),
                    ..LiveOptions::default()
                };
                let mut sources = open(&["rx0".to_owned()], &options).unwrap();
                let mut seen = seen_for(&sources);
                let sender = Sender::new("tx0");
                sent.iter().for_each(|f| sender.send(f));
                let all = sent.len() as u64;
                step(&mut sources, &mut seen, 2_000, |s| frames_in(s) >= expected.len());
                sources[0].close(&mut seen[0]);
                let got: Vec<&Vec<u8>> = seen[0].frames.iter().collect();
                assert!(got == expected, "{mode:?}, {expression}: {} frames, not {}", got.len(), expected.len());
                let input = sources[0].inputs().remove(0);
                assert_eq!((input.frames + input.filtered, input.dropped), (all, 0), "{mode:?}, {expression}");
                let notes = input.live.unwrap().notes;
                let in_kernel = notes.iter().any(|n| n.starts_with("the filter runs in the kernel"));
                assert_eq!(in_kernel, mode != Mode::XdpCopy, "{mode:?}, {expression}: {notes:?}");
            }
        }
    });
}

#[test]
fn the_kernel_leaves_out_what_it_can_judge() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        let sent = frames();
        let ring_of = |filter: &str| {
            let options = LiveOptions {
                choice: Choice::Only(Mode::Packet),
                ring_bytes: 4 << 20,
                filter: Some(filter.to_owned()),
                ..LiveOptions::default()
            };
            let port = crate::live::ladder::open("rx0", &options).unwrap().remove(0);
            let sender = Sender::new("tx0");
            sent.iter().for_each(|f| sender.send(f));
            std::thread::sleep(std::time::Duration::from_millis(50));
            port.left_out_by_the_kernel()
        };
        assert_eq!(ring_of("vlan 100"), 200);
        assert_eq!(ring_of("vlan 7 and vlan 9"), 160);
        assert_eq!(
            ring_of("ether[10:4] & 0xffff = 0x8100") as usize,
            sent.iter().filter(|f| f[12] != 0x81 && f[12] != 0x88).count()
        );
    });
}

#[test]
fn each_interface_has_its_snap_length() {
    in_namespace(|| {
        cable("tx0", "rx0", "");
        cable("tx1", "rx1", "");
        for mode in [Mode::XdpCopy, Mode::Packet, Mode::Pcap] {
            let options = LiveOptions {
                choice: Choice::Only(mode),
                ring_bytes: 4 << 20,
                snaplen: 96,
                snaplens: vec![("rx1".to_owned(), 128)],
                ..LiveOptions::default()
            };
            let mut sources = open(&["rx0".to_owned(), "rx1".to_owned()], &options).unwrap();
            let mut seen = seen_for(&sources);
            for end in ["tx0", "tx1"] {
                let sender = Sender::new(end);
                (0..30).for_each(|n| sender.send(&udp(n, 1, if n < 10 { 110 } else { 1_000 })));
            }
            step(&mut sources, &mut seen, 2_000, |s| frames_in(s) >= 60);
            let lens = |at: usize| seen[at].frames.iter().map(Vec::len).collect::<HashSet<_>>();
            assert_eq!((lens(0), lens(1)), ([96].into(), [110, 128].into()), "{mode:?}");
            assert!(seen.iter().all(|s| s.wire_lens.iter().filter(|l| **l == 1_000).count() == 20), "{mode:?}");
            let cut: Vec<u64> = sources.iter().map(|s| s.inputs().remove(0).live.unwrap().cut).collect();
            assert_eq!(cut, [30, 20], "{mode:?}");
        }
    });
}
