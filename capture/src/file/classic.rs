//! Classic pcap (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-06.html>): a file header, then records.

use crate::file::format::{BATCH, Described, Format, Found, MAX_FRAME, Record, Stop, Window};
use crate::frame::{Direction, InterfaceId, LinkType};
use crate::source::Damage;

/// Bytes of the file header.
pub(super) const HEADER_LEN: usize = 24;
const RECORD_LEN: usize = 16;
const MAGIC_US: u32 = 0xa1b2_c3d4;
const MAGIC_NS: u32 = 0xa1b2_3c4d;

/// Whether a file that begins so is a classic pcap.
pub(super) fn is_classic(head: &[u8]) -> bool {
    order(head).is_some()
}

/// Byte order and nanoseconds per unit of a record's fraction.
fn order(head: &[u8]) -> Option<(bool, u64)> {
    let magic = *head.first_chunk::<4>()?;
    [(false, u32::from_le_bytes(magic)), (true, u32::from_be_bytes(magic))].into_iter().find_map(|(big, magic)| {
        let unit_ns = match magic {
            MAGIC_US => 1_000,
            MAGIC_NS => 1,
            _ => return None,
        };
        Some((big, unit_ns))
    })
}

/// A classic pcap file behind its header.
pub(super) struct Classic {
    big_endian: bool,
    /// Nanoseconds per unit of a record's fraction.
    unit_ns: u64,
    /// The file's only interface, until it was told.
    interface: Option<Described>,
}

impl Classic {
    /// Reads the file header; an error says what was found instead.
    pub(super) fn open(head: &[u8]) -> Result<(Self, usize), String> {
        let (Some((big_endian, unit_ns)), Some(header)) = (order(head), head.first_chunk::<HEADER_LEN>()) else {
            return Err(format!("{} bytes", head.len()));
        };
        let word = |at: usize| word(header, at, big_endian);
        let network = word(20);
        // The draft, section 4: bit 26 says that the upper four count the check sequence's 16-bit words.
        let fcs_len = if network & (1 << 26) == 0 { 0 } else { ((network >> 28) * 2) as u8 };
        let interface = Described {
            name: None,
            link_type: LinkType::from_number((network & 0xffff) as u16),
            speed_bps: None,
            snaplen: word(16),
            fcs_len,
        };
        Ok((Self { big_endian, unit_ns, interface: Some(interface) }, HEADER_LEN))
    }

    fn records<const BIG: bool>(&self, window: Window<'_>, found: &mut Found) -> Stop {
        let mut rest = window.bytes;
        let stop = loop {
            let Some((head, tail)) = rest.split_first_chunk::<RECORD_LEN>() else { break Stop::Need(RECORD_LEN) };
            let [seconds, fraction, len, wire_len] = words::<BIG>(head);
            if len > MAX_FRAME {
                found.damage.push(too_long(window.offset + (window.bytes.len() - rest.len()) as u64, len));
                break Stop::End;
            }
            let start = window.bytes.len() - tail.len();
            let Some(after) = tail.get(len as usize..) else { break Stop::Need(RECORD_LEN + len as usize) };
            let at_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit_ns;
            found.records.push(Record {
                start,
                len,
                wire_len: wire_len.max(len),
                at_ns,
                interface: InterfaceId(0),
                direction: Direction::Unknown,
            });
            rest = after;
            if found.records.len() == BATCH {
                break Stop::Lend;
            }
        };
        found.consumed = window.bytes.len() - rest.len();
        stop
    }
}

impl Format for Classic {
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        found.interfaces.extend(self.interface.take());
        let stop =
            if self.big_endian { self.records::<true>(window, found) } else { self.records::<false>(window, found) };
        let Stop::Need(count) = stop else { return stop };
        if !window.last {
            return stop;
        }
        let left = window.bytes.len() - found.consumed;
        if left > 0 {
            found.damage.push(Damage {
                offset: window.offset + found.consumed as u64,
                expected: format!("a record of {count} bytes"),
                found: format!("the last {left} bytes of the file"),
                outcome: "reading ended".to_owned(),
            });
        }
        Stop::End
    }
}

fn too_long(offset: u64, len: u32) -> Damage {
    Damage {
        offset,
        expected: format!("a record of at most {MAX_FRAME} bytes"),
        found: format!("a record that claims {len} bytes"),
        outcome: "reading ended".to_owned(),
    }
}

fn words<const BIG: bool>(head: &[u8; RECORD_LEN]) -> [u32; 4] {
    let (words, _) = head.as_chunks::<4>();
    let mut read = [0; 4];
    for (to, from) in read.iter_mut().zip(words) {
        *to = if BIG { u32::from_be_bytes(*from) } else { u32::from_le_bytes(*from) };
    }
    read
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let Some(four) = bytes.get(at..).and_then(|b| b.first_chunk::<4>()) else { return 0 };
    if big_endian { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) }
}
