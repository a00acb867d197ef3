//! How long links and nodes were up, degraded and down, how far apart their failures are, and what that means for a job that needs
//! all of them: a thousand links, each up 99.9 % of the time, are hardly ever up together.

use serde::Serialize;

use crate::report::{Finding, Severity};

/// From one moment to another, exclusive, in ns of packet time.
pub type Stretch = (u64, u64);

/// Findings at whose time nothing comes through.
const DOWN: &[&str] = &["link_silent", "pfc_deadlock"];

/// Thirty days.
pub const MONTH_NS: f64 = 30.0 * 86_400e9;

/// Share of cases in which the true rate of failures lies under the upper bound given here.
const SURE: f64 = 0.95;

/// What one link or node was like over a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Availability {
    /// Time in which a sensor looked.
    pub observed_ns: u64,
    /// Of that, without a warning.
    pub up_ns: u64,
    /// Of that, with a warning or worse, though something came through.
    pub degraded_ns: u64,
    /// Of that, with nothing coming through.
    pub down_ns: u64,
    /// Times it went down.
    pub failures: u64,
    /// `1 - down / observed`; absent when nobody looked.
    pub availability: Option<f64>,
    /// Mean time between failures, from the end of one to the start of the next; absent without a failure.
    pub mtbf_ns: Option<f64>,
    /// The mean time between failures is longer than this with a confidence of 95 % (exact for failures independent of each
    /// other: Garwood 1936); absent when nobody looked.
    pub mtbf_at_least_ns: Option<f64>,
}

/// What follows for a cluster that stops when any of its parts does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cluster {
    /// Parts that it needs.
    pub parts: u64,
    /// Chance that thirty days pass without a failure, if failures are independent and as frequent as they were.
    pub month_without_failure: f64,
    /// The same with the most failures that the observation leaves possible with a confidence of 95 %.
    pub month_without_failure_at_least: f64,
    /// Expected failures in thirty days.
    pub failures_in_a_month: f64,
}

/// When one link or node was observed, down, and in any trouble; each in order and without overlap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    observed: Vec<Stretch>,
    down: Vec<Stretch>,
    troubled: Vec<Stretch>,
}

impl Record {
    /// Of one link: `observed` are the stretches in which a sensor looked, `findings` those about it. What only informs does not
    /// count; what is still open lasts to the end of observation.
    pub fn of<'a>(observed: &[Stretch], findings: impl Iterator<Item = &'a Finding>) -> Self {
        let observed = joined(observed.to_vec());
        let end = observed.last().map_or(0, |&(_, to)| to);
        let (mut down, mut troubled) = (Vec::new(), Vec::new());
        for finding in findings.filter(|finding| finding.severity > Severity::Info) {
            let stretch = (finding.since_ns, finding.until_ns.unwrap_or(end));
            if DOWN.contains(&finding.kind.as_str()) {
                down.push(stretch);
            }
            troubled.push(stretch);
        }
        Self { observed, down: joined(down), troubled: joined(troubled) }
    }

    /// Of a node from those of its links: down while all of them are, in trouble while one is.
    pub fn together<'a>(links: impl Iterator<Item = &'a Self>) -> Self {
        let mut node: Option<Self> = None;
        for link in links {
            node = Some(match node {
                None => link.clone(),
                Some(node) => Self {
                    observed: joined([node.observed, link.observed.clone()].concat()),
                    down: common(&node.down, &link.down),
                    troubled: joined([node.troubled, link.troubled.clone()].concat()),
                },
            });
        }
        node.unwrap_or_default()
    }

    /// Adds trouble that is said of the node itself.
    pub fn add<'a>(&mut self, findings: impl Iterator<Item = &'a Finding>) {
        let own = Self::of(&self.observed, findings);
        self.down = joined([std::mem::take(&mut self.down), own.down].concat());
        self.troubled = joined([std::mem::take(&mut self.troubled), own.troubled].concat());
    }

    /// Added up.
    pub fn sum(&self) -> Availability {
        // An outage over a gap in observation is one.
        let seen = |&&stretch: &&Stretch| !common(&[stretch], &self.observed).is_empty();
        let failures = self.down.iter().filter(seen).count() as u64;
        let within = |stretches: &[Stretch]| length(&common(stretches, &self.observed));
        let (observed_ns, down_ns, troubled_ns) = (length(&self.observed), within(&self.down), within(&self.troubled));
        let working = observed_ns.saturating_sub(down_ns) as f64;
        let known = observed_ns > 0;
        Availability {
            observed_ns,
            up_ns: observed_ns.saturating_sub(troubled_ns),
            degraded_ns: troubled_ns.saturating_sub(down_ns),
            down_ns,
            failures,
            availability: known.then(|| working / observed_ns as f64),
            mtbf_ns: (failures > 0).then(|| working / failures as f64),
            mtbf_at_least_ns: known.then(|| working / most_expected(failures)),
        }
    }
}

/// What the parts seen say of a cluster of `parts` like them; `None` when nobody looked.
pub fn cluster<'a>(seen: impl Iterator<Item = &'a Availability>, parts: u64) -> Option<Cluster> {
    let (mut working, mut failures) = (0.0, 0);
    for part in seen {
        working += part.observed_ns.saturating_sub(part.down_ns) as f64;
        failures += part.failures;
    }
    if working <= 0.0 {
        return None;
    }
    let months = parts as f64 * MONTH_NS / working;
    Some(Cluster {
        parts,
        failures_in_a_month: failures as f64 * months,
        month_without_failure: (-(failures as f64) * months).exp(),
        month_without_failure_at_least: (-most_expected(failures) * months).exp(),
    })
}

/// The largest mean of a Poisson distribution that still gives `count` or fewer in 5 % of cases.
fn most_expected(count: u64) -> f64 {
    let at_most = |mean: f64| {
        let (mut term, mut sum) = ((-mean).exp(), 0.0);
        for k in 0..=count {
            sum += term;
            term *= mean / (k + 1) as f64;
        }
        sum
    };
    // Beyond what an exponential of a double holds, the normal approximation is right to a thousandth.
    if count > 500 {
        return count as f64 + 1.0 + 1.645 * (count as f64 + 1.0).sqrt();
    }
    let (mut low, mut high) = (count as f64, count as f64 * 2.0 + 10.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_most(middle) > 1.0 - SURE { low = middle } else { high = middle }
    }
    high
}

/// In order, without overlap.
fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|(from, to)| from < to);
    stretches.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for (from, to) in stretches {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// What lies in both, each in order and without overlap.
fn common(one: &[Stretch], other: &[Stretch]) -> Vec<Stretch> {
    let (mut at, mut both) = (0, Vec::new());
    for &(from, to) in one {
        at += other.get(at..).unwrap_or_default().iter().take_while(|(_, end)| *end <= from).count();
        let touching = other.get(at..).unwrap_or_default().iter().take_while(|(start, _)| *start < to);
        both.extend(touching.map(|&(start, end)| (from.max(start), to.min(end))));
    }
    both
}

fn length(stretches: &[Stretch]) -> u64 {
    stretches.iter().map(|(from, to)| to - from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;

    fn finding(kind: &str, severity: Severity, since_ns: u64, until_ns: Option<u64>) -> Finding {
        Finding { kind: kind.to_owned(), severity, since_ns, until_ns, ..Finding::default() }
    }

    #[test]
    fn time_is_counted_once_and_only_while_somebody_looked() {
        let findings = [
            finding("link_silent", Severity::Critical, HOUR, Some(2 * HOUR)),
            // Within and beyond the outage: degraded for the half hour behind it.
            finding("ecn_congestion", Severity::Warning, HOUR + HOUR / 2, Some(2 * HOUR + HOUR / 2)),
            finding("microburst", Severity::Info, 3 * HOUR, Some(4 * HOUR)),
            // Lasts over a time in which nobody looked, is still open.
            finding("link_silent", Severity::Warning, 7 * HOUR, None),
        ];
        let got = Record::of(&[(10 * HOUR, 11 * HOUR), (0, 8 * HOUR)], findings.iter()).sum();
        assert_eq!(
            (got.observed_ns, got.down_ns, got.degraded_ns, got.up_ns),
            (9 * HOUR, 3 * HOUR, HOUR / 2, 5 * HOUR + HOUR / 2)
        );
        assert_eq!((got.failures, got.mtbf_ns), (2, Some(3.0 * HOUR as f64)));
        assert!((got.availability.unwrap() - 6.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn a_node_is_down_when_all_of_its_links_are() {
        let silent = |from, to| [finding("link_silent", Severity::Critical, from, Some(to))];
        let (one, other) = (silent(HOUR, 4 * HOUR), silent(3 * HOUR, 5 * HOUR));
        let links = [&one, &other].map(|findings| Record::of(&[(0, 10 * HOUR)], findings.iter()));
        let mut node = Record::together(links.iter());
        let got = node.sum();
        assert_eq!((got.down_ns, got.degraded_ns, got.up_ns, got.failures), (HOUR, 3 * HOUR, 6 * HOUR, 1));
        node.add([finding("slow_receiver", Severity::Warning, 9 * HOUR, None)].iter());
        assert_eq!((node.sum().down_ns, node.sum().degraded_ns), (HOUR, 4 * HOUR));
    }

    #[test]
    fn nobody_looked_is_not_always_up() {
        let got = Record::default().sum();
        assert_eq!((got.availability, got.mtbf_ns, got.mtbf_at_least_ns), (None, None, None));
        assert_eq!(cluster([got].iter(), 1000), None);
    }

    /// No failure in a time is no proof of none to come: rule of three. Table of Garwood's bounds for 1, 2, 10.
    #[test]
    fn bounds_are_those_of_the_tables() {
        for (count, bound) in [(0, 2.9957), (1, 4.7439), (2, 6.2958), (10, 16.9622), (400, 434.4)] {
            let got = most_expected(count);
            assert!((got - bound).abs() / bound < 0.001, "{count}: {got}");
        }
        assert!(most_expected(501) > most_expected(500) && most_expected(501) < most_expected(500) + 2.0);
    }

    /// 1,024 links, one of which failed once in a month: the next month passes with a chance of 1/e.
    #[test]
    fn a_cluster_needs_all_of_its_parts() {
        let month = MONTH_NS as u64;
        let mut parts = vec![Record::of(&[(0, month)], [].iter()).sum(); 1023];
        let down = [finding("link_silent", Severity::Critical, HOUR, Some(HOUR + 1))];
        parts.push(Record::of(&[(0, month)], down.iter()).sum());
        let got = cluster(parts.iter(), 1024).unwrap();
        assert!((got.month_without_failure - (-1.0f64).exp()).abs() < 1e-9);
        assert!((got.month_without_failure_at_least - (-4.7439f64).exp()).abs() < 1e-5);
        assert!((got.failures_in_a_month - 1.0).abs() < 1e-9);
    }
}
