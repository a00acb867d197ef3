//! What one link does, measured between two ticks. Measures only; detectors judge.

use super::line::Line;
use super::notes::{CLOSED, Hold, Notes, Passing, Run};
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
    /// Among several workers: its newest run, and until when pause frames hold its sender.
    run: u32,
    held_until_ns: u64,
}

impl Meter {
    /// A packet of `bytes` at `at_ns`.
    pub fn add(&mut self, at_ns: u64, bytes: u64) {
        let first = !self.touched || self.delta.packets == 0;
        self.touched = true;
        if first {
            self.delta.first_ns = at_ns;
        }
        self.comes(at_ns);
        self.delta.last_ns = self.delta.last_ns.max(at_ns);
        self.delta.packets += 1;
        self.delta.bytes += bytes;
        self.bins_100us.add(at_ns, bytes);
        self.bins_1ms.add(at_ns, bytes);
    }

    /// The same among several workers: sums stay here, the rest is noted.
    pub fn noted(&mut self, link: u32, packet: &Passing, notes: &mut Notes) {
        let first = !self.touched || self.delta.packets == 0;
        self.touched = true;
        if first {
            self.delta.first_ns = packet.at_ns;
        }
        self.last_ns = self.last_ns.max(packet.at_ns);
        self.delta.last_ns = self.delta.last_ns.max(packet.at_ns);
        self.delta.packets += 1;
        self.delta.bytes += u64::from(packet.bytes);
        self.delta.ect_packets += u64::from(packet.ecn != 0);
        self.delta.ce_packets += u64::from(packet.ecn == 3);
        let packet = Passing { held: packet.at_ns < self.held_until_ns, ..*packet };
        self.run = notes.passes(link, self.run, packet.at_ns - packet.at_ns % BIN_100US_NS, &packet);
    }

    /// Reads a note of another's packets.
    pub fn read(&mut self, run: &Run) {
        self.touched = true;
        if self.delta.packets == 0 {
            self.delta.first_ns = run.first_ns;
        }
        self.comes(run.first_ns);
        self.last_ns = self.last_ns.max(run.last_ns);
        self.delta.packets += u64::from(run.packets);
        self.bins_100us.add(run.first_ns, run.bytes);
        self.bins_1ms.add(run.first_ns, run.bytes);
        self.slots.run(run);
    }

    /// A pause frame, for the slots.
    pub fn pause_frame(&mut self, hold: &Hold) {
        self.slots.pause(hold.at_ns, hold.hold_ns, hold.holds);
    }

    /// A packet after a silence, which is one from [`IDLE_NS`] on.
    fn comes(&mut self, at_ns: u64) {
        let silent_ns = at_ns.saturating_sub(self.last_ns);
        if self.last_ns != 0 && silent_ns > IDLE_NS {
            self.idle.record(silent_ns);
            if silent_ns > self.delta.silent_ns_max {
                (self.delta.silent_ns_max, self.delta.silent_until_ns) = (silent_ns, at_ns);
            }
        }
        self.last_ns = self.last_ns.max(at_ns);
    }

    /// The same packet for the slots: who sent it, its ECN bits, whether it is a congestion notification.
    pub fn slot(&mut self, at_ns: u64, bytes: u64, source: u8, ecn: u8) {
        self.slots.packet(at_ns, bytes, source, ecn);
        self.delta.ect_packets += u64::from(ecn != 0);
        self.delta.ce_packets += u64::from(ecn == 3);
    }

    /// One of the packets was a congestion notification.
    pub fn cnp(&mut self, notes: Option<&mut Notes>) {
        self.delta.cnp_packets += 1;
        match notes {
            None => self.slots.cnp(),
            Some(notes) => notes.run(self.run).into_iter().for_each(|run| run.cnps += 1),
        }
    }

    /// What a line gathered within one bin, behind a packet that [`Meter::noted`] took.
    pub fn gathered_apart(&mut self, line: &Line, notes: &mut Notes) {
        self.sums(line);
        if let Some(run) = notes.run(self.run) {
            run.gathered(line);
        }
    }

    fn sums(&mut self, line: &Line) {
        let last_ns = line.last_ns();
        self.last_ns = self.last_ns.max(last_ns);
        self.delta.last_ns = self.delta.last_ns.max(last_ns);
        self.delta.packets += u64::from(line.packets);
        self.delta.bytes += line.bytes;
        self.delta.ect_packets += u64::from(line.ect);
    }

    /// What a line gathered within one bin, behind a packet that [`Meter::add`] took.
    pub fn gathered(&mut self, line: &Line) {
        self.sums(line);
        self.bins_100us.more(line.bytes);
        self.bins_1ms.more(line.bytes);
        self.slots.add(line.packets.into(), line.bytes, line.ect.into(), &line.sources);
    }

    /// A line for what follows `at_ns` within its bin, if nothing but sums changes there.
    pub fn line(&self, at_ns: u64) -> Line {
        let plain = self.last_ns == at_ns && self.slots.is_free(at_ns) && self.held_until_ns <= at_ns;
        if plain { Line::within(at_ns - at_ns % BIN_100US_NS, at_ns) } else { Line::CLOSED }
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

    /// Among several workers: what it noted has been handed over.
    pub fn close_run(&mut self) {
        self.run = CLOSED;
    }

    /// Among several workers: the sender is held, which all of them know.
    pub fn held(&mut self, hold: &Hold) {
        if let Some(ns) = hold.hold_ns {
            self.held_until_ns = hold.at_ns.saturating_add(ns);
        }
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
