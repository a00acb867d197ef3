//! What each cell of the heat table says: measured, idle, not observed or partly observed; and how far it is from what its link did before.

use std::collections::{HashMap, HashSet};

use analyzer::report::{Finding, LinkMirror};
use store::LinkRow;

/// Steps that a step is compared with: the link's own last ones.
const BEFORE: usize = 40;
/// Steps whose mean is compared too.
const TOGETHER: usize = 5;
/// Fewer say nothing about what is usual.
const BEFORE_MIN: usize = 12;
/// A spread is never taken as smaller than this share of the median: a link that sends the same every step would
/// otherwise glow at its first different byte.
const SPREAD_MIN: f64 = 0.02;
/// Nor smaller than this share of the usual range, for a link that changes between two rates.
const RANGE_MIN: f64 = 0.1;
/// Means are held against those from so many steps ago and older: they share no step, and a new rate stays unusual for a while.
const APART: usize = 15;
/// What lies between this quantile of before and its mirror image is usual.
const USUAL: f64 = 0.95;
/// Deviations are cut here.
const DEVIATION_MAX: f64 = 99.0;
/// Median absolute deviation to standard deviation, for a normal distribution.
const MAD_TO_SIGMA: f64 = 1.4826;

/// Where the steps of a strip lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Steps {
    pub start_ns: u64,
    pub step_ns: u64,
    pub tick_ns: u64,
}

/// What is known of the taps behind the rows of one answer.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// Per tap, the steps in which it delivered at least one frame on some link.
    delivered: HashMap<String, HashSet<usize>>,
    /// Per tap, steps in which the mirror lost frames.
    lossy: HashMap<String, HashSet<usize>>,
}

/// A tap's name, as findings about our own sight name it.
pub(super) fn tap_name(mirror: &LinkMirror) -> String {
    let mut name = mirror.tap.clone();
    if mirror.kind != "plain" {
        name = format!("{name} {}", mirror.kind);
    }
    for (what, value) in [("vlan", mirror.vlan.map(u32::from)), ("session", mirror.session), ("port", mirror.port)] {
        if let Some(value) = value {
            name = format!("{name} {what} {value}");
        }
    }
    match &mirror.source {
        Some(from) => format!("{name} from {from}"),
        None => name,
    }
}

impl Sight {
    /// From all rows, for a tap is alive when any of its links shows a packet; and from the findings about mirrors.
    pub(super) fn of(rows: &[LinkRow], findings: &[Finding], steps: Steps) -> Self {
        let mut sight = Self::default();
        for row in rows {
            let measured = row.bps.iter().enumerate().filter(|(_, bps)| bps.is_some()).map(|(step, _)| step);
            sight.delivered.entry(tap_name(&row.link.mirror)).or_default().extend(measured);
        }
        let count = rows.iter().map(|row| row.bps.len()).max().unwrap_or(0);
        for finding in findings.iter().filter(|finding| finding.kind == "mirror_loss") {
            let Some(tap) = &finding.subject.tap else { continue };
            let lossy = (0..count).filter(|&step| touches(finding, steps, step));
            sight.lossy.entry(tap.clone()).or_default().extend(lossy);
        }
        sight
    }

    fn quiet(&self, step: usize) -> bool {
        self.delivered.values().all(|steps| !steps.contains(&step))
    }

    /// One letter a step: `m` measured, `p` measured while the mirror lost frames, `i` idle (the tap delivered, this link had no
    /// packet), `n` not observed (the tap delivered nothing while others did, or it has ended or not begun), `q` quiet (no tap
    /// delivered anything: idle and blind cannot be told apart).
    pub(super) fn states(&self, row: &LinkRow) -> String {
        let tap = tap_name(&row.link.mirror);
        let (delivered, lossy) = (self.delivered.get(&tap), self.lossy.get(&tap));
        let within = |set: Option<&HashSet<usize>>, step: usize| set.is_some_and(|steps| steps.contains(&step));
        let state = |(step, bps): (usize, &Option<f64>)| match bps {
            Some(_) if within(lossy, step) => 'p',
            Some(_) => 'm',
            None if within(delivered, step) => 'i',
            None if self.quiet(step) && delivered.is_some_and(|steps| spans(steps, step)) => 'q',
            None => 'n',
        };
        row.bps.iter().enumerate().map(state).collect()
    }
}

/// Between the first and the last step in which a tap delivered.
fn spans(steps: &HashSet<usize>, step: usize) -> bool {
    steps.iter().any(|&before| before < step) && steps.iter().any(|&after| after > step)
}

fn touches(finding: &Finding, steps: Steps, step: usize) -> bool {
    let from = steps.start_ns.saturating_add(steps.step_ns.saturating_mul(step as u64));
    let to = from.saturating_add(steps.step_ns);
    finding.since_ns < to && finding.until_ns.is_none_or(|until| until >= from)
}

/// Per step, by how many robust standard deviations the rate is outside of what was usual in the link's last 40 steps; `None`
/// where it was not observed whole or too little came before. An idle step counts as no rate.
///
/// A job that computes and communicates by turns spreads single steps so widely that none stands out. So the mean of the last
/// five steps is held against such means of before as well, and the larger deviation counts.
pub(super) fn deviation(row: &LinkRow, states: &str) -> Vec<Option<f64>> {
    let (mut single, mut smooth): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut found = Vec::with_capacity(row.bps.len());
    for (step, bps) in row.bps.iter().enumerate() {
        if !whole(states.as_bytes(), step) {
            found.push(None);
            continue;
        }
        let now = bps.unwrap_or(0.0);
        let alone = robust_z(now, last(&single, BEFORE));
        single.push(now);
        let recent = last(&single, TOGETHER);
        let mean = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
        let apart = smooth.get(..smooth.len().saturating_sub(APART)).unwrap_or_default();
        let together = robust_z(mean, last(apart, BEFORE));
        smooth.push(mean);
        found.push(match (alone, together) {
            (Some(a), Some(b)) if b.abs() > a.abs() => Some(b),
            (a, _) => a,
        });
    }
    found
}

/// Seen from its first to its last moment: a step beside a blind one may have been blind in part.
fn whole(states: &[u8], step: usize) -> bool {
    let blind = |at: Option<usize>| at.and_then(|at| states.get(at)) == Some(&b'n');
    !blind(Some(step)) && !blind(step.checked_sub(1)) && !blind(step.checked_add(1))
}

fn last(values: &[f64], n: usize) -> &[f64] {
    values.get(values.len().saturating_sub(n)..).unwrap_or_default()
}

/// How far outside of what was usual before, in robust standard deviations; 0 within it.
fn robust_z(now: f64, before: &[f64]) -> Option<f64> {
    if before.len() < BEFORE_MIN {
        return None;
    }
    let mut sorted = before.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted.get(((sorted.len() - 1) as f64 * share).round() as usize).copied();
    let (low, usual, high) = (at(1.0 - USUAL)?, at(0.5)?, at(USUAL)?);
    let outside = if now > high { now - high } else { (now - low).min(0.0) };
    if outside == 0.0 {
        return Some(0.0);
    }
    let spread = median(before.iter().map(|value| (value - usual).abs()).collect())? * MAD_TO_SIGMA;
    let spread = spread.max(usual * SPREAD_MIN).max((high - low) * RANGE_MIN);
    if spread <= 0.0 {
        // Always idle before: any traffic is new, and nothing says how new.
        return Some(DEVIATION_MAX);
    }
    Some((outside / spread).clamp(-DEVIATION_MAX, DEVIATION_MAX))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tap: &str, bps: &[Option<f64>]) -> LinkRow {
        let mirror = LinkMirror { kind: "erspan2".into(), session: Some(7), tap: tap.into(), ..LinkMirror::default() };
        let link = analyzer::report::Link { mirror, ..analyzer::report::Link::default() };
        LinkRow { link, bps: bps.to_vec(), max_bps_100us: Vec::new(), ce_share: Vec::new() }
    }

    #[test]
    fn idle_and_not_observed_are_told_apart_by_the_tap() {
        let rows = [row("a", &[Some(1.0), None, None, Some(2.0)]), row("a", &[Some(1.0), Some(3.0), None, None])];
        let mut loss = Finding { kind: "mirror_loss".into(), since_ns: 300, until_ns: Some(310), ..Finding::default() };
        loss.subject.tap = Some("a erspan2 session 7".into());
        let sight = Sight::of(&rows, &[loss], Steps { start_ns: 0, step_ns: 100, tick_ns: 100 });
        assert_eq!([sight.states(&rows[0]), sight.states(&rows[1])], ["miqp", "mmqi"]);
        // Another tap that sees something makes the silence suspicious; a tap that has ended observes nothing.
        let rows = [row("a", &[Some(1.0), None, Some(1.0), None]), row("b", &[None, Some(1.0), None, None])];
        let sight = Sight::of(&rows, &[], Steps { start_ns: 0, step_ns: 100, tick_ns: 100 });
        assert_eq!([sight.states(&rows[0]), sight.states(&rows[1])], ["mnmn", "nmnn"]);
    }

    #[test]
    fn a_step_is_measured_against_the_links_own_past() {
        let mut bps = vec![Some(100.0); 20];
        bps.extend([Some(200.0), None]);
        let states = "m".repeat(21) + "i";
        let found = deviation(&row("a", &bps), &states);
        assert_eq!((found[0], found[11], found[12]), (None, None, Some(0.0)));
        assert_eq!((found[20], found[21]), (Some(50.0), Some(-50.0)));
        assert_eq!(deviation(&row("a", &[Some(1.0); 20]), &"n".repeat(20)), vec![None; 20]);
    }

    #[test]
    fn a_heartbeat_is_usual_and_its_end_is_not() {
        let beat = |i: usize| Some(if i.is_multiple_of(3) { 100.0 } else { 4.0 });
        let mut bps: Vec<_> = (0..60).map(beat).collect();
        bps.extend([Some(100.0); 10]);
        let found = deviation(&row("a", &bps), &"m".repeat(70));
        assert!(found[..60].iter().flatten().all(|z| z.abs() < 5.0), "{found:?}");
        assert!(found[69].is_some_and(|z| z > 5.0), "{found:?}");
    }
}
