//! What runs straight over IP: named by its protocol number and the first bytes of its own header.

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Name, Over, Protocol};

const fn over_ip(
    name: Name,
    title: &'static str,
    group: Group,
    source: &'static str,
    probe: fn(&Look<'_>, &mut Facts) -> Answer,
) -> Protocol {
    Protocol::new(name, title, group, Over::IP, &[], source, probe)
}

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    over_ip("icmp", "Internet Control Message Protocol", Group::Routing, "RFC 792", |l, _| {
        only(l, 1, "icmp", |_| true)
    }),
    over_ip("icmpv6", "ICMP for IPv6", Group::Routing, "RFC 4443", |l, _| only(l, 58, "icmpv6", |_| true)),
    over_ip("igmp", "Internet Group Management Protocol", Group::Routing, "RFC 3376", |l, _| only(l, 2, "igmp", igmp)),
    over_ip("ospf", "Open Shortest Path First", Group::Routing, "RFC 2328, RFC 5340", |l, _| only(l, 89, "ospf", ospf)),
    over_ip("pim", "Protocol Independent Multicast", Group::Routing, "RFC 7761", |l, _| only(l, 103, "pim", pim)),
    over_ip("vrrp", "Virtual Router Redundancy Protocol", Group::Routing, "RFC 9568", |l, _| {
        only(l, 112, "vrrp", vrrp)
    }),
    over_ip("rsvp", "Resource Reservation Protocol", Group::Routing, "RFC 2205", |l, _| {
        only(l, 46, "rsvp", |b| b.u8(0).is_some_and(|v| v >> 4 == 1))
    }),
    over_ip("eigrp", "Enhanced Interior Gateway Routing Protocol", Group::Routing, "RFC 7868", |l, _| {
        only(l, 88, "eigrp", |b| b.u8(0) == Some(2))
    }),
    over_ip("ipsec", "IPsec ESP and AH", Group::Secure, "RFC 4303, RFC 4302", |l, _| match l.protocol {
        50 | 51 => Answer::Certain("ipsec", 1.0),
        _ => Answer::NotForUs,
    }),
    over_ip("gre", "Generic Routing Encapsulation", Group::Routing, "RFC 2784", |l, _| only(l, 47, "gre", |_| true)),
    over_ip("l2tp", "Layer Two Tunneling Protocol version 3", Group::Secure, "RFC 3931", |l, _| {
        only(l, 115, "l2tp", |_| true)
    }),
];

fn only(look: &Look<'_>, protocol: u8, name: Name, reads: fn(&[u8]) -> bool) -> Answer {
    if look.protocol == protocol && reads(look.here) { Answer::Certain(name, 1.0) } else { Answer::NotForUs }
}

fn igmp(bytes: &[u8]) -> bool {
    bytes.u8(0).is_some_and(|kind| matches!(kind, 0x11..=0x17 | 0x1e | 0x1f | 0x22 | 0x24..=0x26 | 0x30..=0x32))
}

fn ospf(bytes: &[u8]) -> bool {
    matches!(bytes.u8(0), Some(2 | 3)) && matches!(bytes.u8(1), Some(1..=5))
}

fn pim(bytes: &[u8]) -> bool {
    matches!(bytes.u8(0).map(|b| b >> 4), Some(1 | 2))
}

fn vrrp(bytes: &[u8]) -> bool {
    matches!(bytes.u8(0), Some(0x21 | 0x31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_header_must_agree() {
        let look = |protocol, here| Look { protocol, ..Look::of(Over::IP, 0, 0, here) };
        assert_eq!(only(&look(89, &[2, 1]), 89, "ospf", ospf), Answer::Certain("ospf", 1.0));
        assert_eq!(only(&look(89, &[9, 1]), 89, "ospf", ospf), Answer::NotForUs);
        assert_eq!(only(&look(88, &[2, 1]), 89, "ospf", ospf), Answer::NotForUs);
    }
}
