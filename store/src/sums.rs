//! Link ticks added up, and what is made of the sums: the same for every store.

use analyzer::fabric::mirror;
use analyzer::report::{Burst, Link, LinkRoce, Pfc, Quantiles};
use analyzer::tick::{LinkInfo, LinkTick, RoceCounters, SparseHistogram};

use crate::{Series, Window};

/// Most steps of one answer.
const MAX_STEPS: u64 = 10_000;

/// Steps of equal length over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub start_ns: u64,
    pub step_ns: u64,
    pub tick_ns: u64,
    pub len: usize,
}

impl Axis {
    /// At most `steps` steps, each a whole number of ticks and no shorter than the longest tick, so that no tick is split.
    pub fn new(window: Window, steps: u32, tick_ns: u64, longest_ns: u64) -> Self {
        let tick_ns = tick_ns.max(1);
        let start_ns = window.from_ns - window.from_ns % tick_ns;
        let length = if window.to_ns > window.from_ns { window.to_ns - start_ns } else { 0 };
        let steps = u64::from(steps).clamp(1, MAX_STEPS);
        let step_ns = length.div_ceil(steps).max(longest_ns).div_ceil(tick_ns).max(1).saturating_mul(tick_ns);
        Self { start_ns, step_ns, tick_ns, len: length.div_ceil(step_ns) as usize }
    }

    /// Which step a tick belongs to: the one in which it starts.
    pub fn step_of(&self, start_ns: u64) -> usize {
        let step = start_ns.saturating_sub(self.start_ns) / self.step_ns;
        (step as usize).min(self.len.saturating_sub(1))
    }

    /// No step measured yet.
    pub fn empty(&self) -> Vec<Option<LinkTick>> {
        vec![None; self.len]
    }

    fn per_second(&self) -> f64 {
        1e9 / self.step_ns as f64
    }
}

/// Adds one tick of a link to a sum, as far as answers need it: not its slots.
pub(crate) fn add(sum: &mut LinkTick, tick: &LinkTick) {
    sum.add_sums(tick);
    sum.rtt.merge(&tick.rtt);
}

/// Beyond its ticks, what a link's row says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// The mirror that shows it lets PFC through: a frame was seen on one of its links at any time.
    pub pfc_seen: bool,
    /// Flows seen on it in the window.
    pub flows: u64,
}

/// What a link is, without what it did.
pub(crate) fn identity(info: &LinkInfo) -> Link {
    Link {
        id: info.id.clone(),
        name: info.name.clone(),
        from: info.from.clone(),
        to: info.to.clone(),
        speed_bps: info.speed_bps,
        mirror: mirror(info.mirror, &info.tap),
        ..Link::default()
    }
}

/// The report's row of a link.
pub(crate) fn link(identity: Link, sum: &LinkTick, beside: Beside) -> Link {
    Link {
        packets: sum.packets,
        bytes: sum.bytes,
        first_ns: sum.first_ns,
        last_ns: sum.last_ns,
        ce_packets: sum.ce_packets,
        cnp_packets: sum.cnp_packets,
        pfc: Pfc {
            visible: if beside.pfc_seen { "yes" } else { "unknown" }.to_owned(),
            frames: sum.pfc_frames,
            // Quanta are bit times: without the speed of the link the time that they hold is not known.
            paused_ns: (beside.pfc_seen && identity.speed_bps.is_some()).then_some(sum.paused_ns),
        },
        rtt_ns: sum.rtt.quantiles(),
        roce: (sum.rdma_bytes > 0 || sum.roce != RoceCounters::default()).then(|| roce(&sum.roce, sum.rdma_packets)),
        burst: Burst {
            max_bps_1ms: sum.max_bytes_1ms.saturating_mul(8_000),
            max_bps_100us: sum.max_bytes_100us.saturating_mul(80_000),
            max_100us_at_ns: sum.max_100us_at_ns,
        },
        // One packet has no silence beside it.
        silent_ns_max: (sum.packets > 1).then_some(sum.silent_ns_max),
        flows: beside.flows,
        tcp_retransmitted: sum.tcp_retransmitted,
        ..identity
    }
}

fn roce(c: &RoceCounters, packets: u64) -> LinkRoce {
    LinkRoce {
        packets,
        data_packets: c.data_packets,
        retransmitted: c.retransmitted,
        nak_sequence: c.nak_sequence,
        rnr: c.rnr,
        timeouts: c.timeouts,
        psn_gaps: c.psn_gaps,
        inversions: c.inversions,
        icrc_checked: c.icrc_checked,
        icrc_bad: c.icrc_bad,
        lost_before_tap: c.lost_before_tap,
        lost_after_tap: c.lost_after_tap,
        duplicated: c.duplicated,
    }
}

/// A column over steps: `None` where no packet was seen.
fn column(steps: &[Option<LinkTick>], value: impl Fn(&LinkTick) -> Option<f64>) -> Vec<Option<f64>> {
    steps.iter().map(|s| s.as_ref().filter(|s| s.packets > 0).and_then(&value)).collect()
}

/// Mean rate per step.
pub(crate) fn bps(axis: &Axis, steps: &[Option<LinkTick>]) -> Vec<Option<f64>> {
    column(steps, |s| Some(s.bytes as f64 * 8.0 * axis.per_second()))
}

/// Worst 100 us bin per step.
pub(crate) fn max_bps_100us(steps: &[Option<LinkTick>]) -> Vec<Option<f64>> {
    column(steps, |s| Some(s.max_bytes_100us as f64 * 80_000.0))
}

/// Marked share of the packets that could be marked.
pub(crate) fn ce_share(steps: &[Option<LinkTick>]) -> Vec<Option<f64>> {
    column(steps, |s| (s.ect_packets > 0).then(|| s.ce_packets as f64 / s.ect_packets as f64))
}

fn paused_share(axis: &Axis, steps: &[Option<LinkTick>]) -> Vec<Option<f64>> {
    let share = |s: &LinkTick| s.paused_ns.iter().max().map(|&worst| (worst as f64 / axis.step_ns as f64).min(1.0));
    steps.iter().map(|s| s.as_ref().and_then(share)).collect()
}

/// All columns of one link. Pauses are known where its mirror lets PFC through and its speed is known.
pub(crate) fn series(axis: &Axis, steps: &[Option<LinkTick>], pauses_known: bool) -> Series {
    let quantiles: Vec<Option<Quantiles>> =
        steps.iter().map(|s| s.as_ref().map(|s| &s.rtt).and_then(SparseHistogram::quantiles)).collect();
    let rtt = |value: fn(&Quantiles) -> u64| quantiles.iter().map(|q| q.as_ref().map(|q| value(q) as f64)).collect();
    Series {
        start_ns: axis.start_ns,
        step_ns: axis.step_ns,
        tick_ns: axis.tick_ns,
        bps: bps(axis, steps),
        max_bps_1ms: column(steps, |s| Some(s.max_bytes_1ms as f64 * 8_000.0)),
        max_bps_100us: max_bps_100us(steps),
        packets: column(steps, |s| Some(s.packets as f64)),
        ce_share: ce_share(steps),
        cnp_packets: column(steps, |s| Some(s.cnp_packets as f64)),
        paused_share: if pauses_known { paused_share(axis, steps) } else { vec![None; steps.len()] },
        retransmitted: column(steps, |s| Some((s.roce.retransmitted + s.tcp_retransmitted) as f64)),
        rtt_p50: rtt(|q| q.p50),
        rtt_p90: rtt(|q| q.p90),
        rtt_p99: rtt(|q| q.p99),
        rtt_p999: rtt(|q| q.p999),
        rtt_count: rtt(|q| q.count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_whole_ticks_and_no_more_steps_than_asked() {
        let axis = Axis::new(Window { from_ns: 1_050, to_ns: 2_000 }, 3, 100, 200);
        assert_eq!((axis.start_ns, axis.step_ns, axis.len), (1_000, 400, 3));
        assert_eq!((axis.step_of(900), axis.step_of(1_399), axis.step_of(1_400)), (0, 0, 1));
        assert_eq!(Axis::new(Window { from_ns: 0, to_ns: u64::MAX }, 7, 100, 100).len, 7);
        assert_eq!(Axis::new(Window { from_ns: 5, to_ns: 5 }, 7, 100, 100).len, 0);
    }
}
