//! Lets packet time pass at a chosen speed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use capture::Frame;

use crate::args::Pace;

/// Frames this close in packet time go together: a sleep is no finer.
const TOGETHER_NS: u64 = 1_000_000;
/// Longest sleep before looking whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// Where packet time stands against the wall.
pub struct Pacer {
    pace: Pace,
    begun: Option<(Instant, u64)>,
}

impl Pacer {
    /// Begins with the first frame.
    pub fn new(pace: Pace) -> Self {
        Self { pace, begun: None }
    }

    /// Packet time follows the wall.
    pub fn waits(&self) -> bool {
        matches!(self.pace, Pace::Times(_))
    }

    /// Hands a batch on when its time has come, in parts; how frames are batched changes no result.
    pub fn pass(&mut self, batch: &[Frame<'_>], stop: &AtomicBool, mut hand_on: impl FnMut(&[Frame<'_>])) {
        let Pace::Times(speed) = self.pace else { return hand_on(batch) };
        let mut rest = batch;
        while let Some(first) = rest.first() {
            let due = rest.iter().take_while(|f| f.at_ns.saturating_sub(first.at_ns) < TOGETHER_NS).count();
            let (now, later) = rest.split_at(due.max(1));
            self.wait_for(first.at_ns, speed, stop);
            hand_on(now);
            rest = later;
        }
    }

    fn wait_for(&mut self, at_ns: u64, speed: f64, stop: &AtomicBool) {
        let &mut (begun, first_ns) = self.begun.get_or_insert_with(|| (Instant::now(), at_ns));
        let passed_s = at_ns.saturating_sub(first_ns) as f64 / 1e9 / speed;
        // A leap of centuries in a damaged capture is no reason to wait for ever: such a duration does not convert.
        let Ok(passed) = Duration::try_from_secs_f64(passed_s) else { return };
        let Some(due) = begun.checked_add(passed) else { return };
        while !stop.load(Ordering::Relaxed) {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use capture::{Direction, InterfaceId};

    fn frame(at_ns: u64) -> Frame<'static> {
        Frame { bytes: &[], at_ns, wire_len: 0, interface: InterfaceId(0), direction: Direction::Unknown }
    }

    #[test]
    fn frames_come_in_order_and_take_their_time() {
        let frames: Vec<_> = [0, 500_000, 40_000_000, 40_100_000].map(frame).into();
        let mut pacer = Pacer::new(Pace::Times(2.0));
        let (begun, mut parts) = (Instant::now(), Vec::new());
        pacer.pass(&frames, &AtomicBool::new(false), |part| parts.push(part.len()));
        assert_eq!(parts, [2, 2]);
        assert!(begun.elapsed() >= Duration::from_millis(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn stopping_does_not_wait() {
        let frames: Vec<_> = [0, 3_600_000_000_000].map(frame).into();
        let begun = Instant::now();
        Pacer::new(Pace::Times(1.0)).pass(&frames, &AtomicBool::new(true), |_| {});
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}
