//! Any bytes at all: no probe panics, none takes long, no label names what has no protocol.

use proptest::collection::vec;
use proptest::prelude::*;

use super::testing::Talk;
use super::{Protocol, all};
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Look, Over};

const OVERS: [Over; 5] = [Over::TCP, Over::UDP, Over::SCTP, Over::IP, Over::LINK];

/// Every probe looks at the bytes as every carrier would give them.
fn ask_all(bytes: &[u8], there: &[u8], port: u16) {
    let mut facts = Facts::default();
    for over in OVERS {
        for from_start in [true, false] {
            for whole in [true, false] {
                let earlier = [&(there.len() as u16).to_be_bytes()[..], there].concat();
                let look = Look { there, from_start, whole, earlier: &earlier, ..Look::of(over, port, 40_000, bytes) };
                all().for_each(|p: &Protocol| {
                    facts.clear();
                    let _ = (p.probe)(&look, &mut facts);
                });
            }
        }
    }
}

/// Where a datagram's first byte or length excludes a protocol, its probe says no, whatever else is so.
fn shapes_hold(bytes: &[u8], there: &[u8], port: u16) {
    if bytes.is_empty() {
        return;
    }
    let mut facts = Facts::default();
    let earlier = [&(there.len() as u16).to_be_bytes()[..], there].concat();
    let excluded = |p: &&Protocol| {
        let first = bytes.first().is_some_and(|b| p.datagrams.first.iter().any(|&(from, to)| (from..=to).contains(b)));
        p.over.meets(Over::UDP) && !(first && bytes.len() >= p.datagrams.least)
    };
    for protocol in all().filter(excluded) {
        for (sport, dport) in [(port, 40_000), (40_000, port), (port, port)].into_iter().chain(ports_of(protocol)) {
            for packets in [1, 2, 9] {
                let look = Look {
                    there,
                    earlier: &earlier,
                    packets,
                    from_start: packets == 1,
                    ..Look::of(Over::UDP, sport, dport, bytes)
                };
                for whole in [true, false] {
                    let answer = (protocol.probe)(&Look { whole, ..look }, &mut facts);
                    assert_eq!(answer, Answer::NotForUs, "{} of {bytes:02x?}", protocol.name);
                }
            }
        }
    }
}

fn ports_of(protocol: &Protocol) -> impl Iterator<Item = (u16, u16)> {
    protocol.ports.iter().map(|port| (50_000, *port))
}

/// Beginnings that lead deep into the probes.
const STARTS: &[&[u8]] = &[
    b"",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\0\x08",
    b"\x30\x82\x01\0\x02\x01\x01",
    b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0",
    b"SSH-2.0-x\r\n",
    b"\x05\x01\0",
    b"\x04\x01\0\x50",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x1d\x01",
    b"PROXY TCP4 ",
    b"\r\n\r\n\0\r\nQUIT\n\x21",
    b"*3\r\n$3\r\n",
    b"\x80\x60\0\x01",
    b"\x80\xc8\0\x06",
    b"\x40\x01",
    b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x50\x01\0\0",
    b"\xc3\0\0\0\x01\x08",
    b"\x10\x20\0\x04MQTT\x04",
    b"\x38\x01\x02\x03\x04\x05\x06\x07\x08",
    b"Q\0\0\0\x04",
    b"R\0\0\0\x08\0\0\0\0",
    b"\x4a\0\0\0\x0a5.7",
    b"\x81\0\0\x44 ",
    b"220 x FTP\r\n227 (1,2",
    b"\0\x01file\0octet\0",
    b"<34>Oct ",
    b"{\"method\":",
    b"MPA ID Req Frame",
    b"\x05\x64\x05\xc0",
    b"\0\x0a\0\x40",
    b"\0\x09\0\x01",
    b"\x01\x01\0\x01\0\x08",
    b"\x0d\0\0\0\0\0\0\0\xce\xfa\xed\xfe",
    b"Q046",
    b"\x09\x51\x30\x34\x33",
    b"\x60\0\0\0\0\x20\x3b\x40",
    b"\x30\xff\0\x20",
    b"\x82\x21\x01\x7f",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_probe_panics(start in 0..STARTS.len(), tail in vec(any::<u8>(), 0..300), there in vec(any::<u8>(), 0..64), port in prop::sample::select(vec![1_u16, 53, 123, 443, 500, 1701, 3784, 4500, 5353, 47_592])) {
        let bytes = [STARTS[start], &tail].concat();
        ask_all(&bytes, &there, port);
    }

    #[test]
    fn excluded_probes_say_no(start in 0..STARTS.len(), cut in 0_usize..40, tail in vec(any::<u8>(), 0..300), there in vec(any::<u8>(), 0..64), port in 0_u16..9000) {
        let beginning = &STARTS[start][..cut.min(STARTS[start].len())];
        shapes_hold(&[beginning, &tail].concat(), &there, port);
        shapes_hold(&[&tail[..tail.len().min(2)], STARTS[start]].concat(), &there, port);
    }

    #[test]
    fn excluded_probes_say_no_to_small_values(first: u8, tail in vec(0_u8..20, 0..120), there in vec(0_u8..8, 0..40), port in 0_u16..9000) {
        shapes_hold(&[&[first], &tail[..]].concat(), &there, port);
    }

    #[test]
    fn small_values_reach_further(start in 0..STARTS.len(), tail in vec(0_u8..20, 0..200), there in vec(0_u8..8, 0..40)) {
        let bytes = [STARTS[start], &tail].concat();
        ask_all(&bytes, &there, 7);
    }

    #[test]
    fn the_engine_stays_within_bounds(segments in vec((any::<bool>(), vec(any::<u8>(), 0..400)), 1..40), udp: bool) {
        let mut talk = Talk::new(if udp { Over::UDP } else { Over::TCP }, 4000, 5000);
        talk.shake();
        for (client, payload) in &segments {
            talk.say(*client, payload);
        }
        prop_assert!(talk.label.attrs.iter().flat_map(|a| a.iter()).all(|(_, v)| v.len() <= crate::dpi::facts::MAX_VALUE));
    }
}

#[test]
fn every_length_of_every_beginning() {
    for start in STARTS {
        for end in 0..=start.len() {
            ask_all(&start[..end], start, 1);
            shapes_hold(&start[..end], start, 1);
        }
    }
}

/// Payload built to cost time: deep nesting, endless lists, long lines. All probes together stay far below a millisecond each.
#[test]
fn hostile_payload_costs_little() {
    let long: Vec<Vec<u8>> = vec![
        vec![0; 65_000],
        vec![0xff; 65_000],
        b"a b ".repeat(16_000),
        [b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(10_000)].concat(),
        [b"\0\0\x81\x80\0\x40\xff\xff\xff\xff\xff\xff".to_vec(), b"\xc0\x0c".repeat(30_000)].concat(),
        b"\x30\x84\x7f\xff\xff\xff".repeat(10_000),
        b"{\"method\":[".repeat(6_000),
        b"\0\0\0\x05hello".repeat(7_000),
    ];
    let begun = std::time::Instant::now();
    long.iter().for_each(|bytes| ask_all(bytes, &bytes[..200], 53));
    let each = begun.elapsed().as_micros() as usize / (long.len() * OVERS.len() * 4 * all().count());
    assert!(each < 1_000, "{each} us a probe");
}
