//! What a capture file format does: find records in a window of bytes.

use crate::frame::{Direction, InterfaceId, LinkType};
use crate::source::Damage;

/// Frames that are walked, and lent, at once.
pub(super) const BATCH: usize = 256;
/// Longest captured frame in bytes: what tcpdump and Wireshark allow for Ethernet.
pub(super) const MAX_FRAME: u32 = 256 * 1024;
/// Longest frame on the wire in bytes that is believed: far above any segmentation offload.
pub(super) const MAX_WIRE: u32 = 16 * 1024 * 1024;
pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// A frame found in the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Where its bytes begin in the window.
    pub(super) start: usize,
    /// Captured bytes.
    pub(super) len: u32,
    pub(super) wire_len: u32,
    pub(super) at_ns: u64,
    /// Index of the interface within the file.
    pub(super) interface: InterfaceId,
    pub(super) direction: Direction,
}

/// An interface that the file describes, before the source gives it a number of its own.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) name: Option<String>,
    pub(super) link_type: LinkType,
    pub(super) speed_bps: Option<u64>,
    pub(super) snaplen: u32,
    pub(super) fcs_len: u8,
}

/// Frames that the file says were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// Index of the interface within the file.
    pub(super) interface: InterfaceId,
    pub(super) at_ns: u64,
    pub(super) count: u64,
}

/// What a walk over the window found.
#[derive(Default)]
pub(super) struct Found {
    /// Bytes of the window that were dealt with.
    pub(super) consumed: usize,
    pub(super) records: Vec<Record>,
    /// New interfaces; all precede the records.
    pub(super) interfaces: Vec<Described>,
    /// Losses; all precede the records.
    pub(super) lost: Vec<Lost>,
    pub(super) damage: Vec<Damage>,
    /// What people wrote into the file.
    pub(super) comments: Vec<String>,
    /// Frames that carry no time: they are lent with that of the frame before.
    pub(super) without_time: u64,
}

impl Found {
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= BATCH
    }
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Enough for a batch, or something to be said first: lend what was found, then walk on.
    Lend,
    /// The window must hold this many bytes from what was consumed on.
    Need(usize),
    /// Pass over this many bytes from what was consumed on.
    Skip(u64),
    /// There will be no more.
    End,
}

/// A window of bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) bytes: &'a [u8],
    /// Offset of its first byte in the file.
    pub(super) offset: u64,
    /// Whether the file ends with it.
    pub(super) last: bool,
}

impl<'a> Window<'a> {
    /// What is not yet consumed.
    pub(super) fn rest(&self, consumed: usize) -> &'a [u8] {
        self.bytes.get(consumed..).unwrap_or_default()
    }

    /// Offset in the file of the byte after those consumed.
    pub(super) fn offset_at(&self, consumed: usize) -> u64 {
        self.offset + consumed as u64
    }
}

/// A capture file format, after its file header.
pub(super) trait Format: Send {
    /// Finds records from the window's first byte on. Asked for [`Stop::Need`] more than the file has, it is called once
    /// more with what there is and `last` set.
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop;
}

/// What a file turned out to be.
pub(super) struct Identified {
    pub(super) format: Box<dyn Format>,
    /// Bytes of file header that precede what the format walks.
    pub(super) header_len: usize,
}

/// A file header that belongs to a format but can't be used.
pub(super) struct BadHeader {
    pub(super) format: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
}

/// Numbers in one of the two byte orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) big: bool,
}

impl Order {
    /// Two bytes at `at`; 0 where there are none.
    pub(super) fn half(self, bytes: &[u8], at: usize) -> u16 {
        let Some(two) = bytes.get(at..).and_then(|b| b.first_chunk::<2>()) else { return 0 };
        if self.big { u16::from_be_bytes(*two) } else { u16::from_le_bytes(*two) }
    }

    /// Four bytes at `at`; 0 where there are none.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> u32 {
        let Some(four) = bytes.get(at..).and_then(|b| b.first_chunk::<4>()) else { return 0 };
        if self.big { u32::from_be_bytes(*four) } else { u32::from_le_bytes(*four) }
    }

    /// Eight bytes at `at`; 0 where there are none.
    pub(super) fn double(self, bytes: &[u8], at: usize) -> u64 {
        let Some(eight) = bytes.get(at..).and_then(|b| b.first_chunk::<8>()) else { return 0 };
        if self.big { u64::from_be_bytes(*eight) } else { u64::from_le_bytes(*eight) }
    }
}
