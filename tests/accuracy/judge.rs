//! A report against the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::truth::{Case, Truth};

/// Injected fault, kinds of findings that name it, kinds that it brings about.
const NAMES: &[(&str, &[&str], &[&str])] = &[
    ("incast", &["incast"], CONGESTION),
    ("incast_drops", &["incast"], CONGESTION),
    ("checkpoint_incast", &["incast"], CONGESTION),
    ("microburst", &["microburst"], CONGESTION),
    ("uplink_oversubscription", &["link_saturated"], CONGESTION),
    ("ecmp_collision", &["ecmp_imbalance"], CONGESTION),
    ("ecn_congestion", &["ecn_congestion"], CONGESTION),
    ("link_degraded", &["link_degraded"], CONGESTION),
    ("rate_limit", &["link_degraded"], CONGESTION),
    ("pfc_storm", &["pfc_storm"], PAUSES),
    ("pfc_deadlock", &["pfc_deadlock"], PAUSES),
    ("slow_receiver", &["slow_receiver"], PAUSES),
    ("rnr", &["slow_receiver"], LOSS),
    ("lossy_link", &["fabric_loss"], LOSS),
    ("loss", &["fabric_loss"], LOSS),
    ("corrupt", &["corruption"], LOSS),
    ("reorder", &["reordering"], LOSS),
    ("duplicate", &["reordering"], LOSS),
    ("packet_trim", &["packet_trim"], LOSS),
    ("remote_access_error", &["qp_error"], LOSS),
    ("link_down", &["failover", "link_silent", "link_flap"], LOSS),
    ("spine_down", &["failover", "link_silent"], LOSS),
    ("link_failover", &["failover"], LOSS),
    ("link_flap", &["link_flap"], LOSS),
    ("host_link_down", &["link_silent", "link_flap"], LOSS),
    ("peer_dead", &["link_silent", "job_hang", "qp_error"], LOSS),
    ("delay", &["rtt_inflation", "straggler"], LOSS),
    ("straggler_host", &["straggler"], JOBS),
    ("compute_straggler", &["straggler"], JOBS),
    ("host_hang", &["job_hang"], JOBS),
];

const CONGESTION: &[&str] = &[
    "ecn_congestion",
    "cnp_pressure",
    "pfc_congestion",
    "link_saturated",
    "rtt_inflation",
    "microburst",
    "incast",
    "fabric_loss",
    "goback_waste",
    "timeout_retransmit",
    "straggler",
    "job_slowdown",
    "ecmp_imbalance",
];
const PAUSES: &[&str] = &[
    "pfc_congestion",
    "pfc_storm",
    "slow_receiver",
    "job_hang",
    "timeout_retransmit",
    "link_silent",
    "straggler",
    "ecn_congestion",
];
const LOSS: &[&str] = &[
    "fabric_loss",
    "goback_waste",
    "timeout_retransmit",
    "reordering",
    "rtt_inflation",
    "link_silent",
    "job_hang",
    "job_slowdown",
    "straggler",
    "failover",
];
const JOBS: &[&str] = &["straggler", "job_slowdown", "link_silent", "job_hang"];

/// How much of a fault was understood.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Missed,
    /// Only what follows from it.
    Symptom,
    /// The right kind, about something else.
    Elsewhere,
    /// The right kind on the right subject.
    Named,
}

/// One fault, judged.
pub struct Verdict {
    pub kind: String,
    pub grade: Grade,
    /// Start of the finding against the time in which the fault began, 0 within it, in ns.
    pub onset_ns: Option<i64>,
    pub mirrored: bool,
}

/// One scenario, judged.
pub struct Judged {
    pub name: String,
    pub faults: Vec<Verdict>,
    /// Warnings and worse, by kind: all, and those that nothing explains.
    pub warned: BTreeMap<String, (u64, u64)>,
    /// What nothing explains.
    pub invented: Vec<String>,
    pub healthy: bool,
    pub duration_ns: u64,
}

impl Judged {
    /// What a test may not accept.
    pub fn complaints(&self) -> Vec<String> {
        let missed = self.faults.iter().filter(|f| f.grade < Grade::Named && f.mirrored);
        let missed = missed.map(|f| format!("{}: {} is {}", self.name, f.kind, f.grade.words()));
        missed.chain(self.invented.iter().map(|i| format!("{}: invented {i}", self.name))).collect()
    }
}

impl Grade {
    pub fn words(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Symptom => "seen by its consequences only",
            Self::Elsewhere => "named on another subject",
            Self::Named => "named",
        }
    }
}

/// Compares.
pub fn judge(case: &Case, report: &Value) -> Judged {
    let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    let mut judged = Judged {
        name: case.name.clone(),
        faults: case.faults.iter().map(|t| verdict(t, case, report, findings)).collect(),
        warned: BTreeMap::new(),
        invented: Vec::new(),
        healthy: case.faults.is_empty(),
        duration_ns: case.duration_ns,
    };
    // Mirror loss is about our own sight, and true where a mirror loses.
    let warnings = findings.iter().filter(|f| f["severity"] != "info" && f["kind"] != "mirror_loss");
    for finding in warnings {
        let kind = finding["kind"].as_str().unwrap_or_default();
        let explained = case.faults.iter().any(|t| during(finding, t.start_ns.0, t.end_ns, case.slack_ns))
            || case.busy.iter().any(|b| during(finding, b.0, b.1, case.slack_ns));
        let (all, invented) = judged.warned.entry(kind.to_owned()).or_default();
        *all += 1;
        if !explained {
            *invented += 1;
            judged.invented.push(format!("{kind} on {}", finding["subject"]));
        }
    }
    judged
}

fn during(finding: &Value, start_ns: u64, end_ns: u64, slack_ns: u64) -> bool {
    let since = finding["since_ns"].as_u64().unwrap_or(0);
    let until = finding["until_ns"].as_u64().unwrap_or(u64::MAX);
    since <= end_ns.saturating_add(slack_ns) && until >= start_ns
}

fn verdict(truth: &Truth, case: &Case, report: &Value, findings: &[Value]) -> Verdict {
    let (_, names, brings) = NAMES.iter().find(|n| n.0 == truth.kind).unwrap_or(&("", &[], &[]));
    let mut best = (Grade::Missed, None);
    let here = findings.iter().filter(|f| during(f, truth.start_ns.0, truth.end_ns, case.slack_ns));
    for finding in here {
        let kind = finding["kind"].as_str().unwrap_or_default();
        let on_it = truth.subjects.is_empty() || !truth.subjects.is_disjoint(&subjects(finding, report));
        let grade = match (names.contains(&kind), on_it) {
            (true, true) => Grade::Named,
            (true, false) => Grade::Elsewhere,
            (false, _) if brings.contains(&kind) => Grade::Symptom,
            _ => continue,
        };
        let onset = onset_ns(finding["since_ns"].as_u64().unwrap_or(0), truth.start_ns);
        let sooner = |o: &Option<i64>| o.is_none_or(|o| onset.abs() < o.abs());
        if grade > best.0 || grade == best.0 && sooner(&best.1) {
            best = (grade, Some(onset));
        }
    }
    Verdict { kind: truth.kind.clone(), grade: best.0, onset_ns: best.1, mirrored: truth.mirrored }
}

fn onset_ns(since: u64, (earliest, latest): (u64, u64)) -> i64 {
    let away = |from: u64| since as i64 - from as i64;
    if since < earliest { away(earliest) } else { away(latest).max(0) }
}

/// Every name that the subject of a finding goes by.
fn subjects(finding: &Value, report: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    words(&finding["subject"], &mut names);
    let link = &finding["subject"]["link"];
    for known in report["links"].as_array().into_iter().flatten().filter(|l| l["id"] == *link) {
        for name in ["name", "from", "to"] {
            words(&known[name], &mut names);
        }
    }
    names
}

fn words(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(word) => _ = into.insert(word.clone()),
        Value::Object(parts) => parts.values().for_each(|v| words(v, into)),
        Value::Array(parts) => parts.iter().for_each(|v| words(v, into)),
        _ => {}
    }
}
