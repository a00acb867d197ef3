//! The cadence of a lane: after how many messages a step is over. Two signs: silences that recur after the same number
//! of messages, and, for closed rings, what the algorithm prescribes.

use super::lane::{Msg, strides};

/// Steps needed before anything is said.
pub(super) const MIN_STEPS: usize = 3;
/// Levels of silence that are tried as the end of a step, and silences that are asked about an earlier one.
const LEVELS: usize = 6;
/// Silence between steps over silence within, above which a silence alone ends a step.
pub(super) const VERY_CLEAR: f64 = 3.0;
/// Steps that tell the phase.
const PHASE_STEPS: usize = 8;
/// A step of so many messages may be one longer or shorter where the mirror lost or split one.
const SLIPS_FROM: usize = 4;
/// The silence beside the expected end of a step is taken for it when it is so many times longer.
const SLIP: u64 = 8;
/// Silences below this are no silences.
const FLOOR_NS: u64 = 1_000;

/// One step of one lane: `len` messages from `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beat {
    pub start_ns: u64,
    pub end_ns: u64,
    pub first: usize,
    pub len: usize,
    pub complete: bool,
}

/// Silence before each message but the first, in ns: `gaps[i]` lies between message i and i + 1.
pub(super) fn gaps(messages: &[Msg]) -> Vec<u64> {
    let mut end_ns = 0;
    let mut out = Vec::with_capacity(messages.len());
    for (i, m) in messages.iter().enumerate() {
        if i > 0 {
            out.push(m.start_ns.saturating_sub(end_ns));
        }
        end_ns = end_ns.max(m.end_ns);
    }
    out
}

/// How many messages may make a step, by the silences of one lane.
pub(super) fn candidates(gaps: &[u64]) -> Vec<usize> {
    let mut sorted: Vec<u64> = gaps.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let mut jumps: Vec<(u64, usize)> = (MIN_STEPS - 1..sorted.len())
        .map(|k| (per_mille(sorted[k - 1], sorted[k]), k))
        .filter(|&(ratio, _)| ratio > 1_100)
        .collect();
    jumps.sort_unstable_by(|a, b| b.cmp(a));
    jumps.truncate(LEVELS);
    let mut out: Vec<usize> = jumps.iter().filter_map(|&(_, k)| common_stride(gaps, sorted[k - 1])).collect();
    out.push(1);
    out.sort_unstable();
    out.dedup();
    out
}

fn per_mille(larger: u64, smaller: u64) -> u64 {
    larger.max(FLOOR_NS) * 1_000 / smaller.max(FLOOR_NS)
}

/// The most common distance between silences of at least `level`.
fn common_stride(gaps: &[u64], level: u64) -> Option<usize> {
    let at: Vec<usize> = gaps.iter().enumerate().filter(|&(_, &g)| g >= level).map(|(i, _)| i).collect();
    let mut strides: Vec<usize> = at.windows(2).map(|w| w[1] - w[0]).collect();
    strides.sort_unstable();
    let mut best = (0, 0);
    for group in strides.chunk_by(|a, b| a == b) {
        best = best.max((group.len(), group[0]));
    }
    (best.0 * 2 >= strides.len()).then_some(best.1).filter(|&p| p > 0)
}

/// How well steps of `per_step` messages fit the silences of a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fit {
    /// Silence between steps (four in ten are shorter) over silence within them (upper tenth).
    pub ratio: f64,
    /// Index of the first message of a step, below `per_step`.
    pub phase: usize,
    /// A silence at least this long ends a step; `None` where silences do not tell.
    pub level_ns: Option<u64>,
}

/// Fits `per_step` to a lane; `None` where there are not enough steps.
pub(super) fn fit(messages: &[Msg], gaps: &[u64], per_step: usize) -> Option<Fit> {
    if per_step == 0 || gaps.len() + 1 < per_step * MIN_STEPS {
        return None;
    }
    let phase = best_phase(gaps, per_step);
    let (mut between, mut within): (Vec<u64>, Vec<u64>) = (Vec::new(), Vec::new());
    let mut next = settle(gaps, if phase == 0 { per_step } else { phase }, per_step);
    for (i, &gap) in gaps.iter().enumerate() {
        if i + 1 == next {
            between.push(gap);
            next = settle(gaps, next + per_step, per_step);
        } else {
            within.push(gap);
        }
    }
    let low = quantile(&mut between, 0.4)?.max(FLOOR_NS);
    let high = match quantile(&mut within, 0.9) {
        Some(high) => high,
        None => quantile(&mut messages.iter().map(|m| m.end_ns - m.start_ns.min(m.end_ns)).collect::<Vec<_>>(), 0.5)?,
    };
    let high = high.max(FLOOR_NS);
    let ratio = low as f64 / high as f64;
    let level = (low as f64 * high as f64).sqrt() as u64;
    Some(Fit { ratio, phase, level_ns: (ratio >= 1.5).then_some(level) })
}

/// The fit of a lane that misses no message and whose silences do not tell: steps are counted, from where most lanes of the
/// exchange begin them unless its own silences speak three times louder.
pub(super) fn counted(gaps: &[u64], per_step: usize, usual: usize, fit: &Fit) -> Fit {
    let silence = |phase: usize| -> u64 {
        let at = gaps.iter().enumerate().take(per_step * PHASE_STEPS).filter(|(i, _)| (i + 1) % per_step == phase);
        at.map(|(_, gap)| gap).sum()
    };
    let own = silence(fit.phase) > silence(usual).saturating_mul(3);
    Fit { phase: if own { fit.phase } else { usual }, level_ns: None, ..*fit }
}

/// A mirror may lose or split a message: the step begins one message sooner or later where the silence there is much the longer.
fn settle(gaps: &[u64], at: usize, per_step: usize) -> usize {
    let before = |message: usize| message.checked_sub(1).and_then(|i| gaps.get(i)).copied().unwrap_or(0);
    let enough = before(at).max(FLOOR_NS).saturating_mul(SLIP);
    let near = [at.saturating_sub(1), at + 1].into_iter().filter(|&m| before(m) > enough);
    near.max_by_key(|&m| before(m)).filter(|_| per_step >= SLIPS_FROM).unwrap_or(at)
}

/// The residue whose silences add up to most; the first message is preferred unless another has twice as much.
fn best_phase(gaps: &[u64], per_step: usize) -> usize {
    let mut sums = vec![0_u64; per_step];
    for (i, &gap) in gaps.iter().enumerate().take(per_step * PHASE_STEPS) {
        if let Some(sum) = sums.get_mut((i + 1) % per_step) {
            *sum = sum.saturating_add(gap);
        }
    }
    let first = sums.first().copied().unwrap_or(0);
    let best = sums.iter().copied().enumerate().max_by_key(|&(i, s)| (s, std::cmp::Reverse(i)));
    best.filter(|&(_, s)| s > first.saturating_mul(2)).map_or(0, |(i, _)| i)
}

pub(super) fn quantile(values: &mut [u64], q: f64) -> Option<u64> {
    if values.is_empty() {
        return None;
    }
    let at = ((values.len() - 1) as f64 * q).round() as usize;
    let (_, &mut value, _) = values.select_nth_unstable(at.min(values.len() - 1));
    Some(value)
}

/// One message in so many may take another number of PSNs than the others, and their count still tells.
const ODD_ONES: usize = 50;

/// The number of each message among all that were sent, by their PSNs, where the mirror lost some of them.
fn numbers(messages: &[Msg]) -> Option<Vec<u64>> {
    let strides = strides(messages);
    let each = quantile(&mut strides.clone(), 0.5).filter(|&s| s > 0)?;
    let odd = strides.iter().filter(|&&s| s == 0 || !s.is_multiple_of(each)).count();
    let lost = strides.iter().any(|&s| s > each);
    let mut number = 0;
    let after = strides.iter().map(|s| {
        number += s / each;
        number
    });
    (lost && odd * ODD_ONES <= strides.len()).then(|| std::iter::once(0).chain(after).collect())
}

/// Cuts a lane by the numbers of its messages: a step begins with the number before which the silences are the longest.
fn cut_by_number(messages: &[Msg], gaps: &[u64], per_step: usize, numbers: &[u64]) -> Vec<Beat> {
    let whole = per_step.max(1) as u64;
    let mut silence = vec![0_u64; per_step.max(1)];
    for (pair, &gap) in numbers.windows(2).zip(gaps) {
        let place = pair.last().map_or(0, |n| n % whole) as usize;
        if let Some(sum) = silence.get_mut(place).filter(|_| pair[1] == pair[0] + 1) {
            *sum = sum.saturating_add(gap);
        }
    }
    let begins =
        silence.iter().enumerate().max_by_key(|&(i, s)| (s, std::cmp::Reverse(i))).map_or(0, |(i, _)| i as u64);
    let step = |n: &u64| (n + whole - begins) / whole;
    let mut beats = Vec::new();
    let mut first = 0;
    for run in numbers.chunk_by(|a, b| step(a) == step(b)) {
        beats.extend(beat(messages, first, first + run.len(), per_step));
        first += run.len();
    }
    beats
}

/// Cuts a lane into steps of `per_step` messages. A silence that comes too early ends a step only where counting from it
/// meets a later silence and counting on does not: a stall within a step is no end.
pub(super) fn cut(messages: &[Msg], gaps: &[u64], per_step: usize, fit: &Fit) -> Vec<Beat> {
    if let Some(numbers) = numbers(messages).filter(|_| fit.level_ns.is_some()) {
        return cut_by_number(messages, gaps, per_step, &numbers);
    }
    let silences: Vec<usize> = match fit.level_ns {
        Some(level) => gaps.iter().enumerate().filter(|&(_, &g)| g >= level).map(|(i, _)| i + 1).collect(),
        None => Vec::new(),
    };
    let silent = |i: usize| i == 0 || i == messages.len() || silences.binary_search(&i).is_ok();
    let mut beats = Vec::new();
    let (mut first, mut i) = (0, 0);
    if fit.level_ns.is_none() && fit.phase > 0 {
        first = fit.phase.min(messages.len());
        beats.extend(beat(messages, 0, first, per_step));
        i = first;
    }
    while i < messages.len() {
        let taken = i - first;
        let slips = per_step >= SLIPS_FROM && fit.level_ns.is_some() && !silent(i) && silent(i + 1);
        let full = taken == per_step && !slips || taken > per_step;
        let early = taken > 0 && !full && silent(i) && ends_early(&silences, first, i, per_step, fit);
        if full || early {
            beats.extend(beat(messages, first, i, per_step));
            first = i;
        }
        i += 1;
    }
    beats.extend(beat(messages, first, messages.len(), per_step));
    beats
}

/// Does the silence before message `i` end a step that has had too few? The next silences tell whether whole steps lie between
/// them and it, or between them and the step's own beginning. Before there are any, a step that is nearly whole is taken for one.
fn ends_early(silences: &[usize], first: usize, i: usize, per_step: usize, fit: &Fit) -> bool {
    let mut later =
        silences.get(silences.partition_point(|&s| s <= i)..).unwrap_or_default().iter().take(LEVELS).peekable();
    if later.peek().is_none() {
        return (i - first) * 4 >= per_step * 3;
    }
    for next in later {
        match ((next - first).is_multiple_of(per_step), (next - i).is_multiple_of(per_step)) {
            (true, false) => return false,
            (false, true) => return true,
            _ => {}
        }
    }
    fit.ratio >= VERY_CLEAR
}

fn beat(messages: &[Msg], first: usize, until: usize, per_step: usize) -> Option<Beat> {
    let span = messages.get(first..until).filter(|s| !s.is_empty())?;
    Some(Beat {
        start_ns: span.iter().map(|m| m.start_ns).min()?,
        end_ns: span.iter().map(|m| m.end_ns).max()?,
        first,
        len: until - first,
        complete: until - first == per_step
            || per_step >= SLIPS_FROM && (until - first).abs_diff(per_step) <= per_step / 8,
    })
}

/// Median time from start to start, and the median deviation from it as a share.
pub(super) fn period(beats: &[Beat]) -> Option<(u64, f64)> {
    let starts: Vec<u64> = beats.iter().map(|b| b.start_ns).collect();
    let mut strides: Vec<u64> = starts.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
    let median = quantile(&mut strides, 0.5)?;
    let mut off: Vec<u64> = strides.iter().map(|&s| s.abs_diff(median)).collect();
    let deviation = quantile(&mut off, 0.5)?;
    Some((median, deviation as f64 / median.max(1) as f64))
}

/// Share of strides that differ from the median by at most half of it.
pub(super) fn regular_share(beats: &[Beat], median: u64) -> f64 {
    let strides = beats.windows(2).map(|w| match w {
        [a, b] => b.start_ns.saturating_sub(a.start_ns),
        _ => 0,
    });
    let (mut good, mut all) = (0_usize, 0_usize);
    for stride in strides {
        all += 1;
        good += usize::from(stride.abs_diff(median) <= median / 2);
    }
    if all == 0 { 0.0 } else { good as f64 / all as f64 }
}
