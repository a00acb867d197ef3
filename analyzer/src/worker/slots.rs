//! A link's last tick in slots of 10 ms, and its bins of 100 us with their sources and marks. Measures only; detectors judge.

use super::notes::Run;
use crate::packet::Addr;
use crate::slot::{LinkSlot, SLOT_NS};

const BIN_NS: u64 = 100_000;
/// Gaps longer than this count as idleness of the link.
pub(super) const IDLE_NS: u64 = 100_000;

/// One 100 us bin.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    start_ns: u64,
    bytes: u64,
    packets: u64,
    ect_packets: u64,
    held_packets: u64,
    marked: bool,
    /// One bit per hashed source.
    sources: [u64; 4],
}

/// Slots of one link direction.
#[derive(Debug, Default)]
pub(super) struct Slots {
    now: LinkSlot,
    done: Vec<LinkSlot>,
    bin: Bin,
    hold: Hold,
    /// As several workers noted it: the frame that was the first one marked in the present slot.
    ce_frame: u64,
}

/// The present hold of the sender by pause frames, of whichever class is held longest.
#[derive(Clone, Copy, Debug, Default)]
struct Hold {
    since_ns: u64,
    until_ns: u64,
    booked_ns: u64,
}

impl Slots {
    /// A packet that the link carried.
    pub fn packet(&mut self, at_ns: u64, bytes: u64, source: u8, ecn: u8) {
        if at_ns.wrapping_sub(self.bin.start_ns) >= BIN_NS || self.now.length_ns == 0 {
            self.turn_bin(at_ns);
        }
        self.bin.bytes += bytes;
        note_source(&mut self.bin.sources, source);
        self.bin.packets += 1;
        self.bin.held_packets += u64::from(at_ns < self.hold.until_ns);
        self.bin.ect_packets += u64::from(ecn != 0);
        if ecn == 3 {
            self.bin.marked = true;
            self.now.ce_packets += 1;
            self.now.ce_last_ns = self.now.ce_last_ns.max(at_ns);
            if self.now.ce_first_ns == 0 {
                self.now.ce_first_ns = at_ns;
            }
        }
    }

    /// Packets of one bin, as a worker among several noted them.
    pub fn run(&mut self, run: &Run) {
        if run.first_ns.wrapping_sub(self.bin.start_ns) >= BIN_NS || self.now.length_ns == 0 {
            self.turn_bin(run.first_ns);
        }
        self.add(run.packets.into(), run.bytes, run.ect.into(), &run.sources);
        self.bin.held_packets += u64::from(run.held);
        self.now.cnp_packets += u64::from(run.cnps);
        if run.ce > 0 {
            self.bin.marked = true;
            self.now.ce_packets += u64::from(run.ce);
            self.now.ce_last_ns = self.now.ce_last_ns.max(run.ce_last_ns);
            if self.now.ce_first_ns == 0 || run.ce_frame < self.ce_frame {
                (self.now.ce_first_ns, self.ce_frame) = (run.ce_first_ns, run.ce_frame);
            }
        }
    }

    /// Packets of the present bin, counted elsewhere: `ect` of them ECN capable, none marked, none held.
    pub fn add(&mut self, packets: u64, bytes: u64, ect: u64, sources: &[u64; 4]) {
        self.bin.packets += packets;
        self.bin.bytes += bytes;
        self.bin.ect_packets += ect;
        for (own, more) in self.bin.sources.iter_mut().zip(sources) {
            *own |= more;
        }
    }

    /// No pause frame holds the sender at this time.
    pub fn is_free(&self, at_ns: u64) -> bool {
        self.hold.until_ns <= at_ns
    }

    /// Another bin than before. Within one, slots need not be looked at: they begin where bins do.
    fn turn_bin(&mut self, at_ns: u64) {
        self.turn(at_ns);
        if at_ns.wrapping_sub(self.bin.start_ns) >= BIN_NS {
            self.close_bin();
            self.bin = Bin { start_ns: at_ns - at_ns % BIN_NS, ..Bin::default() };
        }
    }

    /// A congestion notification passed.
    pub fn cnp(&mut self) {
        self.now.cnp_packets += 1;
    }

    /// A pause frame holds the sender for `hold_ns` from `at_ns`; 0 lets it go on.
    /// `None`: the link's speed, and so the time, is not known; `holds`: its quanta are not 0.
    pub fn pause(&mut self, at_ns: u64, hold_ns: Option<u64>, holds: bool) {
        self.turn(at_ns);
        self.now.pfc_frames += u64::from(holds);
        let Some(hold_ns) = hold_ns else { return };
        if at_ns > self.hold.until_ns {
            self.hold = Hold { since_ns: at_ns, until_ns: at_ns, booked_ns: at_ns };
        }
        self.hold.until_ns = at_ns.saturating_add(hold_ns);
    }

    /// Time passes: closes slots that have ended, books pauses into them.
    fn turn(&mut self, at_ns: u64) {
        if self.now.length_ns == 0 {
            self.now = empty(at_ns);
        }
        if at_ns < self.now.end_ns() {
            self.book_hold(at_ns);
            return;
        }
        self.close_bin();
        self.bin = Bin::default();
        while at_ns >= self.now.end_ns() {
            let end = self.now.end_ns();
            self.book_hold(end);
            if self.now.packets > 0 || self.now.pfc_frames > 0 || self.now.paused_ns > 0 {
                self.done.push(self.now);
            }
            let held = self.hold.until_ns > end;
            self.now = empty(if held { end } else { at_ns });
        }
        self.book_hold(at_ns);
    }

    fn book_hold(&mut self, now_ns: u64) {
        let end = self.hold.until_ns.min(now_ns).min(self.now.end_ns());
        if end <= self.hold.booked_ns || self.hold.until_ns <= self.hold.since_ns {
            return;
        }
        self.now.paused_ns += end - self.hold.booked_ns.max(self.now.at_ns).min(end);
        self.hold.booked_ns = end;
        if end - self.hold.since_ns >= self.now.held_ns() {
            (self.now.held_since_ns, self.now.held_until_ns) = (self.hold.since_ns, end);
        }
    }

    fn close_bin(&mut self) {
        let bin = self.bin;
        (self.bin.packets, self.bin.ect_packets, self.bin.held_packets) = (0, 0, 0);
        self.now.packets += bin.packets;
        self.now.bytes += bin.bytes;
        self.now.ect_packets += bin.ect_packets;
        self.now.held_packets += bin.held_packets;
        if bin.bytes == 0 {
            return;
        }
        let at_ns = bin.start_ns;
        let senders = bin.sources.iter().map(|w| w.count_ones()).sum::<u32>() as u16;
        if bin.bytes > self.now.max_bytes_100us {
            (self.now.max_bytes_100us, self.now.max_100us_at_ns) = (bin.bytes, at_ns);
        }
        if senders > self.now.max_senders_100us {
            (self.now.max_senders_100us, self.now.max_senders_at_ns) = (senders, at_ns);
        }
        if bin.marked {
            self.now.ce_bins += 1;
            self.now.ce_max_bytes_100us = self.now.ce_max_bytes_100us.max(bin.bytes);
            self.now.ce_max_senders_100us = self.now.ce_max_senders_100us.max(senders);
        }
        self.bin.bytes = 0;
    }

    /// The slots up to `end_ns`, which is the end of the tick.
    pub fn take(&mut self, end_ns: u64) -> Vec<LinkSlot> {
        if self.now.length_ns > 0 {
            self.turn(end_ns);
        }
        std::mem::take(&mut self.done)
    }
}

fn empty(at_ns: u64) -> LinkSlot {
    LinkSlot { at_ns: at_ns - at_ns % SLOT_NS, length_ns: SLOT_NS, ..LinkSlot::default() }
}

/// One bit per hashed source.
#[inline(always)]
pub(super) fn note_source(sources: &mut [u64; 4], source: u8) {
    sources[usize::from(source >> 6)] |= 1 << (source & 63);
}

/// 8 bits of an address: hosts of one fabric differ in their last bytes.
pub(super) fn hash(source: Addr) -> u8 {
    let [.., a, b, c, d, e, f, g, h] = source.0;
    let word = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn slots_count_packets_marks_and_sources() {
        let mut slots = Slots::default();
        for i in 0..10u64 {
            slots.packet(
                100 * MS + i * 2_000,
                1_000,
                hash(Addr::v4([10, 0, 0, (i % 5) as u8])),
                if i == 7 { 3 } else { 2 },
            );
        }
        slots.packet(125 * MS, 500, hash(Addr::v4([10, 0, 0, 9])), 0);
        let all = slots.take(200 * MS);
        assert_eq!(all.iter().map(|s| (s.at_ns / MS, s.packets)).collect::<Vec<_>>(), [(100, 10), (120, 1)]);
        let first = &all[0];
        assert_eq!((first.max_bytes_100us, first.max_senders_100us, first.ce_bins), (10_000, 5, 1));
        assert_eq!((first.ce_packets, first.ce_first_ns, first.ect_packets), (1, 100 * MS + 14_000, 10));
    }

    #[test]
    fn a_hold_reaches_over_slots_without_packets() {
        let mut slots = Slots::default();
        slots.packet(101 * MS, 1_000, 1, 0);
        for i in 0..50u64 {
            slots.pause((102 + i / 2) * MS + (i % 2) * MS / 2, Some(600_000), true);
        }
        slots.pause(127 * MS, Some(0), false);
        slots.packet(128 * MS, 1_000, 1, 0);
        let all = slots.take(200 * MS);
        assert_eq!(all.iter().map(|s| s.paused_ns).sum::<u64>(), 25 * MS);
        let longest = all.iter().max_by_key(|s| s.held_ns()).unwrap();
        assert_eq!(longest.held_since_ns, 102 * MS);
        assert_eq!(all.iter().map(|s| s.held_packets).sum::<u64>(), 0);
    }
}
