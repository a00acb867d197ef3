//! Shares over a sliding window, and time in words.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

use foldhash::fast::FixedState;

use crate::slot::LinkSlot;
use crate::text::thousands;
use crate::tick::LinkTick;

/// One stretch that counts into a share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// Start of the stretch.
    pub at_ns: u64,
    /// End.
    pub end_ns: u64,
    /// What is counted.
    pub some: f64,
    /// Out of how much.
    pub all: f64,
    /// First moment of what is counted.
    pub first_ns: u64,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Sum of what is counted.
    pub some: f64,
    /// Sum of what it is out of.
    pub all: f64,
    /// First moment of what is counted.
    pub first_ns: u64,
}

impl Sum {
    /// Share, 0 of nothing.
    pub fn share(&self) -> f64 {
        if self.all > 0.0 { self.some / self.all } else { 0.0 }
    }
}

/// Parts of a window, by subject. Subjects without parts in the window are forgotten, so that state is bounded by the window.
#[derive(Debug)]
pub struct Windows<K> {
    window_ns: u64,
    parts: HashMap<K, VecDeque<Part>, FixedState>,
}

impl<K: Hash + Eq> Windows<K> {
    /// Windows of a length.
    pub fn new(window_ns: u64) -> Self {
        Self { window_ns: window_ns.max(1), parts: HashMap::default() }
    }

    /// Adds a part; gives the window that ends with it.
    pub fn add(&mut self, key: K, part: Part) -> Sum {
        // Nothing out of nothing changes no sum: most links never pause and carry no marks.
        let is_empty = part.some == 0.0 && part.all == 0.0;
        if is_empty && !self.parts.contains_key(&key) {
            return Sum { some: 0.0, all: 0.0, first_ns: part.at_ns };
        }
        let parts = self.parts.entry(key).or_default();
        if !is_empty {
            parts.push_back(part);
        }
        let from = part.end_ns.saturating_sub(self.window_ns);
        while parts.front().is_some_and(|p| p.end_ns <= from) {
            parts.pop_front();
        }
        let first = parts.iter().filter(|p| p.some > 0.0).map(|p| p.first_ns.max(1)).min();
        Sum {
            some: parts.iter().map(|p| p.some).sum(),
            all: parts.iter().map(|p| p.all).sum(),
            first_ns: first.unwrap_or(part.at_ns),
        }
    }

    /// Forgets subjects whose window has passed.
    pub fn forget(&mut self, now_ns: u64) {
        let from = now_ns.saturating_sub(self.window_ns);
        self.parts.retain(|_, parts| parts.back().is_some_and(|p| p.end_ns > from));
    }
}

/// Runs of stretches that all show the same thing, by subject; a run ends with a pause longer than `gap_ns`.
#[derive(Debug)]
pub struct Runs<K> {
    gap_ns: u64,
    runs: BTreeMap<K, (u64, u64)>,
}

impl<K: Ord> Runs<K> {
    /// Runs that survive pauses up to a length.
    pub fn new(gap_ns: u64) -> Self {
        Self { gap_ns, runs: BTreeMap::new() }
    }

    /// A stretch shows it: the run's beginning, and its length up to now.
    pub fn hit(&mut self, key: K, since_ns: u64, end_ns: u64) -> (u64, u64) {
        let run = self.runs.entry(key).or_insert((since_ns, end_ns));
        if since_ns > run.1.saturating_add(self.gap_ns) {
            *run = (since_ns, end_ns);
        }
        run.1 = run.1.max(end_ns);
        (run.0, run.1.saturating_sub(run.0))
    }

    /// Forgets runs that have ended.
    pub fn forget(&mut self, now_ns: u64) {
        let gap_ns = self.gap_ns;
        self.runs.retain(|_, run| now_ns <= run.1.saturating_add(gap_ns.max(1_000_000_000)));
    }
}

/// Share of a link's speed that a slot used: bytes and, for each frame, FCS, preamble and gap (IEEE 802.3, 24 bytes).
pub fn utilisation(slot: &LinkSlot, speed_bps: u64) -> f64 {
    let bits = (slot.bytes + slot.packets * 24) as f64 * 8.0;
    bits * 1e9 / (slot.length_ns.max(1) as f64 * speed_bps.max(1) as f64)
}

/// Share of a link's speed that the busiest 100 us bin of so many bytes used. Frames are taken as large.
pub fn of_100us(bytes: u64, speed_bps: u64) -> f64 {
    bytes as f64 * 8.0 * 1e4 / speed_bps.max(1) as f64
}

/// A link tick's slots; the tick as one slot where its worker gave none.
pub fn slots(link: &LinkTick, start_ns: u64, end_ns: u64) -> Cow<'_, [LinkSlot]> {
    if !link.slots.is_empty() {
        return Cow::Borrowed(&link.slots);
    }
    let marked = link.ce_packets > 0;
    Cow::Owned(vec![LinkSlot {
        at_ns: start_ns,
        length_ns: end_ns.saturating_sub(start_ns),
        packets: link.packets,
        bytes: link.bytes,
        ect_packets: link.ect_packets,
        ce_packets: link.ce_packets,
        ce_first_ns: if marked { link.first_ns } else { 0 },
        ce_last_ns: if marked { link.last_ns } else { 0 },
        cnp_packets: link.cnp_packets,
        pfc_frames: link.pfc_frames,
        paused_ns: link.paused_ns.into_iter().max().unwrap_or(0),
        max_bytes_100us: link.max_bytes_100us,
        max_100us_at_ns: link.max_100us_at_ns,
        ..LinkSlot::default()
    }])
}

/// `1.5 s`, `25 ms`, `340 us`, `12 ns`.
pub fn duration(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        1_000_000_000.. => format!("{} s", trim(value / 1e9)),
        1_000_000.. => format!("{} ms", trim(value / 1e6)),
        1_000.. => format!("{} us", trim(value / 1e3)),
        _ => format!("{ns} ns"),
    }
}

/// Three figures at most, no trailing zeros.
pub fn trim(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// `12 %`, `0.3 %`, `0.002 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value > 0.0 && value < 0.01 { format!("{value:.1e} %") } else { format!("{} %", trim(value)) }
}

/// `1 packet`, `7 packets`, `6,935 packets`.
pub fn count(n: f64, one: &str) -> String {
    let many = if one.ends_with('s') { "" } else { "s" };
    if n == 1.0 { format!("1 {one}") } else { format!("{} {one}{many}", whole(n)) }
}

/// A whole number with its thousands apart: `6,935`.
pub fn whole(n: f64) -> String {
    thousands(&format!("{n:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_forgets_what_left_it() {
        let mut windows = Windows::new(100);
        let part = |at_ns, some| Part { at_ns, end_ns: at_ns + 10, some, all: 10.0, first_ns: at_ns + 1 };
        assert_eq!(windows.add(1, part(0, 5.0)).share(), 0.5);
        let sum = windows.add(1, part(50, 0.0));
        assert_eq!((sum.share(), sum.first_ns), (0.25, 1));
        assert_eq!(windows.add(1, part(150, 1.0)).first_ns, 151);
        windows.forget(300);
        assert!(windows.parts.is_empty());
    }

    #[test]
    fn times_and_shares_read_well() {
        assert_eq!(
            ["1.5 s", "25 ms", "340 us", "12 ns"].map(str::to_owned),
            [1_500_000_000, 25_000_000, 340_000, 12].map(duration)
        );
        assert_eq!(
            (percent(0.123), percent(0.00001), percent(0.0)),
            ("12.3 %".into(), "1.0e-3 %".into(), "0 %".into())
        );
        assert_eq!((count(1.0, "packet"), count(3.0, "packet")), ("1 packet".into(), "3 packets".into()));
        assert_eq!(
            [999.0, 6_935.0, 1_234_567.0].map(|n| count(n, "packet")),
            ["999 packets", "6,935 packets", "1,234,567 packets"]
        );
    }
}
