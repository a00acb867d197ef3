//! Straight over Ethernet: link discovery and aggregation, spanning tree, IS-IS, address resolution, time, storage.
//! The number that names the protocol stands in both ports.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Name, Over, Protocol};
use crate::topology::Neighbour;

const fn link(
    name: Name,
    title: &'static str,
    group: Group,
    source: &'static str,
    probe: fn(&Look<'_>, &mut Facts) -> Answer,
) -> Protocol {
    Protocol::new(name, title, group, Over::LINK, &[], source, probe)
}

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    link("arp", "Address Resolution Protocol", Group::Infrastructure, "RFC 826", |l, _| {
        only(l, 0x0806, "arp", |_| true)
    }),
    link("lldp", "Link Layer Discovery Protocol, and DCBX in it", Group::Routing, "IEEE 802.1AB, 802.1Qaz", lldp),
    link("lacp", "Link Aggregation Control Protocol", Group::Routing, "IEEE 802.1AX", lacp),
    link("ethernet-oam", "Ethernet in the First Mile OAM", Group::Routing, "IEEE 802.3 clause 57", |l, _| {
        only(l, 0x8809, "ethernet-oam", |b| b.u8(0) == Some(3))
    }),
    link("stp", "Spanning Tree: STP, RSTP, MSTP, per VLAN", Group::Routing, "IEEE 802.1D, 802.1Q", |l, _| stp(l)),
    link("isis", "IS-IS routing", Group::Routing, "ISO/IEC 10589, RFC 1195", |l, _| isis(l)),
    link("cdp", "Cisco Discovery Protocol", Group::Routing, "as decoded by Wireshark", |l, _| {
        snap(l, 0x2000, "cdp", |b| matches!(b.u8(0), Some(1 | 2)))
    }),
    link("udld", "Unidirectional Link Detection", Group::Routing, "RFC 5171", |l, _| snap(l, 0x0111, "udld", |_| true)),
    link("vtp", "VLAN Trunking Protocol", Group::Routing, "as decoded by Wireshark", |l, _| {
        snap(l, 0x2003, "vtp", |b| matches!(b.u8(0), Some(1..=3)))
    }),
    link("ptp", "Precision Time Protocol over Ethernet", Group::Infrastructure, "IEEE 1588, annex E", |l, _| {
        only(l, 0x88f7, "ptp", |b| b.u8(1).is_some_and(|v| v & 0xf == 2))
    }),
    link("eapol", "Port authentication, IEEE 802.1X", Group::Secure, "IEEE 802.1X", |l, _| {
        only(l, 0x888e, "eapol", |b| matches!(b.u8(0), Some(1..=3)))
    }),
    link("macsec", "MACsec", Group::Secure, "IEEE 802.1AE", |l, _| only(l, 0x88e5, "macsec", |_| true)),
    link("cfm", "Connectivity Fault Management", Group::Routing, "IEEE 802.1Q clause 20", |l, _| {
        only(l, 0x8902, "cfm", |b| b.u8(1).is_some_and(|opcode| opcode != 0))
    }),
    link("mvrp", "Multiple VLAN Registration Protocol", Group::Routing, "IEEE 802.1Q clause 10", |l, _| {
        only(l, 0x88f5, "mvrp", |b| b.u8(0) == Some(0))
    }),
    link("fcoe", "Fibre Channel over Ethernet, and its initialisation", Group::Storage, "FC-BB-5", |l, _| {
        match l.dport {
            0x8906 | 0x8914 => Answer::Certain("fcoe", 0.97),
            _ => Answer::NotForUs,
        }
    }),
    link("aoe", "ATA over Ethernet", Group::Storage, "AoE r11", |l, _| {
        only(l, 0x88a2, "aoe", |b| b.u8(0).is_some_and(|v| v >> 4 == 1))
    }),
    link("pppoe", "PPP over Ethernet", Group::Internet, "RFC 2516", |l, _| match l.dport {
        0x8863 | 0x8864 if l.here.u8(0) == Some(0x11) => Answer::Certain("pppoe", 0.98),
        _ => Answer::NotForUs,
    }),
    link("wake-on-lan", "Wake on LAN", Group::Management, "AMD 20213", |l, _| only(l, 0x0842, "wake-on-lan", |_| true)),
    link("loopback", "Ethernet configuration testing", Group::Management, "Ethernet 2.0 section 8", |l, _| {
        only(l, 0x9000, "loopback", |_| true)
    }),
    link("profinet", "PROFINET real time", Group::Industry, "IEC 61158-6-10", |l, _| {
        only(l, 0x8892, "profinet", |_| true)
    }),
    link("goose", "IEC 61850 GOOSE and sampled values", Group::Industry, "IEC 61850-8-1", |l, _| match l.dport {
        0x88b8 | 0x88ba => Answer::Certain("goose", 0.97),
        _ => Answer::NotForUs,
    }),
    link("ethercat", "EtherCAT", Group::Industry, "IEC 61158-4-12", |l, _| only(l, 0x88a4, "ethercat", |_| true)),
];

fn only(look: &Look<'_>, number: u16, name: Name, reads: fn(&[u8]) -> bool) -> Answer {
    let fits = look.dport == number && reads(look.here);
    if fits { Answer::Certain(name, 0.99) } else { Answer::NotForUs }
}

/// Behind a SNAP header with the organisation 00-00-0c.
fn snap(look: &Look<'_>, number: u16, name: Name, reads: fn(&[u8]) -> bool) -> Answer {
    let fits = look.dport == number && look.here.has(0, &[0xaa, 0xaa, 3, 0, 0, 0x0c]) && reads(look.here.from(8));
    if fits { Answer::Certain(name, 0.98) } else { Answer::NotForUs }
}

fn lldp(look: &Look<'_>, facts: &mut Facts) -> Answer {
    if look.dport != 0x88cc {
        return Answer::NotForUs;
    }
    let Some(neighbour) = Neighbour::read(look.here) else { return Answer::NotForUs };
    facts.note("chassis", &neighbour.chassis);
    facts.note("port", &neighbour.port);
    if let Some(system) = &neighbour.system {
        facts.host(system.as_bytes());
    }
    Answer::Certain("lldp", 1.0)
}

/// Subtype 1, version 1, then actor information of 20 bytes; the marker protocol is subtype 2.
fn lacp(look: &Look<'_>, _: &mut Facts) -> Answer {
    let actor = look.here.has(0, &[1, 1, 1, 20]);
    match look.dport == 0x8809 && (actor || look.here.has(0, &[2, 1])) {
        true => Answer::Certain("lacp", 0.99),
        false => Answer::NotForUs,
    }
}

/// LLC 42 42 03, protocol 0, a known version and type; or Cisco's per-VLAN form behind SNAP.
fn stp(look: &Look<'_>) -> Answer {
    let plain = look.dport == 0x42 && look.here.has(0, &[0x42, 0x42, 3, 0, 0]) && bpdu(look.here.from(5));
    let per_vlan = look.dport == 0x010b
        && look.here.has(0, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b, 0, 0])
        && bpdu(look.here.from(10));
    if plain || per_vlan { Answer::Certain("stp", 0.99) } else { Answer::NotForUs }
}

fn bpdu(bytes: &[u8]) -> bool {
    matches!((bytes.u8(0), bytes.u8(1)), (Some(0 | 2 | 3 | 4), Some(0 | 2 | 0x80)))
}

/// LLC fe fe 03, network layer protocol 0x83, version 1, a PDU type.
fn isis(look: &Look<'_>) -> Answer {
    let head = look.dport == 0xfe && look.here.has(0, &[0xfe, 0xfe, 3, 0x83]) && look.here.u8(5) == Some(1);
    let kind = look.here.u8(7).map(|k| k & 0x1f);
    match (head, kind) {
        (true, Some(15..=18 | 20 | 24..=27)) => Answer::Certain("isis", 0.99),
        _ => Answer::NotForUs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_content_must_agree() {
        let look = |number, here| Look::of(Over::LINK, number, number, here);
        assert_eq!(lacp(&look(0x8809, &[1, 1, 1, 20]), &mut Facts::default()), Answer::Certain("lacp", 0.99));
        assert_eq!(lacp(&look(0x8809, &[10, 1, 1, 20]), &mut Facts::default()), Answer::NotForUs);
        assert_eq!(stp(&look(0x010b, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b, 0, 0, 2, 2])), Answer::Certain("stp", 0.99));
        assert_eq!(isis(&look(0xfe, &[0xfe, 0xfe, 3, 0x81, 0, 1, 0, 15])), Answer::NotForUs);
    }
}
