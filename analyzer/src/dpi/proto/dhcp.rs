//! DHCP and BOOTP, DHCPv6 (RFC 2131, RFC 2132, RFC 8415).

use crate::dpi::bytes::Bytes;
use crate::dpi::facts::Facts;
use crate::dpi::protocol::{Answer, Group, Look, Over, Protocol};

/// Registry entries.
pub const PROTOCOLS: &[Protocol] = &[
    Protocol::new(
        "dhcp",
        "Dynamic Host Configuration Protocol",
        Group::Infrastructure,
        Over::UDP,
        &[67, 68],
        "RFC 2131",
        v4,
    )
    .datagrams(3, &[(0x01, 0x02)]),
    Protocol::new("dhcpv6", "DHCP for IPv6", Group::Infrastructure, Over::UDP, &[546, 547], "RFC 8415", v6)
        .datagrams(5, &[(0x01, 0x24)]),
];

fn v4(look: &Look<'_>, facts: &mut Facts) -> Answer {
    let here = look.here;
    let fixed =
        matches!(here.u8(0), Some(1 | 2)) && here.u8(1).is_some_and(|h| h <= 40) && here.u8(2).is_some_and(|l| l <= 16);
    if fixed && !look.whole && here.len() < 240 && look.port(67) && look.port(68) {
        return Answer::Certain("dhcp", 0.9);
    }
    if !fixed || here.len() < 240 {
        return Answer::NotForUs;
    }
    if !here.has(236, &[0x63, 0x82, 0x53, 0x63]) {
        let bootp = here.len() == 300 && look.port(67) && look.port(68);
        return if bootp { Answer::Certain("dhcp", 0.85) } else { Answer::NotForUs };
    }
    let mut at = 240;
    while let (Some(code), Some(len)) = (here.u8(at), here.u8(at + 1)) {
        match code {
            0 => at += 1,
            255 => break,
            12 => facts.set("client_host", here.part(at + 2, usize::from(len)).unwrap_or_default()),
            60 => facts.set("vendor_class", here.part(at + 2, usize::from(len)).unwrap_or_default()),
            _ => {}
        }
        if code != 0 {
            at += 2 + usize::from(len);
        }
    }
    Answer::Certain("dhcp", 1.0)
}

/// Options of two-byte code and length to the exact end.
fn options_end(here: &[u8], mut at: usize) -> bool {
    for _ in 0..64 {
        if at == here.len() {
            return true;
        }
        let (Some(code), Some(len)) = (here.be16(at), here.be16(at + 2)) else { return false };
        if code == 0 || code > 200 {
            return false;
        }
        at += 4 + usize::from(len);
    }
    false
}

fn v6(look: &Look<'_>, _: &mut Facts) -> Answer {
    let here = look.here;
    let first = match here.u8(0) {
        Some(1..=11 | 14..=36) => 4,
        Some(12 | 13) => 34,
        _ => return Answer::NotForUs,
    };
    let at_port = look.port(546) || look.port(547);
    if here.len() > first && options_end(here, first) {
        return Answer::Certain("dhcpv6", if at_port { 0.97 } else { 0.75 });
    }
    Answer::NotForUs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpi::proto::testing::named;

    #[test]
    fn both_versions() {
        let mut offer = vec![0; 240];
        offer[..3].copy_from_slice(&[2, 1, 6]);
        assert_eq!(named(Over::UDP, 67, 68, &offer), None);
        offer[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
        offer.extend([12, 2, b'n', b'7', 255]);
        assert_eq!(named(Over::UDP, 1067, 1068, &offer), Some("dhcp"));
        assert_eq!(named(Over::UDP, 546, 547, &[1, 9, 9, 9, 0, 8, 0, 2, 0, 0]), Some("dhcpv6"));
        assert_eq!(named(Over::UDP, 546, 547, &[1, 9, 9, 9, 0, 8, 0, 3, 0, 0]), None);
    }
}
