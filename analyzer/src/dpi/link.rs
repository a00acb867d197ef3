//! Frames without a network layer: which protocol of neighbours one carries. Each stands by itself, so nothing is kept.

use std::sync::Arc;

use super::facts::Facts;
use super::inspector::Label;
use super::open::Named;
use super::proto;
use super::protocol::{Answer, Look, Over};
use crate::packet::{Packet, Transport};
use crate::tick::FlowKey;

/// An LLC frame whose Ethertype field is a length.
const LENGTHS: std::ops::Range<u16> = 0..0x600;

/// The flow of a frame without network layer: its addresses, and in both ports what names its protocol. `None` without any.
pub fn key_of(packet: &Packet<'_>) -> Option<FlowKey> {
    let number = number(packet);
    let addressed = packet.src_mac.is_some() && packet.ip.is_none();
    addressed.then_some(FlowKey {
        src: packet.src,
        dst: packet.dst,
        sport: number,
        dport: number,
        protocol: 0,
        dst_qp: None,
    })
}

/// Ethertype; of LLC the SNAP protocol of an organisation (IEEE 802 clause 9), else the service access point (IEEE 802.2).
fn number(packet: &Packet<'_>) -> u16 {
    match (packet.ethertype, packet.payload) {
        (ethertype, _) if !LENGTHS.contains(&ethertype) => ethertype,
        (_, &[0xaa, 0xaa, 3, _, _, _, high, low, ..]) => u16::from_be_bytes([high, low]),
        (_, &[sap, ..]) => sap.into(),
        _ => 0,
    }
}

/// Names a frame by its protocol's number and its first bytes.
pub fn name(key: &FlowKey, packet: &Packet<'_>) -> Label {
    let mut facts = Facts::default();
    let name = match &packet.transport {
        Transport::Pause(pause) => Some((if pause.global { "pause" } else { "pfc" }, 1.0)),
        _ => probe(&look(key, packet), &mut facts),
    };
    let named = name.map(|(name, confidence)| Named { name, engine: "dpi", confidence });
    let attrs = (!facts.attrs.is_empty()).then(|| Arc::from(facts.attrs));
    Label { named, host_name: facts.host, attrs, closed: true }
}

fn probe(look: &Look<'_>, facts: &mut Facts) -> Option<(&'static str, f32)> {
    proto::all().filter(|p| p.over.meets(Over::LINK)).find_map(|p| match (p.probe)(look, facts) {
        Answer::Certain(name, confidence) => Some((name, confidence)),
        _ => None,
    })
}

fn look<'a>(key: &FlowKey, packet: &Packet<'a>) -> Look<'a> {
    Look {
        over: Over::LINK,
        protocol: 0,
        src: key.src,
        dst: key.dst,
        sport: key.sport,
        dport: key.dport,
        here: packet.payload,
        there: &[],
        from_start: true,
        initiator: None,
        earlier: &[],
        whole: packet.whole,
        packets: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, TapFormat};
    use capture::LinkType;

    fn named(dst: [u8; 6], tail: &[u8]) -> (u16, Option<&'static str>) {
        let frame = [&dst[..], &[2, 0, 0, 0, 0, 1], tail].concat();
        let decoder = Decoder::default();
        let packet = decoder.decode(LinkType::Ethernet, TapFormat::default(), &frame, frame.len() as u32).unwrap();
        let key = key_of(&packet).unwrap();
        (key.dport, name(&key, &packet).named.map(|n| n.name))
    }

    #[test]
    fn frames_between_neighbours() {
        let group = [1, 0x80, 0xc2, 0, 0, 0];
        let lldp = [0x88, 0xcc, 2, 7, 4, 1, 2, 3, 4, 5, 6, 4, 2, 7, b'1', 6, 2, 0, 120, 0, 0];
        assert_eq!(named(group, &lldp), (0x88cc, Some("lldp")));
        let bpdu = [[0, 38, 0x42, 0x42, 3, 0, 0, 2, 2].to_vec(), vec![0; 31]].concat();
        assert_eq!(named(group, &bpdu), (0x42, Some("stp")));
        let hello = [[0, 30, 0xfe, 0xfe, 3, 0x83, 27, 1, 0, 17, 1, 0, 0].to_vec(), vec![0; 19]].concat();
        assert_eq!(named(group, &hello), (0xfe, Some("isis")));
        let pause = [[0x88, 8, 1, 1, 0, 8].to_vec(), vec![0; 16]].concat();
        assert_eq!(named(group, &pause), (0x8808, Some("pfc")));
        assert_eq!(named(group, &[0x12, 0x34, 1, 2, 3]), (0x1234, None));
        assert_eq!(named(group, &[0x88, 0xcc, 0, 0]), (0x88cc, None), "an announcement without its mandatory parts");
    }
}
