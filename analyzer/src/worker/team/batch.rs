//! Frames on their way to several workers: copied out of what the source lent, dealt out as they come.

use capture::{Direction, Frame, InterfaceId};

use crate::worker::burst::Moment;

/// Frames of a batch: enough for waiting on each other to cost little.
const FRAMES: usize = 16_384;
/// Bytes of a batch: its headers stay in a cache that all cores share.
const BYTES: usize = 4 << 20;

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
}

/// Frames for all workers. They are of one tick.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    hands: Vec<Vec<Held>>,
    frames: u32,
    /// Packet time reaches this before its first frame.
    pub(super) begins_ns: Option<u64>,
    /// Frames before it.
    pub(super) before: u64,
}

impl Batch {
    /// For so many workers; the memory is that of one whose frames are of no use any more.
    pub(super) fn renew(mut self, workers: usize) -> Self {
        self.bytes.clear();
        self.hands.resize_with(workers, Vec::new);
        self.hands.iter_mut().for_each(Vec::clear);
        Self { frames: 0, begins_ns: None, before: 0, ..self }
    }

    pub(super) fn is_full(&self) -> bool {
        self.frames as usize >= FRAMES || self.bytes.len() >= BYTES
    }

    /// Nothing to do in it.
    pub fn is_empty(&self) -> bool {
        self.frames == 0 && self.begins_ns.is_none()
    }

    /// Frames in it.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Takes a frame for a worker.
    pub(super) fn push(&mut self, frame: &Frame<'_>, worker: usize, moment: Moment) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(frame.bytes);
        let held = Held {
            at_ns: frame.at_ns,
            start,
            len: frame.bytes.len() as u32,
            wire_len: frame.wire_len,
            place: self.frames,
            stretch: moment.stretch,
            whole: u32::try_from(moment.whole).unwrap_or(u32::MAX),
            interface: frame.interface,
        };
        if self.frames == 0 {
            self.before = moment.frame;
        }
        self.frames += 1;
        if let Some(hand) = self.hands.get_mut(worker) {
            hand.push(held);
        }
    }

    /// The frames of a worker.
    pub(super) fn hand(&self, worker: usize) -> &[Held] {
        self.hands.get(worker).map_or(&[], Vec::as_slice)
    }

    pub(super) fn frame(&self, held: &Held) -> Frame<'_> {
        let start = held.start as usize;
        Frame {
            bytes: self.bytes.get(start..start + held.len as usize).unwrap_or_default(),
            at_ns: held.at_ns,
            wire_len: held.wire_len,
            interface: held.interface,
            direction: Direction::Unknown,
        }
    }
}
