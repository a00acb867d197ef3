//! Classic pcap (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-06.html>) and its variants: a file header, then
//! records.

use crate::file::format::{BadHeader, Described, Format, Found, Identified, MAX_FRAME, MAX_WIRE, Order, Record};
use crate::file::format::{SECOND_NS, Stop, Window};
use crate::file::seek::{Judged, Seek, cut};
use crate::frame::{Direction, InterfaceId, LinkType};
use crate::source::Damage;

const NAME: &str = "pcap";
const HEADER_LEN: usize = 24;
const RECORD_LEN: usize = 16;
/// A day: times of neighbouring records are closer than this where they are sound.
const NEAR_S: u32 = 86_400;

/// A kind of file, by its magic number.
#[derive(Clone, Copy, Debug)]
struct Variant {
    magic: u32,
    /// Nanoseconds per unit of a record's fraction of a second.
    unit_ns: u64,
    /// Bytes of a record behind the usual header: interface index, protocol, packet type (Alexey Kuznetsov's patch).
    extra: usize,
    /// Bytes behind the usual file header (Ixia: the length of all records).
    file_extra: usize,
}

const VARIANTS: &[Variant] = &[
    Variant { magic: 0xa1b2_c3d4, unit_ns: 1_000, extra: 0, file_extra: 0 },
    Variant { magic: 0xa1b2_3c4d, unit_ns: 1, extra: 0, file_extra: 0 },
    Variant { magic: 0xa1b2_cd34, unit_ns: 1_000, extra: 8, file_extra: 0 },
    // Navtel, nanoseconds.
    Variant { magic: 0xa12b_3c4d, unit_ns: 1, extra: 0, file_extra: 0 },
    // Ixia's lcap, captured by hardware and by software.
    Variant { magic: 0x1c00_01ac, unit_ns: 1, extra: 0, file_extra: 4 },
    Variant { magic: 0x1c00_01ab, unit_ns: 1_000, extra: 0, file_extra: 4 },
];

/// Which of a record's two lengths comes first: it changed with version 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    /// 2.3 was written both ways: the captured length is the smaller.
    SmallerIsCaptured,
}

/// A classic pcap file behind its header.
struct Classic {
    order: Order,
    variant: Variant,
    lengths: Lengths,
    /// The file's only interface, until it was told.
    interface: Option<Described>,
    /// What is odd about the file header, until it was told.
    doubt: Option<Damage>,
    /// Longest record that a search believes.
    snaplen: u32,
    /// Second of the last sound record; of the first one, if it is unsound.
    seconds: Option<u32>,
    seek: Option<Seek>,
}

/// Reads the file header, if it is one of this format.
pub(super) fn open(head: &[u8]) -> Option<Result<Identified, BadHeader>> {
    let magic = head.first_chunk::<4>()?;
    let (order, variant) = [(true, u32::from_be_bytes(*magic)), (false, u32::from_le_bytes(*magic))]
        .into_iter()
        .find_map(|(big, magic)| Some((Order { big }, *VARIANTS.iter().find(|v| v.magic == magic)?)))?;
    Some(Classic::open(head, order, variant))
}

impl Classic {
    fn open(head: &[u8], order: Order, variant: Variant) -> Result<Identified, BadHeader> {
        let header_len = HEADER_LEN + variant.file_extra;
        let doubt = doubt(order, head);
        let bad = |expected: &str, found: String| Err(BadHeader { format: NAME, expected: expected.to_owned(), found });
        if head.len() < header_len {
            return bad(&format!("{header_len} bytes"), format!("only {}", head.len()));
        }
        let (major, minor) = (order.half(head, 4), order.half(head, 6));
        if major < 2 {
            return bad("version 2.4", format!("version {major}.{minor}"));
        }
        let network = order.word(head, 20);
        // Section 4 of the draft: the lower 16 bits are the link type, the next 10 are reserved.
        if network & 0x03ff_0000 != 0 {
            return bad("a link type below 65536", format!("{network:#010x}"));
        }
        let snaplen = order.word(head, 16);
        let classic = Self {
            order,
            variant,
            lengths: if major == 2 { lengths(minor) } else { Lengths::CapturedFirst },
            doubt,
            interface: Some(interface(network, snaplen)),
            snaplen: if snaplen == 0 { MAX_FRAME } else { snaplen.clamp(0xffff, MAX_FRAME) },
            seconds: None,
            seek: None,
        };
        Ok(Identified { format: Box::new(classic), header_len })
    }

    fn records<const BIG: bool>(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        let extra = self.variant.extra;
        loop {
            let rest = window.rest(found.consumed);
            let Some((head, tail)) = rest.split_first_chunk::<RECORD_LEN>() else { break Stop::Need(RECORD_LEN) };
            let head = self.header::<BIG>(head);
            if head.is_odd(self.variant.unit_ns) && !self.accepts_odd(window, found, head) {
                break self.lose(window, found, head);
            }
            let (skip, len) = (extra, head.len as usize);
            if tail.len() < skip + len {
                break Stop::Need(RECORD_LEN + skip + len);
            }
            found.records.push(Record {
                start: found.consumed + RECORD_LEN + skip,
                len: head.len,
                wire_len: if head.wire_len > MAX_WIRE { head.len } else { head.wire_len.max(head.len) },
                at_ns: u64::from(head.seconds) * SECOND_NS + u64::from(head.fraction) * self.variant.unit_ns,
                interface: InterfaceId(0),
                direction: if skip == 0 { Direction::Unknown } else { direction(tail) },
            });
            self.seconds = Some(head.seconds);
            found.consumed += RECORD_LEN + skip + len;
            if found.is_full() {
                break Stop::Lend;
            }
        }
    }

    fn header<const BIG: bool>(&self, head: &[u8; RECORD_LEN]) -> Head {
        let (words, _) = head.as_chunks::<4>();
        let word =
            |at: usize| words.get(at).map_or(0, |w| if BIG { u32::from_be_bytes(*w) } else { u32::from_le_bytes(*w) });
        let (first, second) = (word(2), word(3));
        let (len, wire_len) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::WireFirst => (second, first),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
        };
        Head { seconds: word(0), fraction: word(1), len, wire_len }
    }

    /// Whether a record with an odd header is taken nevertheless, for another one follows where it ends.
    fn accepts_odd(&self, window: Window<'_>, found: &mut Found, head: Head) -> bool {
        if head.len > MAX_FRAME {
            return false;
        }
        let whole = RECORD_LEN + self.variant.extra + head.len as usize;
        let after = window.rest(found.consumed + whole);
        let next = after.first_chunk::<RECORD_LEN>().map(|next| self.any_header(next));
        let accepted = next.map_or(after.is_empty(), |next| next.len <= MAX_FRAME);
        if accepted && head.wire_len > MAX_WIRE {
            found.damage.push(Damage {
                offset: window.offset_at(found.consumed),
                expected: format!("a frame of at most {MAX_WIRE} bytes on the wire"),
                found: format!("{} bytes", head.wire_len),
                outcome: "its captured length was taken instead".to_owned(),
            });
        }
        accepted
    }

    fn any_header(&self, head: &[u8; RECORD_LEN]) -> Head {
        if self.order.big { self.header::<true>(head) } else { self.header::<false>(head) }
    }

    fn lose(&mut self, window: Window<'_>, found: &mut Found, head: Head) -> Stop {
        self.seconds = self.seconds.or(Some(head.seconds));
        let expected = format!("a record of at most {MAX_FRAME} bytes with a sound time");
        let what = format!("one of {} bytes at {} s and {}", head.len, head.seconds, head.fraction);
        self.seek = Some(Seek::begin(window, found, expected, what));
        self.seek_on(window, found).unwrap_or(Stop::Lend)
    }

    fn seek_on(&mut self, window: Window<'_>, found: &mut Found) -> Option<Stop> {
        let seek = self.seek.take()?;
        let stop = seek.on(window, found, |bytes, last| self.judge(bytes, last));
        if matches!(stop, Some(Stop::Need(_))) {
            self.seek = Some(seek);
        }
        stop
    }

    /// Three sound records in a row are believed, or fewer at the end of the file.
    fn judge(&self, bytes: &[u8], last: bool) -> Judged {
        let mut rest = bytes;
        for nth in 0..3 {
            let short = |rest: &[u8], needed: usize| match (last, nth) {
                (true, 0) => Judged::Unsound,
                (true, _) => Judged::Sound,
                (false, _) => Judged::Unsure(bytes.len() - rest.len() + needed),
            };
            let Some((head, tail)) = rest.split_first_chunk::<RECORD_LEN>() else { return short(rest, RECORD_LEN) };
            let head = self.any_header(head);
            if !self.is_sound(head) {
                return Judged::Unsound;
            }
            let len = self.variant.extra + head.len as usize;
            let Some(after) = tail.get(len..) else { return short(rest, RECORD_LEN + len) };
            rest = after;
        }
        Judged::Sound
    }

    fn is_sound(&self, head: Head) -> bool {
        !head.is_odd(self.variant.unit_ns)
            && (1..=self.snaplen).contains(&head.len)
            && head.wire_len >= head.len
            && self.seconds.is_none_or(|s| s.abs_diff(head.seconds) <= NEAR_S)
    }
}

impl Format for Classic {
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        found.interfaces.extend(self.interface.take());
        found.damage.extend(self.doubt.take());
        if let Some(stop) = self.seek_on(window, found) {
            return stop;
        }
        let stop =
            if self.order.big { self.records::<true>(window, found) } else { self.records::<false>(window, found) };
        let Stop::Need(count) = stop else { return stop };
        if !window.last || self.seek.is_some() {
            return stop;
        }
        self.at_end(window, found, count)
    }
}

impl Classic {
    /// The file ends inside of a record, unless the record's length is wrong and sound ones follow.
    fn at_end(&mut self, window: Window<'_>, found: &mut Found, needed: usize) -> Stop {
        let rest = window.rest(found.consumed);
        let left = rest.len();
        self.seconds = self.seconds.or(rest.first_chunk().map(|head| self.any_header(head).seconds));
        let sound = (1..left).find(|at| self.judge(window.rest(found.consumed + at), true) == Judged::Sound);
        if sound.is_none() {
            return cut(window, found, "a record", needed);
        }
        let expected = format!("a record of {needed} bytes");
        let what = format!("the file's last {left} bytes, with sound records in them");
        self.seek = Some(Seek::begin(window, found, expected, what));
        self.seek_on(window, found).unwrap_or(Stop::Lend)
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug)]
struct Head {
    seconds: u32,
    fraction: u32,
    len: u32,
    wire_len: u32,
}

impl Head {
    /// Whether something is beyond what a writer would write.
    fn is_odd(self, unit_ns: u64) -> bool {
        self.len > MAX_FRAME || self.wire_len > MAX_WIRE || u64::from(self.fraction) * unit_ns >= SECOND_NS
    }
}

fn lengths(minor: u16) -> Lengths {
    match minor {
        0..=2 => Lengths::WireFirst,
        3 => Lengths::SmallerIsCaptured,
        _ => Lengths::CapturedFirst,
    }
}

/// Versions beyond 2 were never defined; such files turn out to be written as 2.4.
fn doubt(order: Order, head: &[u8]) -> Option<Damage> {
    let (major, minor) = (order.half(head, 4), order.half(head, 6));
    (major > 2).then(|| Damage {
        offset: 4,
        expected: "version 2.4".to_owned(),
        found: format!("version {major}.{minor}"),
        outcome: "the file was read as version 2.4".to_owned(),
    })
}

fn interface(network: u32, snaplen: u32) -> Described {
    // Bit 26 says that the upper four count the check sequence in units of two bytes.
    let fcs_len = if network & (1 << 26) == 0 { 0 } else { (network >> 28) as u8 * 2 };
    let link_type = LinkType::from_number((network & 0xffff) as u16);
    Described { name: None, link_type, speed_bps: None, snaplen, fcs_len }
}

/// From the packet type of the modified variant: 4 is outgoing, below are the kinds of incoming (Linux `if_packet.h`).
fn direction(extra: &[u8]) -> Direction {
    match extra.get(6) {
        Some(4) => Direction::Out,
        Some(0..=2) => Direction::In,
        _ => Direction::Unknown,
    }
}
