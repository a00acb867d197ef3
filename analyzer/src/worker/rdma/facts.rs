//! What one packet adds to the transport counters: the same for its queue pair and for its link.

use crate::tick::RoceCounters;

/// Facts about one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::worker) struct Facts(u16);

impl Facts {
    /// Request or response payload, or an atomic.
    pub const DATA: Self = Self(1);
    /// Sent before.
    pub const REPEAT: Self = Self(2);
    pub const GAP: Self = Self(4);
    pub const INVERSION: Self = Self(8);
    pub const TIMEOUT: Self = Self(0x10);
    pub const LOST_BEFORE_TAP: Self = Self(0x20);
    pub const NAK_SEQUENCE: Self = Self(0x40);
    pub const NAK_OTHER: Self = Self(0x80);
    pub const RNR: Self = Self(0x100);
    pub const ICRC_OK: Self = Self(0x200);
    pub const ICRC_BAD: Self = Self(0x400);
    pub const TRIMMED: Self = Self(0x800);

    /// What a packet is wherever it is seen, and not what happened at the place that showed it first.
    const OF_THE_PACKET: u16 =
        Self::DATA.0 | Self::REPEAT.0 | Self::NAK_SEQUENCE.0 | Self::NAK_OTHER.0 | Self::RNR.0 | Self::TRIMMED.0;

    pub fn has(self, fact: Self) -> bool {
        self.0 & fact.0 != 0
    }

    pub fn add(&mut self, fact: Self) {
        self.0 |= fact.0;
    }

    #[must_use]
    pub fn with(self, fact: Self) -> Self {
        Self(self.0 | fact.0)
    }

    /// As another link shows them: a copy there.
    #[must_use]
    pub fn of_a_copy(self) -> Self {
        Self(self.0 & Self::OF_THE_PACKET)
    }
}

impl RoceCounters {
    /// Counts the facts of a packet with `payload` bytes.
    #[inline]
    pub(in crate::worker) fn book(&mut self, facts: Facts, payload: u32) {
        // Nearly every packet is one of these two.
        if facts == Facts::DATA {
            self.data_packets += 1;
            self.useful_bytes += u64::from(payload);
        } else if facts != Facts::default() {
            self.book_all(facts, payload);
        }
    }

    fn book_all(&mut self, facts: Facts, payload: u32) {
        let one = |fact| u64::from(facts.has(fact));
        let bytes = u64::from(payload);
        if facts.has(Facts::DATA) {
            self.data_packets += 1;
            if !facts.has(Facts::REPEAT) || facts.has(Facts::LOST_BEFORE_TAP) {
                self.useful_bytes += bytes;
            }
        }
        if facts.has(Facts::REPEAT) {
            self.retransmitted += 1;
            self.retransmitted_bytes += bytes;
        }
        self.psn_gaps += one(Facts::GAP);
        self.inversions += one(Facts::INVERSION);
        self.timeouts += one(Facts::TIMEOUT);
        self.lost_before_tap += one(Facts::LOST_BEFORE_TAP);
        self.nak_sequence += one(Facts::NAK_SEQUENCE);
        self.nak_other += one(Facts::NAK_OTHER);
        self.rnr += one(Facts::RNR);
        self.icrc_checked += one(Facts::ICRC_OK) + one(Facts::ICRC_BAD);
        self.icrc_bad += one(Facts::ICRC_BAD);
        self.trimmed += one(Facts::TRIMMED);
    }
}
