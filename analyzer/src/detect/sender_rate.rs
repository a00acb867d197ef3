//! How fast each host puts a message on the wire, against its own past and its peers: shows a host's link that became slower
//! where no queue with marks stands before it (a shaper, a link that trained down, an adapter with fewer lanes).
//!
//! An adapter sends the packets of a message back to back, so that the rate within a message does not depend on what the
//! program does. Messages that overlap others of the host share its link and are left out; so is a host that was told to slow
//! down, or that repeats.

use std::collections::{BTreeMap, VecDeque};

use crate::packet::Addr;
use crate::tick::{LinkId, Message};

use super::View;

/// Messages in a row that must all be slow.
const ROW: usize = 8;
/// Messages of the past that give a rate to compare with.
const MIN_PAST: usize = 20;
/// Rates remembered.
const MAX_PAST: usize = 128;
/// Shorter messages have too few packets to show a rate.
const MIN_BYTES: u64 = 16_384;
/// A ceiling holds all messages of the row alike: the fastest is at most this many times as fast as the slowest.
const ALIKE: f64 = 1.5;
/// A peer at this share of its own past goes on as before.
const STEADY: f64 = 0.8;
/// After a sign of congestion a sender is slow for good reason for so long.
const EXCUSED_NS: u64 = 1_000_000_000;
/// Hosts and sizes followed; further ones are not judged by this.
const MAX_HOSTS: usize = 16_384;

#[derive(Clone, Copy, Debug)]
struct Sent {
    bps: f64,
    start_ns: u64,
    end_ns: u64,
    alone: bool,
}

#[derive(Debug, Default)]
struct Host {
    pending: Option<Sent>,
    row: VecDeque<Sent>,
    past: VecDeque<f64>,
    excused_ns: u64,
}

/// A host whose messages became slower.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    /// The link from the host.
    pub link: LinkId,
    /// First packet of the first slow message in the row.
    pub since_ns: u64,
    /// Last packet of the last one.
    pub last_ns: u64,
    /// Fastest of the row.
    pub bps: f64,
    /// Median of the past.
    pub before_bps: f64,
}

/// Follows all hosts.
#[derive(Debug, Default)]
pub(super) struct SenderRates {
    /// By host and size of message: messages of other sizes come from other exchanges.
    hosts: BTreeMap<(Addr, u64), Host>,
}

impl SenderRates {
    /// Takes a tick; gives hosts that got no faster than `share` of their past, while others did.
    pub fn judge(&mut self, view: &View<'_>, share: f64) -> Vec<Slow> {
        self.excuse(view);
        for message in &view.tick.messages {
            let key = (message.key.src, message.bytes);
            if let Some(host) = self.hosts.get_mut(&key) {
                host.take(message, share);
            } else if self.hosts.len() < MAX_HOSTS {
                self.hosts.entry(key).or_default().take(message, share);
            }
        }
        let sending = |host: &Addr| {
            let link = view.map.from_host(*host)?;
            view.tick.links.iter().any(|l| l.link == link.0 && l.packets > 0).then_some(link)
        };
        let slow = self.hosts.iter().filter(|(_, h)| h.slow(share));
        slow.filter(|(key, host)| self.others_go_on(&key.0, host))
            .filter_map(|(key, host)| host.told(sending(&key.0)?))
            .collect()
    }

    /// Marks, notifications, repeats and pauses explain a slow sender.
    fn excuse(&mut self, view: &View<'_>) {
        let now_ns = view.map.now_ns();
        let mut excused = Vec::new();
        for qp in &view.tick.qps {
            if qp.ce_packets + qp.roce.retransmitted + qp.roce.rnr + qp.roce.trimmed > 0 {
                excused.push(qp.key.src);
            }
            if qp.cnp_packets + qp.roce.rnr > 0 {
                excused.push(qp.key.dst);
            }
        }
        let paused = view.tick.links.iter().filter(|l| l.pfc_frames > 0);
        excused.extend(paused.filter_map(|l| view.map.info(LinkId(l.link))?.host));
        for host in excused {
            let of_host = self.hosts.range_mut((host, 0)..=(host, u64::MAX));
            of_host.for_each(|(_, host)| host.excused_ns = now_ns);
        }
    }

    fn others_go_on(&self, slow: &Addr, host: &Host) -> bool {
        let since_ns = host.row.front().map_or(0, |s| s.start_ns);
        let judged = |((addr, _), h): &(&(Addr, u64), &Host)| {
            addr != slow && h.row.back().is_some_and(|s| s.end_ns > since_ns) && h.share().is_some()
        };
        let others: Vec<bool> =
            self.hosts.iter().filter(judged).map(|(_, h)| h.share().is_some_and(|s| s >= STEADY)).collect();
        let steady = others.iter().filter(|s| **s).count();
        steady > 0 && steady * 2 >= others.len()
    }
}

impl Host {
    fn take(&mut self, message: &Message, share: f64) {
        let fits = message.whole && message.count == 1 && message.repeated == 0 && message.bytes >= MIN_BYTES;
        if !fits || message.end_ns <= message.start_ns {
            return;
        }
        let bps = message.bytes as f64 * 8e9 / (message.end_ns - message.start_ns) as f64;
        let mut sent = Sent { bps, start_ns: message.start_ns, end_ns: message.end_ns, alone: true };
        if let Some(before) = &mut self.pending
            && sent.start_ns < before.end_ns
        {
            (sent.alone, before.alone) = (false, false);
            sent.end_ns = sent.end_ns.max(before.end_ns);
        }
        if let Some(before) = self.pending.replace(sent).filter(|s| s.alone) {
            self.push(before, share);
        }
    }

    fn push(&mut self, sent: Sent, share: f64) {
        let slow = self.slow(share);
        self.row.push_back(sent);
        if self.row.len() <= ROW {
            return;
        }
        // What is slow is no part of the past.
        if let Some(old) = self.row.pop_front().filter(|_| !slow) {
            self.past.push_back(old.bps);
        }
        if self.past.len() > MAX_PAST {
            self.past.pop_front();
        }
    }

    fn before_bps(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.past.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().filter(|_| sorted.len() >= MIN_PAST)
    }

    /// The fastest of a row that a ceiling holds.
    fn ceiling(&self) -> Option<f64> {
        let rates = || self.row.iter().map(|s| s.bps);
        let (least, most) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        (self.row.len() == ROW && most <= least * ALIKE).then_some(most)
    }

    /// Median of the row against the past.
    fn share(&self) -> Option<f64> {
        let mut row: Vec<f64> = self.row.iter().map(|s| s.bps).collect();
        row.sort_by(f64::total_cmp);
        Some(row.get(row.len() / 2)? / self.before_bps()?)
    }

    fn slow(&self, share: f64) -> bool {
        let since_ns = self.row.front().map_or(0, |s| s.start_ns);
        let excused = since_ns < self.excused_ns.saturating_add(EXCUSED_NS) && self.excused_ns > 0;
        let below = self.ceiling().zip(self.before_bps()).is_some_and(|(now, before)| now < before * share);
        below && !excused
    }

    fn told(&self, link: LinkId) -> Option<Slow> {
        let (first, last) = (self.row.front()?, self.row.back()?);
        let (bps, before_bps) = (self.ceiling()?, self.before_bps()?);
        Some(Slow { link, since_ns: first.start_ns, last_ns: last.end_ns, bps, before_bps })
    }
}
