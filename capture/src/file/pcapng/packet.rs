//! Blocks that carry frames, and the one that counts those lost.

use crate::file::format::{Found, Lost, MAX_FRAME, MAX_WIRE, Record, Window};
use crate::file::pcapng::interface::Port;
use crate::file::pcapng::{Pcapng, options};
use crate::frame::Direction;
use crate::source::Damage;

const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;

/// Type and length of a block precede its body.
const BODY: usize = 8;

/// A frame as its block tells it.
#[derive(Clone, Copy)]
struct Carried {
    port: Port,
    /// Where its bytes begin in the block's body.
    start: usize,
    len: u32,
    wire_len: u32,
    at_ns: u64,
}

/// What a frame's options say.
#[derive(Clone, Copy, Default)]
struct Extra {
    direction: Direction,
    dropped: u64,
}

impl Pcapng {
    /// Enhanced packet block.
    pub(super) fn enhanced(&mut self, window: Window<'_>, found: &mut Found, body: &[u8]) -> bool {
        let word = |at| self.order.word(body, at);
        let (index, times, lens) = (word(0), (word(4), word(8)), (word(12), word(16)));
        let Some(port) = self.interfaces.get(index).map(|p| *p) else {
            self.interfaces.unknown(window, found, index);
            return true;
        };
        let frame = Carried { port, start: 20, len: lens.0, wire_len: lens.1, at_ns: port.ns(times.0, times.1) };
        if !fits(window, found, frame, body) {
            return true;
        }
        let options = body.get(frame.start + (lens.0 as usize).next_multiple_of(4)..).unwrap_or_default();
        let extra = if options.is_empty() { Extra::default() } else { self.extra(found, options) };
        self.lend(found, frame, extra, index)
    }

    /// Packet block, obsolete: an interface of 16 bits and the frames lost before this one.
    pub(super) fn old(&mut self, window: Window<'_>, found: &mut Found, body: &[u8]) -> bool {
        let (index, drops) = (u32::from(self.order.half(body, 0)), self.order.half(body, 2));
        let word = |at| self.order.word(body, at);
        let (times, lens) = ((word(4), word(8)), (word(12), word(16)));
        let Some(port) = self.interfaces.get(index).map(|p| *p) else {
            self.interfaces.unknown(window, found, index);
            return true;
        };
        let frame = Carried { port, start: 20, len: lens.0, wire_len: lens.1, at_ns: port.ns(times.0, times.1) };
        if !fits(window, found, frame, body) {
            return true;
        }
        // 0xffff: unknown.
        let dropped = if drops == u16::MAX { 0 } else { u64::from(drops) };
        self.lend(found, frame, Extra { dropped, ..Extra::default() }, index)
    }

    /// Simple packet block: of the first interface, without a time.
    pub(super) fn simple(&mut self, window: Window<'_>, found: &mut Found, body: &[u8]) {
        let wire_len = self.order.word(body, 0);
        let Some(port) = self.interfaces.get(0).map(|p| *p) else {
            self.interfaces.unknown(window, found, 0);
            return;
        };
        let limit = if port.snaplen == 0 { u32::MAX } else { port.snaplen };
        let carried = body.len().saturating_sub(4) as u32;
        let len = wire_len.min(limit).min(carried);
        let frame = Carried { port, start: 4, len, wire_len, at_ns: self.last_ns };
        if fits(window, found, frame, body) {
            found.without_time += 1;
            self.lend(found, frame, Extra::default(), 0);
        }
    }

    fn extra(&self, found: &mut Found, bytes: &[u8]) -> Extra {
        let mut extra = Extra::default();
        for option in options::walk(self.order, bytes) {
            match option.code {
                EPB_FLAGS => extra.direction = direction(self.order.word(option.value, 0)),
                EPB_DROPCOUNT => extra.dropped = self.order.double(option.value, 0),
                _ => {}
            }
        }
        // Comments are kept apart, for they are rare: the block is walked once more only if it is going to be lent.
        if found.records.is_empty() || extra.dropped == 0 {
            options::walk(self.order, bytes).for_each(|o| options::note_comment(o, found));
        }
        extra
    }

    /// Adds a frame to those found; false if those must be lent first, for losses come before this one.
    fn lend(&mut self, found: &mut Found, frame: Carried, extra: Extra, index: u32) -> bool {
        if extra.dropped > 0 {
            if !found.records.is_empty() {
                return false;
            }
            if let Some(port) = self.interfaces.get(index) {
                port.lost = port.lost.saturating_add(extra.dropped);
            }
            found.lost.push(Lost { interface: frame.port.id, at_ns: frame.at_ns, count: extra.dropped });
        }
        self.last_ns = frame.at_ns;
        found.records.push(Record {
            start: found.consumed + BODY + frame.start,
            len: frame.len,
            wire_len: if frame.wire_len > MAX_WIRE { frame.len } else { frame.wire_len.max(frame.len) },
            at_ns: frame.at_ns,
            interface: frame.port.id,
            direction: extra.direction,
        });
        true
    }

    /// Interface statistics block: totals since the capture began, of which some may have been told with frames.
    pub(super) fn statistics(&mut self, found: &mut Found, body: &[u8]) -> bool {
        let order = self.order;
        let values = options::walk(order, body.get(12..).unwrap_or_default());
        let total = values
            .filter(|o| matches!(o.code, ISB_IFDROP | ISB_OSDROP))
            .fold(0_u64, |sum, o| sum.saturating_add(order.double(o.value, 0)));
        let at_ns = self.last_ns;
        let Some(port) = self.interfaces.get(order.word(body, 0)).filter(|p| total > p.lost) else { return true };
        if !found.records.is_empty() {
            return false;
        }
        let told = port.ns(order.word(body, 4), order.word(body, 8));
        let count = total - port.lost;
        port.lost = total;
        found.lost.push(Lost { interface: port.id, at_ns: if told == 0 { at_ns } else { told }, count });
        true
    }
}

/// Whether the frame lies within its block; damage otherwise.
fn fits(window: Window<'_>, found: &mut Found, frame: Carried, body: &[u8]) -> bool {
    let fits = frame.len <= MAX_FRAME && body.len() >= frame.start + frame.len as usize;
    if !fits {
        found.damage.push(Damage {
            offset: window.offset_at(found.consumed),
            expected: format!(
                "a frame of at most {} bytes",
                body.len().saturating_sub(frame.start).min(MAX_FRAME as usize)
            ),
            found: format!("one that claims {} bytes", frame.len),
            outcome: "the frame was passed over".to_owned(),
        });
    }
    fits
}

/// Lowest two bits of `epb_flags`.
fn direction(flags: u32) -> Direction {
    match flags & 3 {
        1 => Direction::In,
        2 => Direction::Out,
        _ => Direction::Unknown,
    }
}
