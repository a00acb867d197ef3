//! The contract between sources and whoever takes their frames.

use std::sync::Arc;

use crate::frame::{Frame, Interface, InterfaceId};

/// Takes what a [`Source`] lends.
pub trait Sink {
    /// A new interface: said once, before its first frame.
    fn interface(&mut self, interface: &Interface);
    /// Some of the frames that come next lie in these bytes: whoever keeps them keeps the frames without a copy, and the source reads
    /// on elsewhere. Said for the next call of [`Sink::frames`] only, and by sources that can do so.
    fn lie_in(&mut self, _bytes: &Arc<Vec<u8>>) {}
    /// Frames in the order of the source, at least one, valid for this call only.
    fn frames(&mut self, batch: &[Frame<'_>]);
    /// The capture says that it lost `count` frames on an interface at about `at_ns` (pcapng drop counts, kernel drops).
    fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64);
}

/// What a step of a source came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was lent or read; call again.
    More,
    /// Live: nothing to read just now.
    Idle,
    /// There will be no more.
    End,
}

/// Damage met while reading: everything before it was lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset in bytes within the (decompressed) input.
    pub offset: u64,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
    /// What was done: reading ended, or went on at a later offset.
    pub outcome: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at byte {}: expected {}, found {}; {}", self.offset, self.expected, self.found, self.outcome)
    }
}

/// One input of a source, as far as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// As the user gave it; `-` for standard input.
    pub path: String,
    /// Names of the link types met.
    pub link_types: Vec<String>,
    /// Frames lent.
    pub frames: u64,
    /// Their captured bytes.
    pub captured_bytes: u64,
    /// Frames that did not match the filter, and were not lent.
    pub filtered: u64,
    /// Frames that carry no time of their own (pcapng simple packet blocks): lent with that of the frame before.
    pub without_time: u64,
    /// Earliest frame.
    pub first_ns: Option<u64>,
    /// Latest frame.
    pub last_ns: Option<u64>,
    /// Frames the capture says it lost.
    pub dropped: u64,
    /// Comments found in the file (pcapng), control characters replaced; at most 16 of at most 256 characters.
    pub comments: Vec<String>,
    /// Bytes of the file read so far (compressed, where it is).
    pub read_bytes: u64,
    /// Size of the file; absent for standard input.
    pub size_bytes: Option<u64>,
    /// Damage met; at most 16, `damage_left_out` counts the rest.
    pub damage: Vec<Damage>,
    /// Damage beyond the first 16.
    pub damage_left_out: u64,
    /// How a live input is captured; absent for files.
    pub live: Option<Live>,
}

/// How an interface is captured from, and how it fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The mode taken.
    pub mode: String,
    /// Better modes that were not taken.
    pub refused: Vec<Refusal>,
    /// Receive queue, in modes that have them.
    pub queue: Option<u32>,
    /// Whether frames can arrive.
    pub state: LiveState,
    /// Times that the interface went down or away.
    pub outages: u64,
    /// Frames lost because the ring was full: the reader was too slow.
    pub lost_in_ring: u64,
    /// Frames lost because no buffer was free for them, or they did not fit one.
    pub lost_without_buffer: u64,
    /// Frames that the kernel dropped between the interface and the ring; told by the first source of each interface.
    pub lost_in_kernel: u64,
    /// Frames that the interface lost before the kernel had them; told by the first source of each interface.
    pub lost_by_interface: u64,
    /// Frames lent that the snap length cut.
    pub cut: u64,
    /// Times that a frame was stamped over a second earlier than one before it: the clock was set back.
    pub clock_steps: u64,
    /// Farthest that a batch's newest frame was stamped from this machine's clock at its arrival, in ns: what it waited for,
    /// or how much two clocks disagree.
    pub clock_apart_ns: u64,
    /// Last error of the receiver, in words.
    pub last_error: Option<String>,
    /// Memory, time stamps and the like, in words.
    pub notes: Vec<String>,
}

/// Whether an interface can receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveState {
    /// Up, and with a carrier.
    #[default]
    Up,
    /// Down, or without a carrier.
    Down,
    /// There is no such interface any more; it is waited for.
    Gone,
}

/// A mode of live capture that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub mode: String,
    /// Why.
    pub reason: String,
}

/// Lends frames.
pub trait Source: Send {
    /// Lends what is next to `sink`: some interfaces, at most one batch of frames.
    fn step(&mut self, sink: &mut dyn Sink) -> Step;
    /// Before a live source is put away: lends what lies in its ring and tells the losses not yet told, so that what was
    /// received and what was lost add up. Nothing for files.
    fn close(&mut self, _sink: &mut dyn Sink) {}
    /// The inputs and how far they are read.
    fn inputs(&self) -> Vec<Input>;
}
