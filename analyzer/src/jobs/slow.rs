//! Who holds a step up: the rank whose first message comes late, or the one whose messages take long.
//!
//! Measured per step and rank: how much later than the others it begins (where ranks begin by themselves, as in a ring), how
//! much longer than usual it takes to react to what it received, how much longer than usual its messages are under way.

use std::collections::BTreeMap;

use super::cadence::quantile;
use super::cluster::{Group, Track};
use super::lane::Msg;
use super::registry::{Cause, Exchange};
use super::shape::Kind;
use super::steps::Step;
use crate::packet::Addr;

/// Less than this share of a period is nobody's fault (a twentieth).
const LEAST_PART: u64 = 20;
/// And less than so many times the usual scatter.
const SCATTER: u64 = 3;

/// Who held the others up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blame {
    /// Rank.
    pub host: Addr,
    /// Why.
    pub cause: Cause,
    /// How long, ns.
    pub lost_ns: u64,
}

/// What one rank did in one step, in ns beyond what is usual.
#[derive(Clone, Copy, Debug, Default)]
struct Excess {
    late: u64,
    reaction: u64,
    message: u64,
    /// Acknowledgements of what it received came so much later.
    answer: u64,
}

/// What is usual in this job.
struct Usual {
    /// Time under way, by size.
    message: BTreeMap<u64, u64>,
    /// From the end of what a rank waits for to its own message.
    reaction: u64,
    answer: u64,
    symmetric: bool,
}

/// Per step, who held it up, if anybody did.
pub(super) fn blames(group: &Group, exchanges: &[Exchange], steps: &[Step]) -> Vec<Option<Blame>> {
    let usual = usual(group, exchanges, steps);
    let mut all: Vec<BTreeMap<Addr, Excess>> = steps.iter().map(|s| excesses(group, s, &usual)).collect();
    for step in &mut all {
        beyond_the_others(step);
    }
    let mut strides: Vec<u64> = steps.windows(2).map(|w| w[1].start_ns.saturating_sub(w[0].start_ns)).collect();
    let part = quantile(&mut strides, 0.5).unwrap_or(u64::MAX) / LEAST_PART;
    let scatter = |of: fn(&Excess) -> u64| {
        let mut values: Vec<u64> = all.iter().flat_map(|step| step.values().map(of)).collect();
        quantile(&mut values, 0.5).unwrap_or(0).saturating_mul(SCATTER).max(part)
    };
    let least = Excess {
        late: scatter(|e| e.late),
        reaction: scatter(|e| e.reaction),
        message: scatter(|e| e.message),
        answer: scatter(|e| e.answer),
    };
    all.iter().map(|step| worst(step, &least)).collect()
}

/// What every rank has in common is no rank's fault: the median of the others is taken off each.
fn beyond_the_others(step: &mut BTreeMap<Addr, Excess>) {
    let before = step.clone();
    let middle = |host: Addr, of: fn(&Excess) -> u64| {
        let mut others: Vec<u64> = before.iter().filter(|(h, _)| **h != host).map(|(_, e)| of(e)).collect();
        quantile(&mut others, 0.5).unwrap_or(0)
    };
    for (&host, e) in step.iter_mut() {
        e.reaction = e.reaction.saturating_sub(middle(host, |e| e.reaction));
        e.message = e.message.saturating_sub(middle(host, |e| e.message));
        e.answer = e.answer.saturating_sub(middle(host, |e| e.answer));
    }
}

/// A rank that reacts late and whose acknowledgements come late too is held up by its path; one that only reacts late, by itself.
fn worst(step: &BTreeMap<Addr, Excess>, least: &Excess) -> Option<Blame> {
    let of = |(&host, e): (&Addr, &Excess)| {
        let reaction = if e.reaction >= least.reaction { e.reaction } else { 0 };
        let message = if e.message >= least.message { e.message } else { 0 };
        let late = if e.late >= least.late { e.late } else { 0 };
        let (path, own) =
            if e.answer >= least.answer { (message + reaction, late) } else { (message, late.max(reaction)) };
        let (cause, lost_ns) = if path > own { (Cause::SlowMessage, path) } else { (Cause::LateStart, own) };
        Blame { host, cause, lost_ns }
    };
    step.iter().map(of).filter(|b| b.lost_ns > 0).max_by_key(|b| (b.lost_ns, std::cmp::Reverse(b.host)))
}

fn span<'a>(track: &'a Track, step: &Step, t: usize) -> &'a [Msg] {
    let beat = step.beats.get(t).copied().flatten();
    beat.and_then(|b| track.data.get(b.first..b.first + b.len)).unwrap_or_default()
}

fn usual(group: &Group, exchanges: &[Exchange], steps: &[Step]) -> Usual {
    let mut sizes: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let (mut reactions, mut answers) = (Vec::new(), Vec::new());
    for step in steps {
        for (t, track) in group.tracks.iter().enumerate() {
            for m in span(track, step, t) {
                sizes.entry(track.bytes).or_default().push(m.end_ns - m.start_ns.min(m.end_ns));
                answers.extend(m.acked_ns.map(|a| a.saturating_sub(m.end_ns)));
            }
            reactions.extend(waits(group, step, t).into_iter().map(|(_, wait)| wait));
        }
    }
    let one_way = |k| matches!(k, Kind::RingAllreduce | Kind::AllGather | Kind::ReduceScatter | Kind::AllToAll);
    Usual {
        message: sizes.into_iter().filter_map(|(k, mut v)| Some((k, quantile(&mut v, 0.5)?))).collect(),
        reaction: quantile(&mut reactions, 0.5).unwrap_or(0),
        answer: quantile(&mut answers, 0.5).unwrap_or(0),
        symmetric: exchanges.iter().all(|e| one_way(e.kind)),
    }
}

/// For each message but the first of a lane: its place, and how long it came after both the one before it on its lane and
/// what its sender had received by then.
fn waits(group: &Group, step: &Step, t: usize) -> Vec<(usize, u64)> {
    let Some(track) = group.tracks.get(t) else { return Vec::new() };
    let mut received: Vec<u64> = Vec::new();
    for (i, other) in group.tracks.iter().enumerate().filter(|(_, o)| o.key.dst == track.key.src) {
        received.extend(span(other, step, i).iter().map(|m| m.end_ns));
    }
    received.sort_unstable();
    if received.is_empty() {
        return Vec::new();
    }
    let own = span(track, step, t);
    let pairs = own.iter().zip(own.iter().skip(1)).enumerate();
    let wait = |before: &Msg, m: &Msg| {
        let at = received.partition_point(|&r| r <= m.start_ns);
        let input = at.checked_sub(1).and_then(|i| received.get(i)).copied().unwrap_or(0);
        m.start_ns.saturating_sub(input.max(before.end_ns))
    };
    pairs.map(|(i, (before, m))| (i + 1, wait(before, m))).collect()
}

fn excesses(group: &Group, step: &Step, usual: &Usual) -> BTreeMap<Addr, Excess> {
    let mut out: BTreeMap<Addr, Excess> = BTreeMap::new();
    let mut begins: BTreeMap<Addr, u64> = BTreeMap::new();
    for (t, track) in group.tracks.iter().enumerate() {
        let messages = span(track, step, t);
        let usually = usual.message.get(&track.bytes).copied().unwrap_or(0);
        let long = |m: &Msg| (m.end_ns - m.start_ns.min(m.end_ns)).saturating_sub(usually * 2);
        let reacts: u64 = waits(group, step, t).iter().map(|w| w.1.saturating_sub(usual.reaction * 2)).sum();
        let late = |m: &Msg| m.acked_ns.map(|a| a.saturating_sub(m.end_ns).saturating_sub(usual.answer * 2));
        let sender = out.entry(track.key.src).or_default();
        sender.message = sender.message.max(messages.iter().map(long).sum());
        sender.reaction = sender.reaction.max(reacts);
        let receiver = out.entry(track.key.dst).or_default();
        receiver.answer = receiver.answer.max(messages.iter().filter_map(late).sum());
        if let Some(first) = messages.first() {
            let begin = begins.entry(track.key.src).or_insert(u64::MAX);
            *begin = (*begin).min(first.start_ns);
        }
    }
    if usual.symmetric {
        for (&host, &begin) in &begins {
            let mut others: Vec<u64> = begins.iter().filter(|o| *o.0 != host).map(|o| *o.1).collect();
            let Some(middle) = quantile(&mut others, 0.5) else { continue };
            out.entry(host).or_default().late = begin.saturating_sub(middle);
        }
    }
    out
}
