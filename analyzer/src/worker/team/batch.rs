//! Frames on their way to several workers, dealt out as they come: where they lie, if that may be kept, else a copy.

use std::sync::Arc;

use capture::{Direction, Frame, InterfaceId};

use crate::worker::burst::Moment;

/// Frames of a batch: enough for waiting on each other to cost little.
const FRAMES: usize = 8_192;
/// Bytes of a batch.
const BYTES: usize = 4 << 20;
/// Among the places of frames: the copies.
const COPIED: u16 = u16::MAX;

/// A frame in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    at_ns: u64,
    start: u32,
    len: u32,
    wire_len: u32,
    /// Frames of the batch before it.
    pub place: u32,
    pub stretch: u32,
    /// Frames of its tick before it that are whole; no tick has more than fit.
    pub whole: u32,
    interface: InterfaceId,
    /// Which of the bytes that are kept it lies in.
    lies_in: u16,
}

/// Frames for all workers. They are of one tick.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    copies: Vec<u8>,
    kept: Vec<Arc<Vec<u8>>>,
    hands: Vec<Vec<Held>>,
    frames: u32,
    bytes: usize,
    /// Packet time reaches this before its first frame.
    pub(super) begins_ns: Option<u64>,
    /// Frames before it.
    pub(super) before: u64,
}

impl Batch {
    /// For so many workers; the memory is that of one whose frames are of no use any more.
    pub(super) fn renew(mut self, workers: usize) -> Self {
        self.copies.clear();
        self.kept.clear();
        self.hands.resize_with(workers, Vec::new);
        self.hands.iter_mut().for_each(Vec::clear);
        Self { frames: 0, bytes: 0, begins_ns: None, before: 0, ..self }
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames as usize >= FRAMES || self.bytes >= BYTES
    }

    /// Frames that it may still take.
    pub(super) fn room(&self) -> usize {
        FRAMES.saturating_sub(self.frames as usize)
    }

    /// Nothing to do in it.
    pub fn is_empty(&self) -> bool {
        self.frames == 0 && self.begins_ns.is_none()
    }

    /// Frames in it.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Takes a frame for a worker; it may lie in bytes that can be kept.
    #[inline(always)]
    pub(super) fn push(&mut self, frame: &Frame<'_>, worker: usize, moment: Moment, lie_in: &[Arc<Vec<u8>>]) {
        let last = self.kept.len().wrapping_sub(1);
        let (lies_in, start) = match self.kept.get(last).and_then(|kept| within(kept, frame.bytes)) {
            Some(start) => (last as u16, start),
            None => self.find(frame.bytes, lie_in),
        };
        self.bytes += frame.bytes.len();
        let held = Held {
            at_ns: frame.at_ns,
            start,
            len: frame.bytes.len() as u32,
            wire_len: frame.wire_len,
            place: self.frames,
            stretch: moment.stretch,
            whole: u32::try_from(moment.whole).unwrap_or(u32::MAX),
            interface: frame.interface,
            lies_in,
        };
        if self.frames == 0 {
            self.before = moment.frame;
        }
        self.frames += 1;
        if let Some(hand) = self.hands.get_mut(worker) {
            hand.push(held);
        }
    }

    /// Where a frame lies from now on.
    #[cold]
    fn find(&mut self, bytes: &[u8], lie_in: &[Arc<Vec<u8>>]) -> (u16, u32) {
        let found = |all: &[Arc<Vec<u8>>]| all.iter().enumerate().find_map(|(n, kept)| Some((n, within(kept, bytes)?)));
        if let Some((n, start)) = found(&self.kept) {
            return (n as u16, start);
        }
        if let Some((n, start)) = found(lie_in).filter(|_| self.kept.len() < usize::from(COPIED)) {
            self.kept.extend(lie_in.get(n).cloned());
            return ((self.kept.len() - 1) as u16, start);
        }
        let start = self.copies.len() as u32;
        self.copies.extend_from_slice(bytes);
        (COPIED, start)
    }

    /// The frames of a worker.
    pub(super) fn hand(&self, worker: usize) -> &[Held] {
        self.hands.get(worker).map_or(&[], Vec::as_slice)
    }

    pub(super) fn frame(&self, held: &Held) -> Frame<'_> {
        let start = held.start as usize;
        let lies_in = self.kept.get(usize::from(held.lies_in)).map_or(&self.copies, |kept| &**kept);
        Frame {
            bytes: lies_in.get(start..start + held.len as usize).unwrap_or_default(),
            at_ns: held.at_ns,
            wire_len: held.wire_len,
            interface: held.interface,
            direction: Direction::Unknown,
        }
    }
}

/// Where in `all` a part of it begins; nothing, if it is no part of it.
#[inline(always)]
fn within(all: &[u8], part: &[u8]) -> Option<u32> {
    let start = part.as_ptr().addr().checked_sub(all.as_ptr().addr())?;
    (start + part.len() <= all.len()).then_some(start as u32)
}
