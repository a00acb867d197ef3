//! What a capture file format does: find records in a window of bytes.

use crate::frame::{Direction, InterfaceId, LinkType};
use crate::source::Damage;

/// Frames that are walked, and lent, at once.
pub(super) const BATCH: usize = 256;
/// Longest captured frame in bytes: what tcpdump and Wireshark allow for Ethernet.
pub(super) const MAX_FRAME: u32 = 256 * 1024;

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
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Enough for a batch, or something to be said first: lend what was found, then walk on.
    Lend,
    /// The window must hold this many bytes from what was consumed on.
    Need(usize),
    #[allow(dead_code)]
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

/// A capture file format, after its file header.
pub(super) trait Format: Send {
    /// Finds records from the window's first byte on. Asked for [`Stop::Need`] more than the file has, it is called once
    /// more with what there is and `last` set.
    fn walk(&mut self, window: Window<'_>, found: &mut Found) -> Stop;
}
