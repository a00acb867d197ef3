//! Reads what control frames say. Every field may be cut off or hostile: what is not there says nothing.

use std::sync::Arc;

use super::{LacpEnd, Says};
use crate::dpi::bytes::Bytes;
use crate::packet::{Addr, Packet, Transport};
use crate::topology::Neighbour;

/// Neighbours kept of one Hello.
const HEARD: usize = 32;

/// A frame without network layer.
pub fn frame(packet: &Packet<'_>) -> Option<Says> {
    match packet.transport {
        Transport::Lldp => lldp(packet.payload),
        Transport::Lacp => lacp(packet.payload),
        Transport::Arp(_) => arp(packet),
        _ => isis(packet.payload),
    }
}

/// A packet of a watched flow, by the flow's name.
pub fn packet(name: &str, packet: &Packet<'_>) -> Option<Says> {
    match (name, &packet.transport) {
        ("bfd", Transport::Udp(..)) => bfd(packet.payload),
        ("bgp", Transport::Tcp(tcp)) => {
            bgp(packet.payload).or((tcp.flags & 5 != 0).then_some(Says::BgpClosed { reset: tcp.flags & 4 != 0 }))
        }
        ("ospf", _) => ospf(packet.payload),
        ("icmp", Transport::Icmp(11, 0)) => time_exceeded(packet.payload),
        ("icmpv6", Transport::Icmp(3, 0)) => time_exceeded(packet.payload),
        ("icmpv6", Transport::Icmp(kind @ (135 | 136), 0)) => discovery(*kind, packet),
        _ => None,
    }
}

fn lldp(pdu: &[u8]) -> Option<Says> {
    let neighbour = Neighbour::read(pdu)?;
    Some(Says::Lldp { ttl_s: neighbour.ttl_s?, neighbour: Arc::new(neighbour) })
}

/// Subtype, version, actor TLV (type 1, length 20), partner TLV (type 2, length 20).
fn lacp(pdu: &[u8]) -> Option<Says> {
    if !pdu.has(0, &[1, 1, 1, 20]) || !pdu.has(22, &[2, 20]) {
        return None;
    }
    Some(Says::Lacp { actor: end(pdu.from(4))?, partner: end(pdu.from(24))? })
}

/// System priority, system, key, port priority, port, state.
fn end(bytes: &[u8]) -> Option<LacpEnd> {
    Some(LacpEnd { system: mac(bytes.from(2))?, port: bytes.be16(12)?, state: bytes.u8(14)? })
}

fn mac(bytes: &[u8]) -> Option<[u8; 6]> {
    bytes.first_chunk::<6>().copied()
}

/// The payload begins at the sender's hardware address. A probe has no sender's address (RFC 5227).
fn arp(packet: &Packet<'_>) -> Option<Says> {
    let mac = mac(packet.payload)?;
    let none = Addr::v4([0; 4]);
    let usable =
        |ip: Addr| ip != none && !ip.is_multicast() && std::net::Ipv6Addr::from(ip.0).to_ipv4_mapped().is_some();
    match packet.transport {
        Transport::Arp(1) if packet.src == none && usable(packet.dst) => Some(Says::Probes { ip: packet.dst, mac }),
        Transport::Arp(1 | 2) if usable(packet.src) && mac[0] & 1 == 0 && mac != [0; 6] => {
            Some(Says::Owns { ip: packet.src, mac })
        }
        _ => None,
    }
}

/// Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4): the payload begins at the target.
fn discovery(kind: u8, packet: &Packet<'_>) -> Option<Says> {
    let target = Addr(*packet.payload.first_chunk::<16>()?);
    let unspecified = Addr([0; 16]);
    let link_layer = |wanted: u8| option(packet.payload.from(16), wanted).and_then(mac);
    match kind {
        135 if packet.src == unspecified => Some(Says::Probes { ip: target, mac: packet.src_mac? }),
        135 => Some(Says::Owns { ip: packet.src, mac: link_layer(1)? }),
        _ => Some(Says::Owns { ip: target, mac: link_layer(2)? }),
    }
}

/// The value of an option: type, length in units of 8 bytes.
fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    while let (Some(kind), Some(units)) = (options.u8(0), options.u8(1)) {
        let len = usize::from(units) * 8;
        if len == 0 {
            return None;
        }
        if kind == wanted {
            return options.get(2..len);
        }
        options = options.from(len);
    }
    None
}

fn bfd(packet: &[u8]) -> Option<Says> {
    let (first, second, multiplier) = (packet.u8(0)?, packet.u8(1)?, packet.u8(2)?);
    if first >> 5 != 1 || packet.u8(3)? < 24 || packet.len() < 24 {
        return None;
    }
    let detection_us = u64::from(multiplier) * u64::from(packet.be32(12)?);
    Some(Says::Bfd { state: second >> 6, diagnostic: first & 0x1f, detection_us, session: packet.be32(4)? })
}

/// The most telling message of a segment that begins with one: NOTIFICATION before OPEN.
fn bgp(mut segment: &[u8]) -> Option<Says> {
    let mut opened = None;
    while segment.len() >= 19 && segment.first_of(16).iter().all(|b| *b == 0xff) {
        let len = usize::from(segment.be16(16)?);
        match segment.u8(18)? {
            3 => return Some(Says::BgpNotification { code: segment.u8(19)?, subcode: segment.u8(20)? }),
            1 => opened = Some(Says::BgpOpen { asn: segment.be16(20)?, hold_s: segment.be16(22)? }),
            _ => {}
        }
        if len < 19 {
            break;
        }
        segment = segment.from(len);
    }
    opened
}

/// Version 2 Hello of IPv4: 24 bytes of header, mask, interval, options, priority, dead interval, two routers, the neighbours.
fn ospf(packet: &[u8]) -> Option<Says> {
    let hello = packet.u8(0)? == 2 && packet.u8(1)? == 1;
    let len = usize::from(packet.be16(2)?).min(packet.len());
    if !hello || len < 44 {
        return None;
    }
    let whole = packet.len() >= usize::from(packet.be16(2)?);
    let heard = packet.get(44..len).unwrap_or_default().chunks_exact(4).take(HEARD).filter_map(|id| id.be32(0));
    let mut hears: Vec<u32> = heard.collect();
    hears.sort_unstable();
    whole.then_some(Says::OspfHello { router: packet.be32(4)?, dead_s: packet.be32(32)?, hears: hears.into() })
}

/// LLC, then the common header of 8 bytes, circuit type, source, holding time, length; LAN: priority and LAN id, else circuit.
fn isis(frame: &[u8]) -> Option<Says> {
    if !frame.has(0, &[0xfe, 0xfe, 3, 0x83]) {
        return None;
    }
    let pdu = frame.from(3);
    let kind = pdu.u8(4)? & 0x1f;
    // Both LAN levels, and point to point; their identifiers have 6 bytes (0 says so).
    let fixed = match (kind, pdu.u8(3)?) {
        (15 | 16, 0 | 6) => 27,
        (17, 0 | 6) => 20,
        _ => return None,
    };
    let (mut hears, mut state) = (Vec::new(), None);
    let mut tlvs = pdu.from(fixed);
    while let (Some(kind_of), Some(len)) = (tlvs.u8(0), tlvs.u8(1)) {
        let value = tlvs.from(2).first_of(len.into());
        match kind_of {
            6 => hears.extend(value.chunks_exact(6).filter_map(mac).take(HEARD.saturating_sub(hears.len()))),
            240 => state = value.u8(0),
            _ => {}
        }
        tlvs = tlvs.from(2 + usize::from(len));
    }
    hears.sort_unstable();
    Some(Says::IsisHello { system: mac(pdu.from(9))?, hold_s: pdu.be16(15)?, state, hears: hears.into() })
}

/// The payload is the packet that ran out of hops.
fn time_exceeded(inner: &[u8]) -> Option<Says> {
    let v4 = |at: usize| inner.from(at).first_chunk::<4>().map(|b| Addr::v4(*b));
    let v6 = |at: usize| inner.from(at).first_chunk::<16>().map(|b| Addr(*b));
    let (of, to) = match inner.u8(0)? >> 4 {
        4 => (v4(12)?, v4(16)?),
        6 => (v6(8)?, v6(24)?),
        _ => return None,
    };
    Some(Says::TimeExceeded { of, to })
}
