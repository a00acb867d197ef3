//! Frames built byte by byte.

use capture::LinkType;

use super::{Decoder, Refusal, TapFormat, icrc_ok, opcode_name};
use crate::packet::{MirrorKind, Packet, Transport};

pub(super) fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let total = 20 + payload.len() as u16;
    let mut packet = vec![0x45, 0x69, (total >> 8) as u8, total as u8, 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(payload);
    packet
}

pub(super) fn udp(dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = 69u16.to_be_bytes().to_vec();
    datagram.extend(dport.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// RC write first: 32 bytes of payload, pad 0, ICRC zero.
pub(super) fn write_first() -> Vec<u8> {
    let mut bytes = vec![0x06, 0x80, 0xff, 0xff, 0x40, 0, 0x12, 0x34, 0x80, 0xff, 0xff, 0xfe];
    bytes.extend([0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 7, 0, 0x10, 0, 0]);
    bytes.extend([0xab; 32]);
    bytes.extend([0; 4]);
    bytes
}

pub(super) fn roce() -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp(4791, &write_first())))
}

pub(super) fn decode(bytes: &[u8]) -> Result<Packet<'_>, Refusal> {
    Decoder::default().decode(LinkType::Ethernet, TapFormat::default(), bytes, bytes.len() as u32)
}

fn assert_roce(packet: &Packet<'_>) {
    let Transport::Rdma(bth) = packet.transport else { panic!("{packet:?}") };
    assert_eq!((opcode_name(bth.opcode).as_str(), bth.dst_qp, bth.psn), ("RC_WRITE_FIRST", 0x1234, 0xff_fffe));
    assert_eq!(
        (bth.sport, bth.dport, bth.solicited, bth.ack_req, bth.becn, bth.fecn),
        (69, 4791, true, true, true, false)
    );
    assert_eq!((bth.eth.dma_len, packet.payload_len, packet.payload.len()), (Some(1 << 20), 32, 32));
    let ip = packet.ip.expect("ip");
    assert_eq!((ip.dscp, ip.ecn, ip.ttl, ip.id), (26, 1, 64, 0x1234));
    assert_eq!((packet.wire_len as usize, packet.whole), (roce().len(), true));
}

#[test]
fn roce_v2_is_read() {
    let frame = roce();
    let packet = decode(&frame).expect("reads");
    assert_roce(&packet);
    assert_eq!(packet.mirror.key.kind, MirrorKind::Plain);
    assert_eq!(icrc_ok(&packet), Some(false));
}

#[test]
fn erspan_envelopes_come_off() {
    let two = [&[0x10, 0, 0, 0, 0, 0, 0, 9][..], &[0x10, 0x0a, 0x04, 0x05, 0, 0, 0, 7], &roce()].concat();
    let frame = ethernet(0x0800, &ipv4(47, &[&[0x10, 0, 0x88, 0xbe][..], &two[4..]].concat()));
    let packet = decode(&frame).expect("reads");
    assert_roce(&packet);
    let mirror = packet.mirror;
    assert_eq!((mirror.key.kind, mirror.key.session, mirror.key.port), (MirrorKind::Erspan2, Some(5), Some(7)));
    assert_eq!((mirror.sequence, mirror.truncated, mirror.egress), (Some(9), true, None));
}

/// The short way for the common shape says what the general walk says, or nothing: over frames of many shapes, each with every
/// one of its bytes changed, cut at every length, and said to be longer than captured.
#[test]
fn the_short_way_agrees_with_the_general_one() {
    let tcp: Vec<u8> = [0, 80, 4, 0, 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x12, 1, 0, 0, 0, 0, 0, b'h', b'i'].to_vec();
    let ipv6 = |next: u8, payload: &[u8]| {
        [&[0x61, 0x20, 0, 0, 0, payload.len() as u8, next, 60][..], &[1; 16], &[2; 16], payload].concat()
    };
    let tagged = |inner: &[u8]| [&inner[..12], &[0x81, 0, 0x60, 0x2a], &inner[12..]].concat();
    let frames = [
        roce(),
        tagged(&roce()),
        tagged(&tagged(&roce())),
        ethernet(0x86dd, &ipv6(17, &udp(4791, &write_first()))),
        ethernet(0x0800, &ipv4(6, &tcp)),
        ethernet(0x86dd, &ipv6(6, &tcp)),
        ethernet(0x0800, &ipv4(17, &udp(53, b"question"))),
        ethernet(0x0800, &ipv4(17, &udp(2152, &[0x30, 0xff, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]))),
    ];
    for frame in frames {
        for at in 0..frame.len() {
            for change in [0u8, 0x01, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] ^= change;
                agree(&changed, frame.len() as u32);
            }
            agree(&frame[..at], frame.len() as u32);
            agree(&frame[..at], 0);
        }
        agree(&[&frame[..], &[0; 9]].concat(), frame.len() as u32 + 60);
    }
}

fn agree(bytes: &[u8], wire_len: u32) {
    let decoder = Decoder::default();
    let short = decoder.decode(LinkType::Ethernet, TapFormat::default(), bytes, wire_len);
    let (span, mut place) = (super::Span::new(bytes, wire_len), Packet::UNREAD);
    let general = decoder.walk(LinkType::Ethernet, TapFormat::default(), span, &mut place).map(|()| place);
    assert_eq!(format!("{short:?}"), format!("{general:?}"), "{bytes:02x?}");
    let key = decoder.decode_to(LinkType::Ethernet, TapFormat::default(), span, &mut place);
    assert_eq!(key.ok().flatten(), general.ok().and_then(|p| crate::tick::FlowKey::of_packet(&p)));
}
