//! The decoder against another one, etherparse, for the formats that it knows: frames that etherparse builds from any fields, and real
//! frames that both read.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use analyzer::packet::{Addr, MirrorKind, Packet, Transport};
use analyzer::wire::{Decoder, TapFormat};
use capture::{FileOptions, Frame, Interface, InterfaceId, LinkType, Sink};
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

fn ours(frame: &[u8]) -> Option<Packet<'_>> {
    Decoder::default().decode(LinkType::Ethernet, TapFormat { rspan: false }, frame, frame.len() as u32).ok()
}

fn addresses(net: &NetSlice<'_>) -> Option<(Addr, Addr)> {
    match net {
        NetSlice::Ipv4(ip) => Some((Addr::v4(ip.header().source()), Addr::v4(ip.header().destination()))),
        NetSlice::Ipv6(ip) => Some((Addr(ip.header().source()), Addr(ip.header().destination()))),
        NetSlice::Arp(_) => None,
    }
}

/// What etherparse says, beside what we say; `None` where it knows no such packet.
fn agree(frame: &[u8], packet: &Packet<'_>) -> Option<()> {
    let theirs = SlicedPacket::from_ethernet(frame).ok()?;
    let (src, dst) = addresses(theirs.net.as_ref()?)?;
    let vlan = theirs.vlan_ids().last().map(|id| id.value());
    let (ttl, tos) = match theirs.net.as_ref()? {
        NetSlice::Ipv4(ip) => (ip.header().ttl(), ip.header().dcp().value() << 2 | ip.header().ecn().value()),
        NetSlice::Ipv6(ip) => (ip.header().hop_limit(), ip.header().traffic_class()),
        NetSlice::Arp(_) => return None,
    };
    let payload = match theirs.transport.as_ref()? {
        TransportSlice::Udp(udp) => {
            let Transport::Udp(sport, dport) = packet.transport else { panic!("{packet:?}") };
            assert_eq!((sport, dport), (udp.source_port(), udp.destination_port()));
            udp.payload()
        }
        TransportSlice::Tcp(tcp) => {
            let Transport::Tcp(own) = packet.transport else { panic!("{packet:?}") };
            let numbers =
                (tcp.source_port(), tcp.destination_port(), tcp.sequence_number(), tcp.acknowledgment_number());
            assert_eq!((own.sport, own.dport, own.seq, own.ack), numbers);
            let flags = [tcp.fin(), tcp.syn(), tcp.rst(), tcp.psh(), tcp.ack(), tcp.urg(), tcp.ece(), tcp.cwr()];
            let bits = flags.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit).sum::<u8>();
            assert_eq!((own.flags, own.window), (bits, tcp.window_size()));
            tcp.payload()
        }
        _ => return None,
    };
    let ip = packet.ip.expect("both read an IP header");
    assert_eq!((packet.src, packet.dst, packet.vlan), (src, dst, vlan));
    assert_eq!((ip.ttl, ip.dscp << 2 | ip.ecn), (ttl, tos));
    assert_eq!((packet.payload, packet.payload_len as usize), (payload, payload.len()));
    Some(())
}

/// Ports behind which nothing else lies.
fn port() -> impl Strategy<Value = u16> {
    any::<u16>().prop_filter("carries a header of its own", |p| ![4789, 6081, 4791, 8472, 4790].contains(p))
}

fn build(vlans: &[u16], six: bool, tcp: bool, ports: (u16, u16), numbers: (u32, u16), payload: &[u8]) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let id = |n: u16| etherparse::VlanId::try_new(n & 0xfff).unwrap();
    let (v4, v6) = (([10, 1, 2, 3], [10, 4, 5, 6]), ([0xfd; 16], [0xfe; 16]));
    let net = match (vlans, six) {
        ([], false) => link.ipv4(v4.0, v4.1, 61),
        ([], true) => link.ipv6(v6.0, v6.1, 61),
        ([one], false) => link.single_vlan(id(*one)).ipv4(v4.0, v4.1, 61),
        ([one], true) => link.single_vlan(id(*one)).ipv6(v6.0, v6.1, 61),
        ([one, two, ..], false) => link.double_vlan(id(*one), id(*two)).ipv4(v4.0, v4.1, 61),
        ([one, two, ..], true) => link.double_vlan(id(*one), id(*two)).ipv6(v6.0, v6.1, 61),
    };
    let mut frame = Vec::new();
    if tcp {
        net.tcp(ports.0, ports.1, numbers.0, numbers.1).ack(numbers.0).psh().write(&mut frame, payload).unwrap();
    } else {
        net.udp(ports.0, ports.1).write(&mut frame, payload).unwrap();
    }
    frame
}

proptest! {
    #[test]
    fn any_frame_that_etherparse_builds_is_read_as_it_was_built(
        vlans in prop::collection::vec(1u16..4095, 0..3),
        six: bool,
        tcp: bool,
        ports in (port(), port()),
        numbers: (u32, u16),
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let frame = build(&vlans, six, tcp, ports, numbers, &payload);
        let packet = ours(&frame).expect("a whole frame is read");
        prop_assert!(agree(&frame, &packet).is_some());
        // Every shorter length is read or refused, and what is read of it is a part of the whole.
        for end in 0..frame.len() {
            if let Some(cut) = ours(&frame[..end]) {
                prop_assert!(payload.starts_with(cut.payload) || cut.payload.len() <= payload.len());
            }
        }
    }
}

#[derive(Default)]
struct Compared(u64);

impl Sink for Compared {
    fn interface(&mut self, _: &Interface) {}

    fn frames(&mut self, frames: &[Frame<'_>]) {
        for frame in frames.iter().filter(|f| f.bytes.len() == f.wire_len as usize) {
            let Some(packet) = ours(frame.bytes) else { continue };
            let plain = packet.mirror.key.kind == MirrorKind::Plain;
            if plain && matches!(packet.transport, Transport::Tcp(_) | Transport::Udp(..)) {
                self.0 += u64::from(agree(frame.bytes, &packet).is_some());
            }
        }
    }

    fn dropped(&mut self, _: InterfaceId, _: u64, _: u64) {}
}

#[test]
fn real_frames_are_read_alike() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/captures/d05_background_tcp.pcap.zst");
    let mut source = capture::open(&[path], &FileOptions::default()).unwrap();
    let mut compared = Compared::default();
    while source.step(&mut compared) != capture::Step::End {}
    assert!(compared.0 > 50, "{} frames were compared", compared.0);
}
