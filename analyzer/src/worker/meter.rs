//! What one link does, measured between two ticks. Measures only; detectors judge.

use super::line::Line;
use super::slots::{IDLE_NS, Slots};
use crate::sketch::Sketch;
use crate::tick::{LinkId, LinkTick};

pub(super) const BIN_100US_NS: u64 = 100_000;
const BIN_1MS_NS: u64 = 1_000_000;

/// Bytes in aligned bins of one length, keeping the largest.
#[derive(Debug, Default)]
struct Bins<const LENGTH_NS: u64> {
    start_ns: u64,
    bytes: u64,
    max: u64,
    max_at_ns: u64,
}

impl<const LENGTH_NS: u64> Bins<LENGTH_NS> {
    fn add(&mut self, at_ns: u64, bytes: u64) {
        if at_ns.wrapping_sub(self.start_ns) >= LENGTH_NS {
            self.start_ns = at_ns - at_ns % LENGTH_NS;
            self.bytes = 0;
        }
        self.more(bytes);
    }

    fn more(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes > self.max {
            self.max = self.bytes;
            self.max_at_ns = self.start_ns;
        }
    }

    fn take(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.max), std::mem::take(&mut self.max_at_ns))
    }
}

/// Pauses that hold the sender of a link direction (IEEE 802.1Qbb): per class until when.
#[derive(Debug, Default)]
struct Pauses {
    since_ns: [u64; 8],
    until_ns: [u64; 8],
}

/// Meter of one link direction.
#[derive(Debug, Default)]
pub(super) struct Meter {
    delta: LinkTick,
    rtt: Sketch,
    bins_100us: Bins<BIN_100US_NS>,
    bins_1ms: Bins<BIN_1MS_NS>,
    pauses: Pauses,
    slots: Slots,
    idle: Sketch,
    last_ns: u64,
    touched: bool,
}

impl Meter {
    /// A packet of `bytes` at `at_ns`.
    pub fn add(&mut self, at_ns: u64, bytes: u64) {
        let first = !self.touched || self.delta.packets == 0;
        self.touched = true;
        if first {
            self.delta.first_ns = at_ns;
        }
        if self.last_ns != 0 && at_ns > self.last_ns && at_ns - self.last_ns > IDLE_NS {
            self.idle.record(at_ns - self.last_ns);
        }
        if self.last_ns != 0 && at_ns > self.last_ns && at_ns - self.last_ns > self.delta.silent_ns_max {
            self.delta.silent_ns_max = at_ns - self.last_ns;
            self.delta.silent_until_ns = at_ns;
        }
        self.last_ns = self.last_ns.max(at_ns);
        self.delta.last_ns = self.delta.last_ns.max(at_ns);
        self.delta.packets += 1;
        self.delta.bytes += bytes;
        self.bins_100us.add(at_ns, bytes);
        self.bins_1ms.add(at_ns, bytes);
    }

    /// The same packet for the slots: who sent it, its ECN bits, whether it is a congestion notification.
    pub fn slot(&mut self, at_ns: u64, bytes: u64, source: u8, ecn: u8) {
        self.slots.packet(at_ns, bytes, source, ecn);
        self.delta.ect_packets += u64::from(ecn != 0);
        self.delta.ce_packets += u64::from(ecn == 3);
    }

    /// One of the packets was a congestion notification.
    pub fn cnp(&mut self) {
        self.delta.cnp_packets += 1;
        self.slots.cnp();
    }

    /// What a line gathered within one bin, behind a packet that [`Meter::add`] took.
    pub fn gathered(&mut self, line: &Line) {
        let last_ns = line.last_ns();
        self.last_ns = self.last_ns.max(last_ns);
        self.delta.last_ns = self.delta.last_ns.max(last_ns);
        self.delta.packets += u64::from(line.packets);
        self.delta.bytes += line.bytes;
        self.delta.ect_packets += u64::from(line.ect);
        self.bins_100us.more(line.bytes);
        self.bins_1ms.more(line.bytes);
        self.slots.add(line.packets.into(), line.bytes, line.ect.into(), &line.sources);
    }

    /// A line for what follows `at_ns` within its bin, if nothing but sums changes there.
    pub fn line(&self, at_ns: u64) -> Line {
        let plain = self.last_ns == at_ns && self.slots.is_free(at_ns);
        if plain { Line::within(at_ns - at_ns % BIN_100US_NS, at_ns, self.delta.silent_ns_max) } else { Line::CLOSED }
    }

    /// The newest packet; 0 without any.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Counters to add to; marks the link as touched.
    pub fn counters(&mut self) -> &mut LinkTick {
        self.touched = true;
        &mut self.delta
    }

    /// A round trip whose request went over this link.
    pub fn round_trip(&mut self, ns: u64) {
        self.touched = true;
        self.rtt.record(ns);
    }

    /// A pause frame of several classes: for the slots the class that is held longest counts.
    pub fn pause_frame(&mut self, at_ns: u64, quanta: &[Option<u16>], speed_bps: Option<u64>) {
        let longest = quanta.iter().flatten().max().copied();
        let speed_bps = speed_bps.filter(|&s| s > 0);
        let hold_ns = longest.zip(speed_bps).map(|(q, speed)| u64::from(q) * 512 * 1_000_000_000 / speed);
        self.slots.pause(at_ns, hold_ns, longest.is_some_and(|q| q > 0));
    }

    /// The sender of this direction is told to pause one class for `quanta` of 512 bit times; 0 ends a pause.
    pub fn pause(&mut self, at_ns: u64, class: usize, quanta: u16, speed_bps: Option<u64>) {
        self.touched = true;
        self.settle(at_ns, class);
        let Some(speed_bps) = speed_bps.filter(|&s| s > 0) else { return };
        let hold_ns = u64::from(quanta) * 512 * 1_000_000_000 / speed_bps;
        if let (Some(since), Some(until)) = (self.pauses.since_ns.get_mut(class), self.pauses.until_ns.get_mut(class)) {
            *since = at_ns;
            *until = at_ns + hold_ns;
        }
    }

    /// Books the pause time of a class up to `now_ns`.
    fn settle(&mut self, now_ns: u64, class: usize) {
        let slots =
            (self.pauses.since_ns.get_mut(class), self.pauses.until_ns.get(class), self.delta.paused_ns.get_mut(class));
        if let (Some(since), Some(&until), Some(booked)) = slots {
            let end = until.min(now_ns);
            if end > *since {
                *booked += end - *since;
                *since = end;
                self.touched = true;
            }
        }
    }

    /// What happened since the last call, or `None` where nothing did.
    pub fn take(&mut self, link: LinkId, end_ns: u64) -> Option<LinkTick> {
        for class in 0..8 {
            self.settle(end_ns, class);
        }
        let slots = self.slots.take(end_ns);
        if !std::mem::take(&mut self.touched) {
            return None;
        }
        let mut tick = std::mem::take(&mut self.delta);
        tick.link = link.0;
        tick.rtt = self.rtt.take();
        tick.idle = self.idle.take();
        tick.slots = slots;
        tick.max_bytes_1ms = self.bins_1ms.take().0;
        let (bytes, at_ns) = self.bins_100us.take();
        tick.max_bytes_100us = bytes;
        tick.max_100us_at_ns = at_ns;
        Some(tick)
    }
}
