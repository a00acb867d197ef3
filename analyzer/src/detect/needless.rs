//! Timeouts and whether they were called for. A receiver that acknowledges the same request twice had it the first time: the
//! sender's timer was too short, or one of the hosts stalled. The network lost nothing.

use std::collections::BTreeMap;

use crate::tick::{QpKey, Sign};

use super::View;
use super::symptom::moments;

/// A queue pair whose timeouts are being weighed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighed {
    /// Timeouts since it is weighed.
    pub timeouts: u64,
    /// Requests acknowledged twice since.
    pub again: u64,
    /// First timeout.
    pub first_ns: u64,
    /// Last timeout.
    pub last_ns: u64,
    /// Longest silence before one of them.
    pub silence_ns: u64,
}

impl Weighed {
    /// Timeouts that nothing explains but a loss.
    pub fn real(&self) -> u64 {
        self.timeouts.saturating_sub(self.again)
    }
}

/// Queue pairs weighed at once; of further ones every timeout counts at once.
const MAX_WEIGHED: usize = 65_536;

/// Keeps timeouts until the answers to the repeats have had time to come.
pub struct Needless {
    grace_ns: u64,
    weighed: BTreeMap<QpKey, Weighed>,
}

impl Needless {
    /// Waits so long for answers.
    pub fn new(grace_ns: u64) -> Self {
        Self { grace_ns, weighed: BTreeMap::new() }
    }

    /// Takes a tick; gives those whose time has passed.
    pub fn judge(&mut self, view: &View<'_>) -> Vec<(QpKey, Weighed)> {
        for qp in view.tick.qps.iter().filter(|q| q.roce.timeouts > 0) {
            if self.weighed.len() >= MAX_WEIGHED && !self.weighed.contains_key(&qp.key) {
                continue;
            }
            let (first, last) = moments(qp, &[Sign::Timeout]);
            let w = self.weighed.entry(qp.key).or_insert(Weighed { first_ns: first, ..Weighed::default() });
            w.timeouts += qp.roce.timeouts;
            w.last_ns = w.last_ns.max(last);
            w.silence_ns = w.silence_ns.max(qp.timeout_silence_ns_max);
        }
        for qp in view.tick.qps.iter().filter(|q| q.roce.acknowledged_again > 0) {
            if let Some(w) = self.weighed.get_mut(&qp.key) {
                w.again += qp.roce.acknowledged_again;
            }
        }
        let now = view.map.now_ns();
        let over = |w: &Weighed| {
            now >= w.last_ns.saturating_add(self.grace_ns) || now >= w.first_ns.saturating_add(4 * self.grace_ns)
        };
        let done: Vec<(QpKey, Weighed)> = self.weighed.iter().filter(|(_, w)| over(w)).map(|(k, w)| (*k, *w)).collect();
        self.weighed.retain(|_, w| !over(w));
        done
    }

    /// Everything that still waits.
    pub fn rest(&mut self) -> Vec<(QpKey, Weighed)> {
        std::mem::take(&mut self.weighed).into_iter().collect()
    }
}
