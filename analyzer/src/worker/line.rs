//! What a link's plain packets change within one bin of 100 us, in one line of memory: sums, carried into the link's meter before
//! anything else looks at it.

use super::meter::BIN_100US_NS;
use super::slots::note_source;

/// One link direction within one bin.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line {
    start_ns: u64,
    pub bytes: u64,
    /// Newest packet, after the start; beyond the bin when the line is closed.
    last: u32,
    pub packets: u32,
    pub ect: u32,
    pub sources: [u64; 4],
}

impl Line {
    /// Nothing is gathered.
    pub const CLOSED: Self = Self { start_ns: 0, bytes: 0, last: u32::MAX, packets: 0, ect: 0, sources: [0; 4] };

    /// Open for packets of the bin that begins at `start_ns`, after one at `at_ns`.
    pub fn within(start_ns: u64, at_ns: u64) -> Self {
        Self { start_ns, last: (at_ns - start_ns) as u32, ..Self::CLOSED }
    }

    /// Newest packet.
    pub fn last_ns(&self) -> u64 {
        self.start_ns + u64::from(self.last)
    }

    /// The same; 0 when it is closed.
    pub fn newest_ns(&self) -> u64 {
        if self.last == u32::MAX { 0 } else { self.last_ns() }
    }

    /// Gathers a packet; `false` if that changes more than sums.
    #[inline(always)]
    pub fn gather(&mut self, at_ns: u64, bytes: u32, ect: bool, source: u8) -> bool {
        let since = at_ns.wrapping_sub(self.start_ns);
        // Within a bin no silence is longer than one; a time before the newest packet's goes the long way.
        if since >= BIN_100US_NS || since < u64::from(self.last) {
            return false;
        }
        self.last = since as u32;
        self.bytes += u64::from(bytes);
        self.packets += 1;
        self.ect += u32::from(ect);
        note_source(&mut self.sources, source);
        true
    }
}
