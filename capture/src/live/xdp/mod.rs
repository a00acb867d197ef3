//! AF_XDP (<https://docs.kernel.org/networking/af_xdp.html>): frames in memory of our own, filled by the driver or the kernel.
//!
//! Each queue has its socket and its memory, so that sources need no lock and recover alone; the program and the map that
//! leads to the sockets belong to the interface.

mod attachment;
mod rings;
mod socket;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use attachment::Attachment;

use crate::frame::{Direction, Frame, InterfaceId};
use crate::live::bpf::{Attach, STAMP_LEN, STAMP_MARK};
use crate::live::receiver::{Lost, Receiver};
use crate::live::sys;
use rings::Descriptor;
use socket::{CHUNK, Socket};

/// Frames of one batch.
const BATCH: usize = 256;
/// How often, and after how long, a busy queue or interface is tried again.
const RETRIES: usize = 25;
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Which of the AF_XDP modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) attach: Attach,
    pub(crate) zero_copy: bool,
    /// Frames of several buffers.
    pub(crate) multi_buffer: bool,
}

/// One queue of an interface.
pub(crate) struct Xdp {
    socket: Socket,
    /// Keeps the program attached.
    attachment: Arc<Mutex<Attachment>>,
    queue: u32,
    snaplen: usize,
    /// Descriptors of the frames being lent.
    taken: Vec<Descriptor>,
    /// Where frames of several buffers are put together.
    joined: Vec<u8>,
    stamps: Stamps,
}

/// A frame of the batch: its first descriptor and how many, its time, where it was joined.
struct Part {
    at: usize,
    len: usize,
    at_ns: u64,
    wire_len: u32,
    joined: Option<(usize, usize)>,
}

impl Xdp {
    /// Opens a queue; the first one attaches the program.
    pub(crate) fn open(
        attachment: &Arc<Mutex<Attachment>>,
        queue: u32,
        ring_bytes: usize,
        snaplen: u32,
    ) -> io::Result<Self> {
        let mut shared = attachment.lock().map_err(|_| io::Error::other("another queue's set-up failed"))?;
        let interface = shared.attach()?;
        let socket = Socket::open(interface, queue, shared.way(), ring_bytes)?;
        // Only now do frames arrive: the fill ring is full and the socket bound.
        shared.join(queue, socket.descriptor())?;
        drop(shared);
        Ok(Self {
            socket,
            attachment: Arc::clone(attachment),
            queue,
            snaplen: if snaplen == 0 { usize::MAX } else { snaplen as usize },
            taken: Vec::with_capacity(BATCH * 4),
            joined: Vec::new(),
            stamps: Stamps::new(),
        })
    }

    /// Divides the taken descriptors into frames, and joins those of several buffers as far as they are lent.
    fn parts(&mut self) -> Vec<Part> {
        self.joined.clear();
        let mut parts = Vec::with_capacity(BATCH);
        let mut at = 0;
        while let Some(first) = self.taken.get(at).copied() {
            let count = 1 + self.taken.iter().skip(at).take_while(|d| d.continues()).count();
            let buffers = self.taken.get(at..at + count).unwrap_or_default();
            let wire_len: u32 = buffers.iter().fold(0, |sum, d| sum.saturating_add(d.len));
            let at_ns = self.stamps.of(&mut self.socket, first);
            let len = (wire_len as usize).min(self.snaplen);
            let joined = (len > first.len as usize).then(|| {
                let from = self.joined.len();
                for buffer in buffers {
                    let room = len - (self.joined.len() - from);
                    let bytes = self.socket.bytes(*buffer);
                    self.joined.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
                (from, self.joined.len())
            });
            parts.push(Part { at, len, at_ns, wire_len, joined });
            at += count;
        }
        parts
    }

    fn frame<'a>(&'a self, part: &Part) -> Frame<'a> {
        let bytes = match part.joined {
            Some((from, to)) => self.joined.get(from..to).unwrap_or_default(),
            None => {
                let all = self.taken.get(part.at).map_or(&[][..], |d| self.socket.bytes(*d));
                all.get(..part.len).unwrap_or(all)
            }
        };
        let (at_ns, wire_len) = (part.at_ns, part.wire_len);
        Frame { bytes, at_ns, wire_len, interface: InterfaceId(0), direction: Direction::In }
    }
}

impl Receiver for Xdp {
    fn receive(&mut self, lend: &mut dyn FnMut(&mut Vec<Frame<'_>>)) -> io::Result<usize> {
        self.socket.take(BATCH, &mut self.taken);
        if self.taken.is_empty() {
            self.socket.wake_if_needed();
            return Ok(0);
        }
        self.stamps.begin_batch();
        let parts = self.parts();
        let mut frames: Vec<Frame<'_>> = parts.iter().map(|p| self.frame(p)).collect();
        lend(&mut frames);
        drop(frames);
        self.socket.give_back(&self.taken);
        Ok(parts.len())
    }

    fn stop(&mut self) {
        if let Ok(shared) = self.attachment.lock() {
            shared.leave(self.queue);
        }
    }

    fn lost(&mut self) -> io::Result<Lost> {
        let counted = self.socket.statistics()?;
        let starved = counted.rx_dropped + counted.rx_invalid_descs;
        Ok(Lost { ring: counted.rx_ring_full, starved, ..Lost::default() })
    }

    fn queue(&self) -> Option<u32> {
        Some(self.queue)
    }

    fn notes(&self) -> Vec<String> {
        let pages = if self.socket.huge_pages { "huge pages" } else { "pages of 4 KiB (no huge pages are free)" };
        let short = if self.socket.is_short { ", less than asked for: raise the limit of locked memory" } else { "" };
        let memory = format!("{} KiB for frames on {pages}{short}", self.socket.chunks() * CHUNK / 1024);
        let stamps = if self.stamps.seen { "a time stamp in each frame" } else { "one time per batch of frames" };
        vec![memory, stamps.to_owned()]
    }
}

/// The time of frames: from their metadata, else that of the batch.
struct Stamps {
    /// `CLOCK_TAI` is ahead of the wall clock by this.
    tai_ahead_ns: u64,
    batch_ns: u64,
    seen: bool,
}

impl Stamps {
    fn new() -> Self {
        let mut stamps = Self { tai_ahead_ns: 0, batch_ns: 0, seen: false };
        stamps.begin_batch();
        stamps
    }

    /// Reads the clocks once for a batch: a step of the wall clock shows in the frames from the next batch on.
    fn begin_batch(&mut self) {
        self.batch_ns = sys::clock_ns(libc::CLOCK_REALTIME);
        let ahead = sys::clock_ns(libc::CLOCK_TAI).saturating_sub(self.batch_ns);
        // The two clocks differ by whole seconds; the rest is the time between the calls.
        self.tai_ahead_ns = ahead / 1_000_000_000 * 1_000_000_000;
    }

    fn of(&mut self, socket: &mut Socket, descriptor: Descriptor) -> u64 {
        let stamp = socket.front_mut(descriptor, STAMP_LEN);
        let Some((mark, time)) = stamp.split_at_mut_checked(8) else { return self.batch_ns };
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b));
        if number(mark) != STAMP_MARK {
            return self.batch_ns;
        }
        self.seen = true;
        // The buffer will be used again: an old stamp must not be taken for a new one.
        mark.fill(0);
        number(time).saturating_sub(self.tai_ahead_ns)
    }
}
