//! Finer than a tick: what one link did in 10 ms, so that a finding's beginning is known better than a tick is long.

/// Length of a slot in ns.
pub const SLOT_NS: u64 = 10_000_000;
/// Most slots that one link tick carries; when ticks are merged beyond it, neighbours are joined and their length doubles.
pub const MAX_SLOTS: usize = 128;

/// One stretch of a link's time, 10 ms unless ticks were merged far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSlot {
    /// Start, aligned to [`SLOT_NS`].
    pub at_ns: u64,
    /// Length.
    pub length_ns: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Packets that are ECN capable or marked.
    pub ect_packets: u64,
    /// Packets marked CE.
    pub ce_packets: u64,
    /// First packet marked CE, 0 if none.
    pub ce_first_ns: u64,
    /// Last packet marked CE.
    pub ce_last_ns: u64,
    /// Congestion notification packets.
    pub cnp_packets: u64,
    /// PFC and PAUSE frames that tell this direction's sender to pause (those that let it go on not counted).
    pub pfc_frames: u64,
    /// Time that the most paused class was held.
    pub paused_ns: u64,
    /// When the longest hold of a class that reached into this slot began, 0 if none (it may have begun much earlier).
    pub held_since_ns: u64,
    /// Until when that hold had lasted within this slot.
    pub held_until_ns: u64,
    /// Packets that passed during that hold, in this slot.
    pub held_packets: u64,
    /// Most bytes in one aligned 100 us bin.
    pub max_bytes_100us: u64,
    /// Start of that bin.
    pub max_100us_at_ns: u64,
    /// Most sources that one 100 us bin held (counted by hash, exact for a few).
    pub max_senders_100us: u16,
    /// Start of that bin.
    pub max_senders_at_ns: u64,
    /// 100 us bins with at least one CE mark.
    pub ce_bins: u16,
    /// Most bytes in a 100 us bin with a CE mark.
    pub ce_max_bytes_100us: u64,
    /// Most sources in a 100 us bin with a CE mark.
    pub ce_max_senders_100us: u16,
}

impl LinkSlot {
    /// End, exclusive.
    pub fn end_ns(&self) -> u64 {
        self.at_ns.saturating_add(self.length_ns)
    }

    /// Adds a neighbour, or the same stretch from another worker.
    pub fn add(&mut self, other: &Self) {
        let end_ns = self.end_ns().max(other.end_ns());
        self.at_ns = self.at_ns.min(other.at_ns);
        self.length_ns = end_ns - self.at_ns;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.ect_packets += other.ect_packets;
        self.ce_packets += other.ce_packets;
        self.cnp_packets += other.cnp_packets;
        self.pfc_frames += other.pfc_frames;
        self.paused_ns += other.paused_ns;
        self.ce_bins = self.ce_bins.saturating_add(other.ce_bins);
        self.keep_extremes(other);
    }

    fn keep_extremes(&mut self, other: &Self) {
        if self.ce_first_ns == 0 || other.ce_first_ns != 0 && other.ce_first_ns < self.ce_first_ns {
            self.ce_first_ns = other.ce_first_ns;
        }
        self.ce_last_ns = self.ce_last_ns.max(other.ce_last_ns);
        if other.held_ns() > self.held_ns() {
            (self.held_since_ns, self.held_until_ns) = (other.held_since_ns, other.held_until_ns);
            self.held_packets = other.held_packets;
        }
        if other.max_bytes_100us > self.max_bytes_100us {
            (self.max_bytes_100us, self.max_100us_at_ns) = (other.max_bytes_100us, other.max_100us_at_ns);
        }
        if other.max_senders_100us > self.max_senders_100us {
            (self.max_senders_100us, self.max_senders_at_ns) = (other.max_senders_100us, other.max_senders_at_ns);
        }
        self.ce_max_bytes_100us = self.ce_max_bytes_100us.max(other.ce_max_bytes_100us);
        self.ce_max_senders_100us = self.ce_max_senders_100us.max(other.ce_max_senders_100us);
    }

    /// How long the longest hold had lasted.
    pub fn held_ns(&self) -> u64 {
        self.held_until_ns.saturating_sub(self.held_since_ns)
    }
}

/// Joins two lists of slots in order of time; too many are joined in pairs.
pub fn join(mine: &mut Vec<LinkSlot>, other: &[LinkSlot]) {
    mine.extend_from_slice(other);
    mine.sort_by_key(|s| s.at_ns);
    mine.dedup_by(|later, kept| {
        let same = later.at_ns == kept.at_ns;
        if same {
            kept.add(later);
        }
        same
    });
    while mine.len() > MAX_SLOTS {
        let halves = mine.chunks(2).map(|pair| {
            let mut sum = pair.first().copied().unwrap_or_default();
            pair.iter().skip(1).for_each(|s| sum.add(s));
            sum
        });
        *mine = halves.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(at: u64, packets: u64) -> LinkSlot {
        LinkSlot { at_ns: at * SLOT_NS, length_ns: SLOT_NS, packets, ..LinkSlot::default() }
    }

    #[test]
    fn the_same_slot_adds_and_others_stand_in_order() {
        let mut all = vec![slot(3, 5)];
        join(&mut all, &[slot(1, 1), slot(3, 2)]);
        assert_eq!(all.iter().map(|s| (s.at_ns / SLOT_NS, s.packets)).collect::<Vec<_>>(), [(1, 1), (3, 7)]);
    }

    #[test]
    fn too_many_are_joined_in_pairs_and_nothing_is_lost() {
        let mut all = Vec::new();
        let many: Vec<LinkSlot> = (0..300).map(|i| slot(i, 1)).collect();
        join(&mut all, &many);
        assert!(all.len() <= MAX_SLOTS);
        assert_eq!(all.iter().map(|s| s.packets).sum::<u64>(), 300);
        assert_eq!(all.last().map(LinkSlot::end_ns), Some(300 * SLOT_NS));
    }
}
