//! Names of numbers, as the report spells them.

use crate::packet::{MirrorKey, MirrorKind};
use crate::report::LinkMirror;

/// Operations by the low five bits of a BTH opcode (IBTA vol 1, table 35).
const OPERATIONS: [&str; 24] = [
    "SEND_FIRST",
    "SEND_MIDDLE",
    "SEND_LAST",
    "SEND_LAST_IMM",
    "SEND_ONLY",
    "SEND_ONLY_IMM",
    "WRITE_FIRST",
    "WRITE_MIDDLE",
    "WRITE_LAST",
    "WRITE_LAST_IMM",
    "WRITE_ONLY",
    "WRITE_ONLY_IMM",
    "READ_REQ",
    "READ_RESP_FIRST",
    "READ_RESP_MIDDLE",
    "READ_RESP_LAST",
    "READ_RESP_ONLY",
    "ACK",
    "ATOMIC_ACK",
    "CMP_SWAP",
    "FETCH_ADD",
    "RESYNC",
    "SEND_LAST_INV",
    "SEND_ONLY_INV",
];

/// `RC_WRITE_ONLY_IMM`, `CNP`; codes that IBTA leaves open read `0x..`.
pub fn opcode(code: u8) -> String {
    let transport = match code >> 5 {
        _ if code == 0x81 => return "CNP".to_owned(),
        0 => "RC",
        1 => "UC",
        2 => "RD",
        3 => "UD",
        5 => "XRC",
        _ => return format!("0x{code:02x}"),
    };
    match OPERATIONS.get(usize::from(code & 0x1f)) {
        Some(operation) => format!("{transport}_{operation}"),
        None => format!("0x{code:02x}"),
    }
}

/// Name of an IP protocol; 0 stands for no IP.
pub fn l4(protocol: u8) -> String {
    let known = match protocol {
        0 => "ethernet",
        1 => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        other => return format!("ip-{other}"),
    };
    known.to_owned()
}

/// A mirror's identity as the report shows it.
pub fn mirror(key: MirrorKey, tap: &str) -> LinkMirror {
    LinkMirror {
        kind: key.kind.name().to_owned(),
        session: key.session,
        vlan: key.vlan,
        port: key.port,
        direction: None,
        source: key.source.map(|a| a.to_string()),
        tap: tap.to_owned(),
    }
}

/// A tap for people: `leaf0.pcap`, `eth1 erspan3 session 7 from 10.0.0.1`.
pub fn tap(source: &str, key: MirrorKey) -> String {
    let mut name = source.to_owned();
    if key.kind != MirrorKind::Plain {
        name = format!("{name} {}", key.kind.name());
    }
    for (what, value) in [("vlan", key.vlan.map(u32::from)), ("session", key.session), ("port", key.port)] {
        if let Some(value) = value {
            name = format!("{name} {what} {value}");
        }
    }
    match key.source {
        Some(from) => format!("{name} from {from}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_by_transport() {
        let names: Vec<String> = [0x00, 0x0b, 0x11, 0x17, 0x26, 0x64, 0x81, 0x1f, 0xc0].map(opcode).into();
        let want = [
            "RC_SEND_FIRST",
            "RC_WRITE_ONLY_IMM",
            "RC_ACK",
            "RC_SEND_ONLY_INV",
            "UC_WRITE_FIRST",
            "UD_SEND_ONLY",
            "CNP",
            "0x1f",
            "0xc0",
        ];
        assert_eq!(names, want);
    }

    #[test]
    fn a_tap_says_what_its_envelope_says() {
        let key = MirrorKey {
            kind: MirrorKind::Erspan3,
            session: Some(7),
            source: Some(crate::packet::Addr::v4([10, 0, 0, 1])),
            ..MirrorKey::default()
        };
        assert_eq!(tap("eth1", key), "eth1 erspan3 session 7 from 10.0.0.1");
        assert_eq!(tap("a.pcap", MirrorKey::default()), "a.pcap");
    }
}
