//! What a neighbour says of itself (IEEE 802.1AB, clause 8).

use super::dcbx::{Classes, dcbx};

/// A neighbour's announcement; strings are bounded and printable.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Chassis id: a name, or an address in hexadecimal.
    pub chassis: String,
    /// Port id.
    pub port: String,
    /// System name, if announced.
    pub system: Option<String>,
    /// It forwards: its enabled capabilities name bridge or router.
    pub forwards: bool,
    /// How long the announcement holds, in s; 0: the neighbour goes.
    pub ttl_s: Option<u16>,
    /// What it says of classes, if anything.
    pub classes: Option<Classes>,
}

/// Longest name kept, in characters.
const LONGEST: usize = 64;
/// Subtypes of chassis and port ids that are MAC addresses.
const CHASSIS_MAC: u8 = 4;
const PORT_MAC: u8 = 3;

impl Neighbour {
    /// Reads the TLVs of a PDU as far as they were captured; `None` without the mandatory two at its beginning.
    pub fn read(mut pdu: &[u8]) -> Option<Self> {
        let mut neighbour = Self::default();
        while let Some((kind, value, rest)) = tlv(pdu) {
            match (kind, value) {
                (1, [CHASSIS_MAC, mac @ ..]) => neighbour.chassis = hexadecimal(mac),
                (1, [_, name @ ..]) => neighbour.chassis = printable(name),
                (2, [PORT_MAC, mac @ ..]) => neighbour.port = hexadecimal(mac),
                (2, [_, name @ ..]) => neighbour.port = printable(name),
                (3, &[high, low, ..]) => neighbour.ttl_s = Some(u16::from_be_bytes([high, low])),
                (127, value) => dcbx(value, &mut neighbour.classes),
                (5, name) => neighbour.system = Some(printable(name)).filter(|n| !n.is_empty()),
                // Enabled capabilities: bit 2 bridge, bit 4 router.
                (7, [_, _, _, enabled]) => neighbour.forwards = enabled & 0b1_0100 != 0,
                (0, _) => break,
                _ => {}
            }
            pdu = rest;
        }
        (!neighbour.chassis.is_empty() && !neighbour.port.is_empty()).then_some(neighbour)
    }
}

/// Seven bits of type, nine of length, the value.
fn tlv(pdu: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[high, low], rest) = pdu.split_first_chunk::<2>()?;
    let (value, rest) = rest.split_at_checked(usize::from(high & 1) << 8 | usize::from(low))?;
    Some((high >> 1, value, rest))
}

fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(LONGEST).collect::<String>().trim().to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(LONGEST / 3).map(|b| format!("{b:02x}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDU: &[u8] = &[
        0x02, 0x07, 4, 0x44, 0x38, 0x39, 0, 0x10, 1, // chassis, MAC
        0x04, 0x05, 5, b's', b'w', b'p', b'7', // port, interface name
        0x06, 0x02, 0, 120, // time to live
        0x0a, 0x05, b'l', b'e', b'a', b'f', b'0', // system name
        0x0e, 0x04, 0, 0x14, 0, 0x14, // capabilities
        0, 0,
    ];

    #[test]
    fn a_switch_says_who_it_is() {
        let read = Neighbour::read(PDU).unwrap();
        assert_eq!((read.chassis.as_str(), read.port.as_str()), ("44:38:39:00:10:01", "swp7"));
        assert_eq!((read.system.as_deref(), read.forwards), (Some("leaf0"), true));
    }

    #[test]
    fn any_shorter_length_is_read_as_far_as_it_goes() {
        for n in 0..PDU.len() {
            let read = Neighbour::read(&PDU[..n]);
            assert_eq!(read.is_some(), n >= 16, "{n} bytes");
        }
    }

    #[test]
    fn names_are_printable_and_bounded() {
        let mut pdu = vec![0x02, 0x02, 7, b'x', 0x04, 0xff, 5];
        pdu.extend([b'a', 0x1b].repeat(127));
        let read = Neighbour::read(&pdu).unwrap();
        assert_eq!(read.port, "a".repeat(LONGEST));
    }
}
