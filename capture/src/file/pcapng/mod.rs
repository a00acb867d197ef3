//! pcapng (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>): sections of blocks, each block with its
//! length at both ends.

mod interface;
mod options;
mod packet;

use crate::file::format::{BadHeader, Format, Found, Identified, Order, Stop, Window};
use crate::file::seek::{Judged, Seek, cut};
use crate::source::Damage;

use interface::Interfaces;

const NAME: &str = "pcapng";
/// Bytes of type, length and length again: a block without a body.
const EMPTY_BLOCK: usize = 12;
/// Longest block that is looked at, in bytes: the longest frame and as much again for its options.
const MAX_BLOCK: usize = 512 * 1024;
/// Longest block of a kind that is not needed, in bytes, that is passed over by its length.
const MAX_PASSED: usize = 64 * 1024 * 1024;

/// Section header: reads the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
/// Kinds that a search takes for the start of a sound block: the above, names (4), journal (9), secrets (10), custom.
const KINDS: [u32; 10] =
    [SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, 4, STATISTICS, ENHANCED_PACKET, 9, 10, 0x0000_0bad];

/// A pcapng file from its first byte on.
struct Pcapng {
    order: Order,
    interfaces: Interfaces,
    /// Time of the last frame, for blocks that carry none.
    last_ns: u64,
    seek: Option<Seek>,
    /// A block of this length was passed over up to its second length.
    passed: Option<u32>,
}

/// Reads the start of the first section, if it is one of this format.
pub(super) fn open(head: &[u8]) -> Option<Result<Identified, BadHeader>> {
    if head.first_chunk::<4>().map(|kind| u32::from_be_bytes(*kind)) != Some(SECTION) {
        return None;
    }
    Some(section_order(head).map(|order| {
        let interfaces = Interfaces::default();
        let format = Box::new(Pcapng { order, interfaces, last_ns: 0, seek: None, passed: None });
        Identified { format, header_len: 0 }
    }))
}

/// The byte order of the section that begins here.
fn section_order(head: &[u8]) -> Result<Order, BadHeader> {
    let bad = |expected: &str, found: String| BadHeader { format: NAME, expected: expected.to_owned(), found };
    if head.len() < 28 {
        return Err(bad("a section header block of at least 28 bytes", format!("only {} bytes", head.len())));
    }
    let order = order(head).ok_or_else(|| {
        let mark = Order { big: true }.word(head, 8);
        bad("the byte-order mark 0x1a2b3c4d or 0x4d3c2b1a", format!("{mark:#010x}"))
    })?;
    match order.half(head, 12) {
        1 => Ok(order),
        major => Err(bad("version 1", format!("version {major}.{}", order.half(head, 14)))),
    }
}

fn order(section: &[u8]) -> Option<Order> {
    [true, false].map(|big| Order { big }).into_iter().find(|o| o.word(section, 8) == BYTE_ORDER)
}

/// What to do with the block at the start of what is left.
enum Block<'a> {
    /// Its whole length, and what stands between its two lengths.
    Whole(u32, &'a [u8], usize),
    Stop(Stop),
    Lost(String, String),
}

impl Pcapng {
    /// The next block, whole and with two equal lengths.
    fn block<'a>(&self, window: Window<'a>, consumed: usize) -> Block<'a> {
        let rest = window.rest(consumed);
        if rest.len() < EMPTY_BLOCK {
            return Block::Stop(Stop::Need(EMPTY_BLOCK));
        }
        let kind = self.order.word(rest, 0);
        let Some(order) = (if kind == SECTION { order(rest) } else { Some(self.order) }) else {
            let mark = Order { big: true }.word(rest, 8);
            return Block::Lost("a section's byte-order mark".to_owned(), format!("{mark:#010x}"));
        };
        let len = order.word(rest, 4) as usize;
        if len < EMPTY_BLOCK || !len.is_multiple_of(4) || len > MAX_PASSED || (len > MAX_BLOCK && is_needed(kind)) {
            let expected = format!("a block of {EMPTY_BLOCK} to {MAX_BLOCK} bytes, a multiple of 4");
            return Block::Lost(expected, format!("a block of type {kind:#x} that claims {len} bytes"));
        }
        if len > MAX_BLOCK {
            return Block::Stop(Stop::Skip(len as u64 - 4));
        }
        let Some(whole) = rest.get(..len) else { return Block::Stop(Stop::Need(len)) };
        let again = order.word(whole, len - 4) as usize;
        if again != len && !self.goes_on(window, consumed + len) {
            let expected = format!("a block of type {kind:#x} that ends with its length, {len}");
            return Block::Lost(expected, format!("{again}"));
        }
        Block::Whole(kind, whole.get(8..len - 4).unwrap_or_default(), again)
    }

    /// Whether a sound block, or the end of the file, follows at `at`: then a wrong second length is forgiven.
    fn goes_on(&self, window: Window<'_>, at: usize) -> bool {
        let rest = window.rest(at);
        (rest.is_empty() && window.last) || judge(self.order, rest, window.last) == Judged::Sound
    }

    fn blocks(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        while !found.is_full() {
            match self.block(window, found.consumed) {
                Block::Stop(Stop::Need(count)) if window.last => return self.at_end(window, found, count),
                Block::Stop(stop) => {
                    if let Stop::Skip(passed) = stop {
                        self.passed = u32::try_from(passed + 4).ok();
                    }
                    return stop;
                }
                Block::Lost(expected, what) => {
                    self.seek = Some(Seek::begin(window, found, expected, what));
                    return self.seek_on(window, found).unwrap_or(Stop::Lend);
                }
                Block::Whole(kind, body, again) => {
                    if !self.take(window, found, kind, body) {
                        return Stop::Lend;
                    }
                    self.note_second_length(window, found, body.len() + EMPTY_BLOCK, again);
                    found.consumed += body.len() + EMPTY_BLOCK;
                }
            }
        }
        Stop::Lend
    }

    fn note_second_length(&self, window: Window<'_>, found: &mut Found, len: usize, again: usize) {
        if again != len {
            found.damage.push(Damage {
                offset: window.offset_at(found.consumed + len - 4),
                expected: format!("the block's length again, {len}"),
                found: format!("{again}"),
                outcome: "the first length was believed, for a sound block follows".to_owned(),
            });
        }
    }

    /// Deals with a block; false if what was found so far must be lent first.
    fn take(&mut self, window: Window<'_>, found: &mut Found, kind: u32, body: &[u8]) -> bool {
        match kind {
            ENHANCED_PACKET => return self.enhanced(window, found, body),
            OLD_PACKET => return self.old(window, found, body),
            STATISTICS => return self.statistics(found, body),
            SIMPLE_PACKET => self.simple(window, found, body),
            INTERFACE => self.interfaces.describe(self.order, window, found, body),
            SECTION => self.section(window, found, body),
            _ => {}
        }
        true
    }

    fn section(&mut self, window: Window<'_>, found: &mut Found, body: &[u8]) {
        // `body` begins at the byte-order mark, which is where `order` finds it 8 bytes into the block.
        self.order = order(window.rest(found.consumed)).unwrap_or(self.order);
        self.interfaces.new_section();
        for option in options::walk(self.order, body.get(16..).unwrap_or_default()) {
            options::note_comment(option, found);
        }
    }

    fn seek_on(&mut self, window: Window<'_>, found: &mut Found) -> Option<Stop> {
        let seek = self.seek.take()?;
        let order = self.order;
        let stop = seek.on(window, found, |bytes, last| judge(order, bytes, last));
        if matches!(stop, Some(Stop::Need(_))) {
            self.seek = Some(seek);
        }
        stop
    }

    /// The file ends inside of a block, unless the block's length is wrong and sound ones follow.
    fn at_end(&mut self, window: Window<'_>, found: &mut Found, needed: usize) -> Stop {
        let left = window.rest(found.consumed);
        let sound = |at: &usize| judge(self.order, left.get(*at..).unwrap_or_default(), true) == Judged::Sound;
        if !(1..left.len()).any(|at| sound(&at)) {
            return cut(window, found, "a block", needed);
        }
        let what = format!("the file's last {} bytes, with sound blocks in them", left.len());
        self.seek = Some(Seek::begin(window, found, format!("a block of {needed} bytes"), what));
        self.seek_on(window, found).unwrap_or(Stop::Lend)
    }

    /// Checks the second length of a block that was passed over.
    fn after_passing(&mut self, window: Window<'_>, found: &mut Found) -> Option<Stop> {
        let len = self.passed?;
        let Some(again) = window.bytes.first_chunk::<4>().map(|_| self.order.word(window.bytes, 0)) else {
            return Some(if window.last { cut(window, found, "a block's end", 4) } else { Stop::Need(4) });
        };
        self.passed = None;
        if again == len {
            found.consumed += 4;
            return None;
        }
        let expected = format!("the second length of a block of {len} bytes that was passed over");
        self.seek = Some(Seek::begin(window, found, expected, format!("{again}")));
        None
    }
}

impl Format for Pcapng {
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop {
        if let Some(stop) = self.after_passing(window, found) {
            return stop;
        }
        if let Some(stop) = self.seek_on(window, found) {
            return stop;
        }
        self.blocks(window, found)
    }
}

/// Whether a block of this kind is looked into.
fn is_needed(kind: u32) -> bool {
    matches!(kind, SECTION | INTERFACE | OLD_PACKET | SIMPLE_PACKET | STATISTICS | ENHANCED_PACKET)
}

/// A block is believed if its kind is known and its length stands at both ends.
fn judge(order: Order, bytes: &[u8], last: bool) -> Judged {
    let unsure = |needed: usize| if last { Judged::Unsound } else { Judged::Unsure(needed) };
    if bytes.len() < EMPTY_BLOCK {
        return unsure(EMPTY_BLOCK);
    }
    let kind = order.word(bytes, 0);
    let own = if kind == SECTION { self::order(bytes) } else { Some(order) };
    let (Some(own), true) = (own, KINDS.contains(&kind)) else { return Judged::Unsound };
    let len = own.word(bytes, 4) as usize;
    if !(EMPTY_BLOCK..=MAX_BLOCK).contains(&len) || !len.is_multiple_of(4) {
        return Judged::Unsound;
    }
    match bytes.get(..len) {
        None => unsure(len),
        Some(whole) if own.word(whole, len - 4) as usize == len => Judged::Sound,
        Some(_) => Judged::Unsound,
    }
}
