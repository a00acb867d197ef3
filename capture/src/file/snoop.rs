//! snoop (RFC 1761), the capture files of Solaris: big-endian, records padded, losses counted from the start.

use crate::file::format::{BadHeader, Described, Format, Found, Identified, Lost, MAX_FRAME, MAX_WIRE, Order, Record};
use crate::file::format::{SECOND_NS, Stop, Window};
use crate::file::seek::cut;
use crate::frame::{Direction, InterfaceId, LinkType};
use crate::source::Damage;

const NAME: &str = "snoop";
const MAGIC: &[u8] = b"snoop\0\0\0";
const HEADER_LEN: usize = 16;
const RECORD_LEN: usize = 24;
const BIG: Order = Order { big: true };
/// Padding of a record that is believed.
const MAX_PADDING: u32 = 64;

/// A snoop file behind its header.
struct Snoop {
    interface: Option<Described>,
    /// Losses told so far.
    lost: u32,
}

/// Reads the file header, if it is one of this format.
pub(super) fn open(head: &[u8]) -> Option<Result<Identified, BadHeader>> {
    head.starts_with(MAGIC).then(|| {
        let bad = |expected: &str, found: String| BadHeader { format: NAME, expected: expected.to_owned(), found };
        if head.len() < HEADER_LEN {
            return Err(bad("16 bytes", format!("only {}", head.len())));
        }
        let version = BIG.word(head, 8);
        if version != 2 {
            return Err(bad("version 2", format!("version {version}")));
        }
        // RFC 1761: 0 is IEEE 802.3, 4 is Ethernet.
        let datalink = BIG.word(head, 12);
        if !matches!(datalink, 0 | 4) {
            return Err(bad("data-link type 0 or 4 (Ethernet)", format!("{datalink}")));
        }
        let interface =
            Described { name: None, link_type: LinkType::Ethernet, speed_bps: None, snaplen: 0, fcs_len: 0 };
        Ok(Identified { format: Box::new(Snoop { interface: Some(interface), lost: 0 }), header_len: HEADER_LEN })
    })
}

impl Snoop {
    /// Takes one record; says why it could not.
    fn record(&mut self, window: Window<'_>, found: &mut Found) -> Result<(), Stop> {
        let rest = window.rest(found.consumed);
        if rest.len() < RECORD_LEN {
            return Err(Stop::Need(RECORD_LEN));
        }
        let (wire_len, len, whole, drops) =
            (BIG.word(rest, 0), BIG.word(rest, 4), BIG.word(rest, 8), BIG.word(rest, 12));
        let unpadded = len.saturating_add(RECORD_LEN as u32);
        if len > MAX_FRAME || wire_len > MAX_WIRE || whole < unpadded || whole - unpadded > MAX_PADDING {
            found.damage.push(unsound(window.offset_at(found.consumed), len, whole));
            return Err(Stop::End);
        }
        if rest.len() < whole as usize {
            return Err(Stop::Need(whole as usize));
        }
        let at_ns = u64::from(BIG.word(rest, 16)) * SECOND_NS + u64::from(BIG.word(rest, 20)) * 1_000;
        if drops > self.lost {
            if !found.records.is_empty() {
                return Err(Stop::Lend);
            }
            let count = u64::from(drops - self.lost);
            found.lost.push(Lost { interface: InterfaceId(0), at_ns, count });
            self.lost = drops;
        }
        found.records.push(Record {
            start: found.consumed + RECORD_LEN,
            len,
            wire_len: wire_len.max(len),
            at_ns,
            interface: InterfaceId(0),
            direction: Direction::Unknown,
        });
        found.consumed += whole as usize;
        Ok(())
    }
}

impl Format for Snoop {
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        found.interfaces.extend(self.interface.take());
        while !found.is_full() {
            match self.record(window, found) {
                Ok(()) => {}
                Err(Stop::Need(count)) if window.last => return cut(window, found, "a record", count),
                Err(stop) => return stop,
            }
        }
        Stop::Lend
    }
}

fn unsound(offset: u64, len: u32, whole: u32) -> Damage {
    Damage {
        offset,
        expected: format!("a record of at most {MAX_FRAME} bytes in few more"),
        found: format!("{len} bytes in {whole}"),
        outcome: "what precedes it was read, reading ended".to_owned(),
    }
}
