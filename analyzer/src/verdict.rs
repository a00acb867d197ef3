//! The three questions that someone asks at three in the morning: what is wrong, is it the network, who pays?

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::report::{Finding, Severity};

/// Whose trouble a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Links and switches.
    Network,
    /// A host, its adapter or its program.
    Host,
    /// A training job's own pace.
    Job,
    /// The mirror: not the fabric at all.
    Sight,
}

/// Who is to blame for the heaviest finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The network.
    Network,
    /// A host.
    Host,
    /// A job itself.
    Job,
    /// Nobody: nothing is wrong.
    None,
    /// No link carried a packet: nothing can be said.
    Unknown,
}

/// A job and what it pays, by the finding that costs it most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pays {
    /// Job id.
    pub job: String,
    /// Added time per step.
    pub cost_ns_per_step: u64,
    /// Id of the finding.
    pub finding: String,
}

/// Kinds that are not the network's trouble.
const SIDES: &[(&str, Side)] = &[
    ("congestion_control_off", Side::Host),
    ("pfc_storm", Side::Host),
    ("slow_receiver", Side::Host),
    ("mirror_loss", Side::Sight),
    ("qos_misconfigured", Side::Host),
    ("straggler", Side::Job),
    ("job_hang", Side::Job),
    ("job_slowdown", Side::Job),
    ("qp_error", Side::Host),
    (POLICY, Side::Host),
];

/// The kind of users' own rules.
const POLICY: &str = "policy";

/// Whose trouble a kind is; the network's where it is not known.
pub fn side(kind: &str) -> Side {
    SIDES.iter().find(|(name, _)| *name == kind).map_or(Side::Network, |&(_, side)| side)
}

/// How bad a finding is with all that follows from it: a mild loss that stops a job is not mild.
pub fn gravity(finding: &Finding, findings: &[Finding]) -> Severity {
    let mut worst = finding.severity;
    let (mut from, mut seen) = (vec![finding.id.as_str()], BTreeSet::new());
    while let Some(id) = from.pop() {
        for next in findings.iter().filter(|next| next.cause.as_deref() == Some(id)) {
            if seen.insert(next.id.as_str()) {
                worst = worst.max(next.severity);
                from.push(&next.id);
            }
        }
    }
    worst
}

/// Roots before consequences, worse before milder, open before closed, earlier before later.
pub fn by_weight(finding: &Finding, findings: &[Finding]) -> impl Ord + use<> {
    let gravity = Reverse(gravity(finding, findings));
    (finding.cause.is_some(), gravity, finding.until_ns.is_some(), finding.since_ns, finding.id.clone())
}

/// The heaviest warning or worse that is about the fabric and not about our own sight. A broken rule of the user's stands behind all
/// that is broken.
pub fn heaviest(findings: &[Finding]) -> Option<&Finding> {
    let of_fabric = |f: &&Finding| f.severity > Severity::Info && side(&f.kind) != Side::Sight;
    findings.iter().filter(of_fabric).min_by_key(|finding| (finding.kind == POLICY, by_weight(finding, findings)))
}

/// Is it the network? `active`: some link carried a packet.
pub fn blame(findings: &[Finding], active: bool) -> Blame {
    match heaviest(findings).map(|finding| side(&finding.kind)) {
        Some(Side::Network) => Blame::Network,
        Some(Side::Host) => Blame::Host,
        Some(Side::Job | Side::Sight) => Blame::Job,
        None if active => Blame::None,
        None => Blame::Unknown,
    }
}

/// Jobs that a warning or worse touches, whether or not a cost was measured.
pub fn touched(findings: &[Finding]) -> BTreeSet<&str> {
    let sick = findings.iter().filter(|finding| finding.severity > Severity::Info);
    sick.flat_map(|f| f.jobs.iter().map(|j| j.job.as_str())).collect()
}

/// Jobs that a finding costs time, dearest first.
pub fn pays(findings: &[Finding]) -> Vec<Pays> {
    let mut by_job: BTreeMap<&str, Pays> = BTreeMap::new();
    for finding in findings {
        for cost in finding.jobs.iter().filter(|cost| cost.cost_ns_per_step > 0) {
            let pays = || Pays { job: cost.job.clone(), cost_ns_per_step: 0, finding: finding.id.clone() };
            let dearest = by_job.entry(&cost.job).or_insert_with(pays);
            if cost.cost_ns_per_step > dearest.cost_ns_per_step {
                *dearest = Pays { cost_ns_per_step: cost.cost_ns_per_step, ..pays() };
            }
        }
    }
    let mut all: Vec<Pays> = by_job.into_values().collect();
    all.sort_by_key(|pays| Reverse(pays.cost_ns_per_step));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::JobCost;

    fn finding(id: &str, kind: &str, severity: Severity, cause: Option<&str>) -> Finding {
        let (id, kind, cause) = (id.to_owned(), kind.to_owned(), cause.map(str::to_owned));
        Finding { id, kind, severity, cause, ..Finding::default() }
    }

    #[test]
    fn the_root_is_blamed_with_the_weight_of_what_follows() {
        let findings = [
            finding("hang", "job_hang", Severity::Critical, Some("loss")),
            finding("slow", "slow_receiver", Severity::Warning, None),
            finding("loss", "fabric_loss", Severity::Warning, None),
            finding("blind", "mirror_loss", Severity::Critical, None),
        ];
        assert_eq!(heaviest(&findings).map(|f| f.id.as_str()), Some("loss"));
        assert_eq!(blame(&findings, true), Blame::Network);
        assert_eq!(blame(&findings[1..2], true), Blame::Host);
        assert_eq!(blame(&findings[3..], true), Blame::None);
        assert_eq!(blame(&[], false), Blame::Unknown);
    }

    #[test]
    fn a_rule_of_the_user_hides_no_fault() {
        let findings = [
            finding("rule", "policy", Severity::Critical, None),
            finding("marks", "ecn_congestion", Severity::Warning, None),
        ];
        assert_eq!(heaviest(&findings).map(|f| f.id.as_str()), Some("marks"));
        assert_eq!(heaviest(&findings[..1]).map(|f| f.id.as_str()), Some("rule"));
    }

    #[test]
    fn a_circle_of_causes_ends() {
        let one = finding("a", "fabric_loss", Severity::Info, Some("b"));
        let two = finding("b", "fabric_loss", Severity::Critical, Some("a"));
        assert_eq!(gravity(&one, &[one.clone(), two]), Severity::Critical);
    }

    #[test]
    fn a_job_pays_once_by_what_costs_it_most() {
        let cost = |job: &str, cost_ns_per_step| JobCost { job: job.to_owned(), cost_ns_per_step };
        let mut findings = [
            finding("a", "fabric_loss", Severity::Warning, None),
            finding("b", "ecn_congestion", Severity::Warning, None),
        ];
        findings[0].jobs = vec![cost("job-1", 5), cost("job-2", 90)];
        findings[1].jobs = vec![cost("job-1", 7), cost("job-3", 0)];
        let all: Vec<(String, u64, String)> =
            pays(&findings).into_iter().map(|p| (p.job, p.cost_ns_per_step, p.finding)).collect();
        assert_eq!(all, [("job-2".to_owned(), 90, "a".to_owned()), ("job-1".to_owned(), 7, "b".to_owned())]);
        assert!(touched(&findings).contains("job-3"), "touched, though it pays nothing");
        findings.iter_mut().for_each(|f| f.severity = Severity::Info);
        assert!(touched(&findings).is_empty(), "nothing is sick");
    }
}
