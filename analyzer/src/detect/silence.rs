//! Which links are silent against their habit, and what waits for them. Shared by the detectors that judge silence.

use std::collections::BTreeSet;

use crate::by_link::ByLink;
use crate::packet::Addr;
use crate::sketch::Latency;
use crate::tick::{LinkId, LinkInfo, LinkTick, QpKey};

use super::View;
use super::config::Knobs;
use super::failover;
use super::needless::{Needless, Weighed};

/// What one link used to do, and what happened since it last carried a packet.
#[derive(Default)]
struct Habit {
    packets: u64,
    idle: Latency,
    /// Of `idle`: percentile 0.999 and count, worked out when gaps are added.
    usual_ns: u64,
    gaps: u64,
    moved: u64,
    timeouts: u64,
    /// Timeouts and flows count from here.
    since_ns: u64,
    /// When the first request that went unanswered was sent; 0: none.
    asked_ns: u64,
    /// The longest silence that ended lately, until the answers to what was repeated in it have come.
    ended: Option<Ended>,
}

/// A silence of a host that is over.
#[derive(Clone, Copy)]
struct Ended {
    since_ns: u64,
    until_ns: u64,
}

/// A link that is silent now.
#[derive(Clone, Copy, Debug)]
pub struct Silent {
    /// Which.
    pub link: LinkId,
    /// Its last packet.
    pub since_ns: u64,
    /// Until when: now, or when it ended.
    pub until_ns: u64,
    /// For how long.
    pub silence_ns: u64,
    /// The silence that its habit allows.
    pub allowed_ns: u64,
    /// Longest idle gap of its habit.
    pub usual_ns: u64,
    /// Flows that left it since.
    pub moved: u64,
    /// Timeouts of what used it, or of what waits for its host, since.
    pub timeouts: u64,
}

impl Silent {
    /// Does anything wait for it?
    pub fn waits(&self) -> bool {
        self.moved > 0 || self.timeouts > 0
    }
}

/// Follows the habits of all links.
pub struct Silence {
    min_ns: u64,
    factor: f64,
    min_packets: u64,
    unanswered: u64,
    min_gaps: u64,
    habits: ByLink<Habit>,
    needless: Needless,
    /// Timeouts after a loss that may still prove a silence.
    lost: Vec<(QpKey, Weighed)>,
}

/// Most of them; the oldest go.
const MAX_LOST: usize = 1024;
/// Time for a second acknowledgement to show that a repeat was needless.
const GRACE_NS: u64 = 300_000_000;

impl Silence {
    /// With the thresholds of the detector that uses it.
    pub fn new(knobs: &Knobs) -> Self {
        Self {
            min_ns: knobs.ns("min_silence_ms"),
            factor: knobs.get("gap_factor").max(1.0),
            min_packets: knobs.count("min_packets"),
            unanswered: knobs.count("unanswered_timeouts").max(1),
            min_gaps: knobs.count("min_gaps"),
            habits: ByLink::default(),
            needless: Needless::new(GRACE_NS),
            lost: Vec::new(),
        }
    }

    /// Links silent at the end of a tick, and hosts of which it is clear now that they were.
    pub fn judge(&mut self, view: &View<'_>) -> Vec<Silent> {
        self.gather(view);
        let mut silent: Vec<Silent> = view.map.links().filter_map(|info| self.silent(view, info)).collect();
        let weighed = self.needless.judge(view);
        silent.extend(self.was_silent(view, &weighed));
        view.tick.links.iter().for_each(|l| self.learn(l));
        silent
    }

    /// Links silent between two ticks. What waits for a link that spoke since the last tick is for the next one to say.
    pub fn look(&self, view: &View<'_>) -> Vec<Silent> {
        let spoke = |link| self.habits.get(link).is_some_and(|h| view.map.last_ns(link) > h.since_ns);
        let silent = view.map.links().filter_map(|info| self.silent(view, info));
        silent.filter(|s| !(s.waits() && spoke(s.link))).collect()
    }

    fn gather(&mut self, view: &View<'_>) {
        for link in view.tick.links.iter().filter(|l| l.packets > 0) {
            let Some(habit) = self.habits.made(LinkId(link.link)) else { continue };
            let ended = Ended {
                since_ns: link.silent_until_ns.saturating_sub(link.silent_ns_max),
                until_ns: link.silent_until_ns,
            };
            if link.silent_ns_max >= self.min_ns && ended.outlasts(habit.ended) {
                habit.ended = Some(ended);
            }
            (habit.moved, habit.timeouts, habit.asked_ns, habit.since_ns) = (0, 0, 0, link.last_ns);
        }
        for qp in view.tick.qps.iter().filter(|q| q.roce.timeouts > 0) {
            let last = qp.witnesses.iter().map(|w| w.at_ns).max().unwrap_or(qp.last_ns);
            // The receiver's own link when it does not answer; the flow's link when nothing passes it.
            for link in [view.map.from_host(qp.key.dst), Some(qp.link)].into_iter().flatten() {
                if let Some(habit) = self.habits.get_mut(link).filter(|h| last > h.since_ns) {
                    habit.timeouts += qp.roce.timeouts;
                    let asked = last.saturating_sub(qp.timeout_silence_ns_max);
                    habit.asked_ns = if habit.asked_ns == 0 { asked } else { habit.asked_ns.min(asked) };
                }
            }
        }
        for flow_move in failover::moves(view) {
            if let Some(habit) = self.habits.get_mut(flow_move.from).filter(|h| flow_move.first_on_to_ns > h.since_ns) {
                habit.moved += 1;
            }
        }
    }

    fn silent(&self, view: &View<'_>, info: &LinkInfo) -> Option<Silent> {
        let (since_ns, now) = (view.map.last_ns(info.link), view.map.now_ns());
        let silence_ns = now.saturating_sub(since_ns);
        if silence_ns < self.min_ns {
            return None;
        }
        let habit = self.habits.get(info.link)?;
        let usual_ns = habit.usual_ns;
        let allowed_ns = self.min_ns.max((usual_ns as f64 * self.factor) as u64);
        let no_answer = info.host.is_some() && !info.to_host && habit.timeouts >= self.unanswered;
        let against_habit = habit.packets >= self.min_packets && silence_ns >= allowed_ns;
        // Without anything that waits, only a link with a settled rhythm is missed.
        let missed = habit.moved + habit.timeouts > 0 || habit.gaps > 0 && habit.gaps >= self.min_gaps;
        let is = (no_answer || against_habit && missed) && busy_beside(view, info, since_ns);
        let allowed_ns = if against_habit { allowed_ns } else { self.min_ns };
        // By missing answers alone, it is silent from the first request that got none.
        let since_ns = if against_habit { since_ns } else { since_ns.max(habit.asked_ns) };
        let (moved, timeouts, until_ns) = (habit.moved, habit.timeouts, now);
        let silent = Silent { link: info.link, since_ns, until_ns, silence_ns, allowed_ns, usual_ns, moved, timeouts };
        is.then_some(silent)
    }

    /// Hosts that sent nothing while requests to them were lost, and send again since. What they said first and had to repeat
    /// counts with the requests: a port that comes up may lose what passes before it forwards.
    fn was_silent(&mut self, view: &View<'_>, weighed: &[(QpKey, Weighed)]) -> Vec<Silent> {
        let now_ns = view.map.now_ns();
        let lost = weighed.iter().filter(|(_, w)| w.real() > 0);
        let hosts: BTreeSet<Addr> = lost.clone().flat_map(|(key, _)| [key.src, key.dst]).collect();
        self.lost.extend(lost.copied());
        self.lost.retain(|(_, w)| w.last_ns + 4 * GRACE_NS > now_ns);
        let beyond = self.lost.len().saturating_sub(MAX_LOST);
        self.lost.drain(..beyond);
        hosts.into_iter().filter_map(|host| self.host_was_silent(view, host)).collect()
    }

    fn host_was_silent(&mut self, view: &View<'_>, host: Addr) -> Option<Silent> {
        let link = view.map.from_host(host)?;
        let ended = self.habits.get(link).and_then(|h| h.ended)?;
        let to = |l: &(QpKey, Weighed)| l.0.dst == host && ended.unanswered(&l.1);
        let from = |l: &(QpKey, Weighed)| l.0.src == host && ended.unheard(&l.1);
        let timeouts = self.lost.iter().filter(|l| to(l) || from(l)).map(|(_, w)| w.real()).sum();
        let since_ns = self.lost.iter().filter(|l| to(l)).map(|(_, w)| asked_ns(w)).min()?;
        let silence_ns = ended.until_ns.saturating_sub(since_ns);
        if timeouts < self.unanswered || silence_ns < self.min_ns {
            return None;
        }
        self.lost.retain(|l| !to(l) && !from(l));
        let (allowed_ns, until_ns) = (self.min_ns, ended.until_ns);
        Some(Silent { link, since_ns, until_ns, silence_ns, allowed_ns, usual_ns: 0, moved: 0, timeouts })
    }

    fn learn(&mut self, link: &LinkTick) {
        let Some(habit) = self.habits.made(LinkId(link.link)) else { return };
        habit.packets += link.packets;
        if !link.idle.0.is_empty() {
            habit.idle.merge(&link.idle);
            (habit.usual_ns, habit.gaps) = habit.idle.quantiles().map_or((0, 0), |q| (q.p999, q.count));
        }
    }
}

/// When what was repeated first had been sent before.
fn asked_ns(w: &Weighed) -> u64 {
    w.first_ns.saturating_sub(w.silence_ns)
}

impl Ended {
    /// Sent to the host while it was silent, and not repeated much later than it spoke again.
    fn unanswered(self, w: &Weighed) -> bool {
        let asked = asked_ns(w);
        asked > self.since_ns && asked < self.until_ns && w.last_ns <= self.until_ns + GRACE_NS
    }

    /// Among the first that the host said after it.
    fn unheard(self, w: &Weighed) -> bool {
        (self.until_ns..self.until_ns + GRACE_NS).contains(&asked_ns(w)) && w.last_ns <= self.until_ns + 2 * GRACE_NS
    }

    /// Longer than the one before, or that is too old to matter.
    fn outlasts(&self, before: Option<Self>) -> bool {
        let old = |b: Self| self.until_ns > b.until_ns + 4 * GRACE_NS;
        before.is_none_or(|b| old(b) || self.until_ns - self.since_ns >= b.until_ns - b.since_ns)
    }
}

/// Did a parallel link, or where there is none another link of its sort, carry packets through the silence?
fn busy_beside(view: &View<'_>, info: &LinkInfo, since_ns: u64) -> bool {
    let now = view.map.now_ns();
    let silence = now.saturating_sub(since_ns);
    let busy = |link: LinkId| view.map.last_ns(link) + silence / 4 >= now;
    let parallels = view.map.parallels(info.link);
    if !parallels.is_empty() {
        return parallels.into_iter().any(busy);
    }
    let others = view.map.links().filter(|l| l.link != info.link && l.host.is_some() == info.host.is_some());
    others.map(|l| l.link).any(busy)
}
