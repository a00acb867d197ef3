//! Who holds a step up: the rank whose first message comes late, or the one whose messages take long.
//!
//! Measured per step and rank: how much later than the others it begins (where ranks begin by themselves, as in a ring), how
//! much longer than usual it takes to react to what it received, how much longer than usual its messages are under way.

use std::collections::{BTreeMap, BTreeSet};

use super::cadence::quantile;
use super::cluster::{Group, Track};
use super::lane::{Msg, stride_to, strides};
use super::registry::{Cause, Exchange};
use super::shape::Kind;
use super::steps::{Step, last_small, last_until};
use crate::packet::Addr;

/// Less than this share of a period is nobody's fault (a twentieth).
const LEAST_PART: i64 = 20;
/// And less than so many standard deviations of what the others do (LLMPrism: k-sigma).
const SIGMAS: f64 = 3.0;
/// What two taps show may be out of order by so much, their clocks being apart; less where messages are short.
const CLOCKS_NS: u64 = 25_000;
/// A normal distribution's standard deviation over its median deviation.
const SIGMA_PER_MAD: f64 = 1.4826;

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

/// What one rank did in one step: ns more (or less) than what is usual, and than the others in the same step.
#[derive(Clone, Copy, Debug, Default)]
struct Excess {
    late: i64,
    reaction: i64,
    message: i64,
    /// Acknowledgements of what it received came so much later.
    answer: i64,
}

/// The four measures, for what is done with each alike.
const MEASURES: [fn(&mut Excess) -> &mut i64; 4] =
    [|e| &mut e.late, |e| &mut e.reaction, |e| &mut e.message, |e| &mut e.answer];

/// What is usual in this job.
struct Usual {
    /// Time under way, by size.
    message: BTreeMap<u64, u64>,
    /// From the end of what a rank waits for to its own message.
    reaction: u64,
    /// All of it in a step, per lane: where ranks differ in what they compute and when (stages of a pipeline), each is compared
    /// with itself.
    reactions: Vec<u64>,
    answer: u64,
    symmetric: bool,
}

/// Per step, who held it up, if anybody did.
pub(super) fn blames(group: &Group, exchanges: &[Exchange], steps: &[Step]) -> Vec<Option<Blame>> {
    let usual = usual(group, exchanges, steps);
    let mut all: Vec<BTreeMap<Addr, Excess>> = steps.iter().map(|s| excesses(group, s, &usual)).collect();
    all.iter_mut().for_each(beyond_the_others);
    let mut strides: Vec<u64> = steps.windows(2).map(|w| w[1].start_ns.saturating_sub(w[0].start_ns)).collect();
    let part = quantile(&mut strides, 0.5).map_or(i64::MAX, |p| p as i64 / LEAST_PART);
    let least = limits(&all, part);
    // A lane whose messages were not all seen began or ended at another time than it seems.
    let whole = |step: &Step| step.beats.iter().zip(&group.tracks).all(|(b, t)| b.is_some_and(|b| b.len == t.per_step));
    let out: BTreeSet<usize> =
        group.tracks.iter().enumerate().flat_map(|(t, track)| out_of_phase(track, steps, t)).collect();
    let sure = |(at, step): (usize, &Step)| whole(step) && !out.contains(&at);
    let judged = all.iter().zip(steps.iter().enumerate()).map(|(e, at)| worst(e, &least).filter(|_| sure(at)));
    judged.collect()
}

/// Steps in which a lane's part begins at another message than it does in most: the mirror lost one, and what is counted from
/// there on belongs to two steps. PSNs tell, as every step takes as many of them; where it does not, nothing is said.
fn out_of_phase(track: &Track, steps: &[Step], t: usize) -> Vec<usize> {
    let mut strides = strides(&track.data);
    let Some(stride) = quantile(&mut strides, 0.5).filter(|&s| s > 0) else { return Vec::new() };
    let exact = strides.iter().filter(|&&s| s == stride).count() * 10 >= strides.len() * 7;
    let whole = stride * track.per_step.max(1) as u64;
    let (mut phase, mut before, mut phases) = (0, None, Vec::new());
    for (at, step) in steps.iter().enumerate() {
        let Some(first) = span(track, step, t).first() else { continue };
        phase = (phase + before.map_or(0, |b| stride_to(b, first))) % whole;
        before = Some(first);
        phases.push((phase, at));
    }
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    phases.iter().for_each(|(phase, _)| *counts.entry(*phase).or_default() += 1);
    let usual = counts.into_iter().max_by_key(|c| c.1).filter(|c| c.1 * 2 > phases.len());
    let other = |phase: u64| exact && usual.is_none_or(|u| u.0 != phase);
    phases.into_iter().filter(|(phase, _)| other(*phase)).map(|(_, at)| at).collect()
}

/// What every rank has in common is no rank's fault: the median of the others is taken off each.
fn beyond_the_others(step: &mut BTreeMap<Addr, Excess>) {
    for of in MEASURES {
        let mut sorted: Vec<i64> = step.values_mut().map(|e| *of(e)).collect();
        sorted.sort_unstable();
        for e in step.values_mut() {
            let own = of(e);
            *own -= median_without(&sorted, *own);
        }
    }
}

/// The median (the lower of two) of sorted values, one of which is left out.
fn median_without(sorted: &[i64], one: i64) -> i64 {
    let place = sorted.partition_point(|&v| v < one);
    let middle = sorted.len().saturating_sub(2) / 2;
    let others = if sorted.len() < 2 { None } else { sorted.get(middle + usize::from(place <= middle)) };
    others.copied().unwrap_or(0)
}

/// Per rank, how much of each measure chance does not explain: so many deviations of the other ranks over all steps.
fn limits(all: &[BTreeMap<Addr, Excess>], part: i64) -> BTreeMap<Addr, Excess> {
    let mut out: BTreeMap<Addr, Excess> = BTreeMap::new();
    for of in MEASURES {
        let mut values: BTreeMap<Addr, Vec<u64>> = BTreeMap::new();
        for (&host, e) in all.iter().flatten() {
            values.entry(host).or_default().push(of(&mut e.clone()).unsigned_abs());
        }
        let scatter: BTreeMap<Addr, i64> =
            values.into_iter().filter_map(|(h, mut v)| Some((h, quantile(&mut v, 0.5)? as i64))).collect();
        let mut sorted: Vec<i64> = scatter.values().copied().collect();
        sorted.sort_unstable();
        for (&host, &own) in &scatter {
            let sigma = median_without(&sorted, own) as f64 * SIGMA_PER_MAD;
            *of(out.entry(host).or_default()) = part.max((SIGMAS * sigma) as i64);
        }
    }
    out
}

/// Held up by its path: its messages long under way, or what it received late acknowledged. By itself: it began late, or was
/// long to answer with a message.
fn worst(step: &BTreeMap<Addr, Excess>, least: &BTreeMap<Addr, Excess>) -> Option<Blame> {
    let of = |(&host, e): (&Addr, &Excess)| {
        let least = least.get(&host).copied().unwrap_or_default();
        let above = |value: i64, least: i64| if value >= least { value.max(0) } else { 0 };
        let reaction = above(e.reaction, least.reaction);
        let message = above(e.message, least.message);
        let late = above(e.late, least.late);
        let (path, own) = (message.max(above(e.answer, least.answer)), late.max(reaction));
        let (cause, lost) = if path > own { (Cause::SlowMessage, path) } else { (Cause::LateStart, own) };
        Blame { host, cause, lost_ns: lost as u64 }
    };
    step.iter().map(of).filter(|b| b.lost_ns > 0).max_by_key(|b| (b.lost_ns, std::cmp::Reverse(b.host)))
}

/// Time under way, repeats included.
fn took(m: &Msg) -> u64 {
    m.over_ns.saturating_sub(m.start_ns)
}

fn span<'a>(track: &'a Track, step: &Step, t: usize) -> &'a [Msg] {
    let beat = step.beats.get(t).copied().flatten();
    beat.and_then(|b| track.data.get(b.first..b.first + b.len)).unwrap_or_default()
}

fn usual(group: &Group, exchanges: &[Exchange], steps: &[Step]) -> Usual {
    let mut sizes: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut answers = Vec::new();
    let mut each = Vec::new();
    let mut sums: Vec<Vec<u64>> = vec![Vec::new(); group.tracks.len()];
    for step in steps {
        for ((t, track), sums) in group.tracks.iter().enumerate().zip(&mut sums) {
            for m in span(track, step, t) {
                sizes.entry(track.bytes).or_default().push(took(m));
                answers.extend(m.acked_ns.map(|a| a.saturating_sub(m.over_ns)));
            }
            let waits = waits(group, step, t);
            sums.push(waits.iter().sum());
            each.extend(waits);
        }
    }
    let alike = |k| matches!(k, Kind::RingAllreduce | Kind::AllGather | Kind::ReduceScatter | Kind::AllToAll);
    let symmetric = exchanges.iter().all(|e| alike(e.kind));
    Usual {
        message: sizes.into_iter().filter_map(|(k, mut v)| Some((k, quantile(&mut v, 0.5)?))).collect(),
        reaction: quantile(&mut each, 0.5).unwrap_or(0),
        reactions: sums.into_iter().map(|mut s| quantile(&mut s, 0.5).unwrap_or(0)).collect(),
        answer: quantile(&mut answers, 0.5).unwrap_or(0),
        symmetric,
    }
}

/// For each message but the first of a lane: how long it came after all that it may have waited for: the one before it on its
/// lane and that one's acknowledgement, what its sender had received by then, and the word of its receiver that it is ready.
fn waits(group: &Group, step: &Step, t: usize) -> Vec<u64> {
    let Some(track) = group.tracks.get(t) else { return Vec::new() };
    let mut received: Vec<u64> = Vec::new();
    for (i, other) in group.tracks.iter().enumerate().filter(|(_, o)| o.key.dst == track.key.src) {
        received.extend(span(other, step, i).iter().map(|m| m.over_ns));
    }
    if received.is_empty() {
        return Vec::new();
    }
    received.sort_unstable();
    let mut times: Vec<u64> = span(track, step, t).iter().map(took).collect();
    let slack = CLOCKS_NS.min(quantile(&mut times, 0.5).unwrap_or(0) / 4);
    let ready = group.control.get(&(track.key.dst, track.key.src)).map_or(&[][..], Vec::as_slice);
    let own = span(track, step, t);
    let ready = |until: u64| last_small(ready, until).map(|s| s.end_ns);
    let wait = |(before, m): (&Msg, &Msg)| {
        let acked = before.acked_ns.filter(|&a| a <= m.start_ns);
        let until = m.start_ns + slack;
        let inputs = [acked, last_until(&received, until), ready(until)];
        m.start_ns.saturating_sub(inputs.into_iter().flatten().max().unwrap_or(0).max(before.over_ns))
    };
    own.iter().zip(own.iter().skip(1)).map(wait).collect()
}

fn excesses(group: &Group, step: &Step, usual: &Usual) -> BTreeMap<Addr, Excess> {
    let mut out: BTreeMap<Addr, Excess> = BTreeMap::new();
    let mut begins: BTreeMap<Addr, u64> = BTreeMap::new();
    let more = |took: u64, usually: u64| took as i64 - usually as i64;
    for (t, track) in group.tracks.iter().enumerate() {
        let messages = span(track, step, t);
        let usually = usual.message.get(&track.bytes).copied().unwrap_or(0);
        let long = messages.iter().map(|m| more(took(m), usually)).sum();
        let waits = waits(group, step, t);
        let own = usual.reactions.get(t).copied().unwrap_or(0);
        let usually = if usual.symmetric { usual.reaction * waits.len() as u64 } else { own };
        let reacts = more(waits.iter().sum(), usually);
        let answers = messages.iter().filter_map(|m| Some(more(m.acked_ns?.saturating_sub(m.over_ns), usual.answer)));
        let answers = answers.sum();
        let sender = out.entry(track.key.src).or_default();
        sender.message = sender.message.max(long);
        sender.reaction = sender.reaction.max(reacts);
        let receiver = out.entry(track.key.dst).or_default();
        receiver.answer = receiver.answer.max(answers);
        if let Some(first) = messages.first() {
            let begin = begins.entry(track.key.src).or_insert(u64::MAX);
            *begin = (*begin).min(first.start_ns);
        }
    }
    for (host, late) in late(group, step, &begins).into_iter().filter(|_| usual.symmetric) {
        out.entry(host).or_default().late = late;
    }
    out
}

/// How much later than the first each rank begins. Parts of an exchange that no lane joins (two rings, or two pieces of one whose
/// middle is not mirrored) are laid upon each other by their ends: one that is late as a whole, its end with it, holds nobody up.
fn late(group: &Group, step: &Step, begins: &BTreeMap<Addr, u64>) -> BTreeMap<Addr, i64> {
    let part = super::cluster::parts(&group.edges());
    let mut ends: BTreeMap<usize, u64> = BTreeMap::new();
    for (track, beat) in group.tracks.iter().zip(&step.beats) {
        if let (Some(&at), Some(beat)) = (part.get(&track.key.src), beat) {
            let end = ends.entry(at).or_default();
            *end = (*end).max(beat.end_ns);
        }
    }
    let end = |host: &Addr| part.get(host).and_then(|at| ends.get(at)).copied().unwrap_or(0);
    let before_end: BTreeMap<Addr, i64> = begins.iter().map(|(&h, &b)| (h, b as i64 - end(&h) as i64)).collect();
    let first = before_end.values().copied().min().unwrap_or(0);
    before_end.into_iter().map(|(host, at)| (host, at - first)).collect()
}
