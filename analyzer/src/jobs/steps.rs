//! Steps of a job: the steps of its lanes put together, and where on the circle of a period a step begins.

use super::cadence::{Beat, quantile};
use super::cluster::{Group, Track};
use super::lane::Small;

/// A forward pass takes about half the time of the backward pass: its messages follow each other this much faster.
const FORWARD_FASTER: f64 = 1.25;

/// Credits and notices follow within a twentieth of the period.
const CONTROL_WITHIN: u64 = 20;
/// An acknowledgement that takes so many times the median was held up or lost, and says nothing of the message.
const ACK_LATE: u64 = 4;

/// One step of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub start_ns: u64,
    pub end_ns: u64,
    /// Time with a message under way.
    pub communication_ns: u64,
    /// Longest stretch with none, from and to.
    pub silent: (u64, u64),
    /// Per track of the group, in its order: its part of this step.
    pub beats: Vec<Option<Beat>>,
}

/// Puts the lanes' steps together.
pub(super) fn steps(group: &Group) -> Vec<Step> {
    let Some(reference) = group.tracks.iter().max_by_key(|t| (t.complete(), std::cmp::Reverse(t.key))) else {
        return Vec::new();
    };
    let mut anchors: Vec<Beat> = reference.beats.iter().filter(|b| b.complete).copied().collect();
    let places = places(group, reference, &anchors);
    fill_in(&mut anchors, group, &places, reference.period_ns);
    let mut out: Vec<Step> =
        anchors.iter().map(|_| Step { beats: vec![None; group.tracks.len()], ..Step::default() }).collect();
    for (t, (track, place)) in group.tracks.iter().zip(&places).enumerate() {
        for beat in track.beats.iter().filter(|b| b.complete || b.end_ns - b.start_ns <= reference.period_ns) {
            let Some(at) = nearest(&anchors, middle(beat) - place, reference.period_ns) else { continue };
            let slot = out.get_mut(at).and_then(|s| s.beats.get_mut(t));
            if let Some(slot) = slot {
                let better = slot.is_none_or(|s| s.len < beat.len);
                if better {
                    *slot = Some(*beat);
                }
            }
        }
    }
    out.retain(|s| {
        s.beats.iter().flatten().any(|b| b.complete)
            && s.beats.iter().filter(|b| b.is_some()).count() * 2 >= s.beats.len()
    });
    for step in &mut out {
        finish(step, group, reference.period_ns);
    }
    out
}

/// Steps that the reference did not show whole, as when its traffic went another way for a while: where other lanes show them.
fn fill_in(anchors: &mut Vec<Beat>, group: &Group, places: &[i64], period_ns: u64) {
    let mut lengths: Vec<u64> = anchors.iter().map(|b| b.end_ns - b.start_ns).collect();
    let length = quantile(&mut lengths, 0.5).unwrap_or(0);
    for (track, place) in group.tracks.iter().zip(places) {
        for beat in track.beats.iter().filter(|b| b.complete) {
            let Some(start_ns) = u64::try_from(middle(beat) - place).ok().and_then(|m| m.checked_sub(length / 2))
            else {
                continue;
            };
            let at = anchors.partition_point(|b| b.start_ns < start_ns);
            let near = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|i| anchors.get(i));
            if near.map(|b| b.start_ns.abs_diff(start_ns)).min().unwrap_or(0) > period_ns * 2 / 3 {
                anchors.insert(at, Beat { start_ns, end_ns: start_ns + length, ..*beat });
            }
        }
    }
}

/// A lane's part is over when its last message is acknowledged and the credits and notices that follow are through. Where the
/// receiver returns one for each message, however late: its sender waits for it.
fn over(group: &Group, track: &Track, beat: &Beat, period_ns: u64) -> Option<u64> {
    let later = track.beats.get(track.beats.partition_point(|b| b.start_ns <= beat.start_ns)..).unwrap_or_default();
    let next = later.first().map_or(beat.end_ns.saturating_add(period_ns), |b| b.start_ns).saturating_sub(1);
    let way = |from, to| group.control.get(&(from, to)).map_or(&[][..], Vec::as_slice);
    let (there, back) = (way(track.key.src, track.key.dst), way(track.key.dst, track.key.src));
    let end_ns = done(track, beat)?;
    let soon = end_ns.saturating_add(period_ns / CONTROL_WITHIN).min(next);
    let follows = [there, back].into_iter().filter_map(|all| through(last_small(all, soon)?, next)).max();
    let returned = back.get(back.partition_point(|s| s.end_ns < beat.end_ns));
    let returned = returned.filter(|s| s.end_ns <= next && one_each(track, back)).and_then(|s| through(s, next));
    [Some(end_ns), follows, returned].into_iter().flatten().max()
}

/// When a credit was acknowledged, if that was before its lane's next step.
fn through(small: &Small, next_ns: u64) -> Option<u64> {
    Some(small.acked_ns.filter(|&at| at >= small.end_ns && at <= next_ns).unwrap_or(small.end_ns))
}

/// As many small messages came back as messages went, but for a tenth.
fn one_each(track: &Track, back: &[Small]) -> bool {
    let from = track.data.first().map_or(u64::MAX, |m| m.start_ns);
    let came = back.len() - back.partition_point(|s| s.end_ns < from);
    came.abs_diff(track.data.len()) * 10 <= track.data.len()
}

/// The last of ascending small messages up to a moment.
pub(super) fn last_small(sorted: &[Small], until: u64) -> Option<&Small> {
    let after = sorted.partition_point(|s| s.end_ns <= until);
    sorted.get(after.checked_sub(1)?)
}

/// The last of ascending moments up to one.
pub(super) fn last_until(sorted: &[u64], until: u64) -> Option<u64> {
    let after = sorted.partition_point(|&at| at <= until);
    after.checked_sub(1).and_then(|at| sorted.get(at)).copied()
}

fn middle(beat: &Beat) -> i64 {
    (beat.start_ns / 2 + beat.end_ns / 2) as i64
}

fn nearest(anchors: &[Beat], at: i64, period_ns: u64) -> Option<usize> {
    let after = anchors.partition_point(|b| middle(b) < at);
    let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter(|&i| i < anchors.len());
    let best = near.min_by_key(|&i| anchors.get(i).map_or(u64::MAX, |b| middle(b).abs_diff(at)))?;
    let off = anchors.get(best).map_or(u64::MAX, |b| middle(b).abs_diff(at));
    let spread = anchors.get(best).map_or(0, |b| b.end_ns - b.start_ns);
    (off <= (period_ns / 2).max(spread)).then_some(best)
}

/// Per track, the median distance of its middle from the reference's in the same step.
fn places(group: &Group, reference: &Track, anchors: &[Beat]) -> Vec<i64> {
    let period = reference.period_ns.max(1) as i64;
    let offsets: Vec<(i64, i64, i64)> = group.tracks.iter().map(|t| offset(t, anchors)).collect();
    let origin = origin(group, &offsets, period);
    let ahead = (-origin).rem_euclid(period);
    let turn = |start: i64| (ahead + start).div_euclid(period);
    offsets.iter().map(|&(start, _, middle)| middle - turn(start) * period).collect()
}

/// Median distance of a track's start and middle to the nearest of the reference, and its median length: (start, length, middle).
fn offset(track: &Track, anchors: &[Beat]) -> (i64, i64, i64) {
    let mut starts = Vec::new();
    let mut middles = Vec::new();
    let mut lengths = Vec::new();
    for beat in track.beats.iter().filter(|b| b.complete) {
        let at = anchors.partition_point(|b| b.end_ns < beat.end_ns);
        let near = [at.checked_sub(1), Some(at)].into_iter().flatten().filter_map(|i| anchors.get(i));
        let Some(near) = near.min_by_key(|b| b.end_ns.abs_diff(beat.end_ns)) else { continue };
        starts.push(beat.start_ns as i64 - near.start_ns as i64);
        middles.push(middle(beat) - middle(near));
        lengths.push((beat.end_ns - beat.start_ns) as i64);
    }
    (median(starts), median(lengths), median(middles))
}

fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Where in the period a step begins: after the longest silence of all lanes together; in a pipeline, where the forward pass begins.
fn origin(group: &Group, offsets: &[(i64, i64, i64)], period: i64) -> i64 {
    let forward = forward_tracks(group);
    let mut spans: Vec<(i64, i64, bool)> = offsets
        .iter()
        .enumerate()
        .map(|(i, &(start, length, _))| (start.rem_euclid(period), length.min(period), forward.get(i) == Some(&true)))
        .collect();
    spans.sort_unstable();
    let any_forward = spans.iter().any(|s| s.2);
    let mut best = (i64::MIN, 0);
    for &(start, _, is_forward) in &spans {
        if any_forward && !is_forward {
            continue;
        }
        // Silence before this start: the distance back to the latest end of any span, around the circle.
        let silence = spans.iter().map(|&(s, l, _)| {
            let since = (start - s).rem_euclid(period);
            if since == 0 { i64::MAX } else { since - l }
        });
        let silence = silence.min().unwrap_or(i64::MAX);
        best = best.max((silence, -start));
    }
    if best.0 == i64::MIN { 0 } else { -best.1 }
}

/// Tracks whose reverse follows more slowly: the forward passes of a pipeline.
fn forward_tracks(group: &Group) -> Vec<bool> {
    let spacing = |t: &Track| {
        let mut all: Vec<u64> = Vec::new();
        for beat in t.beats.iter().filter(|b| b.complete && b.len > 1) {
            let span = t.data.get(beat.first..beat.first + beat.len).unwrap_or_default();
            all.extend(span.windows(2).map(|w| w[1].start_ns.saturating_sub(w[0].start_ns)));
        }
        quantile(&mut all, 0.5)
    };
    let speed: Vec<Option<u64>> = group.tracks.iter().map(spacing).collect();
    let faster = |i: usize| {
        let track = group.tracks.get(i)?;
        let mine = speed.get(i).copied().flatten()?;
        let back = group.tracks.iter().position(|t| t.key.src == track.key.dst && t.key.dst == track.key.src)?;
        let theirs = speed.get(back).copied().flatten()?;
        Some(mine as f64 * FORWARD_FASTER < theirs as f64)
    };
    (0..group.tracks.len()).map(|i| faster(i).unwrap_or(false)).collect()
}

fn finish(step: &mut Step, group: &Group, period_ns: u64) {
    let mut busy: Vec<(u64, u64)> = Vec::new();
    for (track, beat) in group.tracks.iter().zip(&step.beats) {
        if let Some(beat) = beat {
            let span = track.data.get(beat.first..beat.first + beat.len).unwrap_or_default();
            busy.extend(span.iter().map(|m| (m.start_ns, m.end_ns)));
        }
    }
    step.start_ns = step.beats.iter().flatten().map(|b| b.start_ns).min().unwrap_or(0);
    let ends = group.tracks.iter().zip(&step.beats).filter_map(|(t, b)| over(group, t, b.as_ref()?, period_ns));
    step.end_ns = ends.max().unwrap_or(0);
    step.communication_ns = covered(&mut busy);
    step.silent = longest_silence(&busy);
}

/// The longest stretch that sorted intervals leave free.
fn longest_silence(sorted: &[(u64, u64)]) -> (u64, u64) {
    let mut reached = sorted.first().map_or(0, |s| s.0);
    let mut longest = (reached, reached);
    for &(start, end) in sorted {
        if start.saturating_sub(reached) > longest.1 - longest.0 {
            longest = (reached, start);
        }
        reached = reached.max(end);
    }
    longest
}

/// When the last message of a beat was acknowledged; where that was not seen, when it would have been.
fn done(track: &Track, beat: &Beat) -> Option<u64> {
    let last = track.data.get(beat.first..beat.first + beat.len)?.iter().max_by_key(|m| m.end_ns)?;
    let delay = last.acked_ns.map_or(track.ack_delay_ns, |a| a.saturating_sub(last.end_ns));
    let delay = if delay > track.ack_delay_ns.saturating_mul(ACK_LATE) { track.ack_delay_ns } else { delay };
    Some(last.end_ns + delay)
}

/// Length of the union of intervals.
pub(super) fn covered(intervals: &mut [(u64, u64)]) -> u64 {
    intervals.sort_unstable();
    let (mut sum, mut reached) = (0, 0);
    for &(start, end) in intervals.iter() {
        sum += end.saturating_sub(start.max(reached));
        reached = reached.max(end);
    }
    sum
}
