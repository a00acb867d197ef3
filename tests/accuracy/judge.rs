//! A report against the truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::truth::{Case, Truth};

/// Injected fault, kinds of findings that name it, kinds that it brings about.
const NAMES: &[(&str, &[&str], &[&str])] = &[
    ("incast", &["incast"], CONGESTION),
    ("checkpoint_incast", &["incast"], CONGESTION),
    (
        "incast_drops",
        &["incast"],
        &["fabric_loss", "goback_waste", "timeout_retransmit", "link_saturated", "ecn_congestion"],
    ),
    (
        "uplink_oversubscription",
        &["link_saturated"],
        &["ecn_congestion", "pfc_congestion", "cnp_pressure", "rtt_inflation", "job_slowdown"],
    ),
    (
        "ecmp_collision",
        &["ecmp_imbalance"],
        &["ecn_congestion", "link_saturated", "cnp_pressure", "rtt_inflation", "pfc_congestion"],
    ),
    (
        "pfc_storm",
        &["pfc_storm"],
        &["pfc_congestion", "slow_receiver", "job_hang", "timeout_retransmit", "link_silent"],
    ),
    (
        "pfc_deadlock",
        &["pfc_deadlock"],
        &["pfc_congestion", "pfc_storm", "job_hang", "timeout_retransmit", "link_silent"],
    ),
    ("slow_receiver", &["slow_receiver"], &["pfc_congestion", "straggler", "ecn_congestion"]),
    ("rnr", &["slow_receiver"], &["timeout_retransmit"]),
    ("lossy_link", &["fabric_loss"], REPEATS),
    ("loss", &["fabric_loss"], REPEATS),
    ("corrupt", &["corruption"], &["fabric_loss", "timeout_retransmit", "goback_waste"]),
    ("reorder", &["reordering"], &["fabric_loss", "goback_waste"]),
    ("duplicate", &["reordering", "mirror_loss", "goback_waste"], &[]),
    ("packet_trim", &["packet_trim"], &["fabric_loss", "goback_waste", "timeout_retransmit"]),
    ("remote_access_error", &["qp_error"], &[]),
    ("link_down", &["failover", "link_silent"], &["timeout_retransmit", "fabric_loss", "job_slowdown", "goback_waste"]),
    ("link_down_soft", &["link_silent", "link_flap", "failover"], &["timeout_retransmit", "fabric_loss", "job_hang"]),
    ("spine_down", &["failover", "link_silent"], &["timeout_retransmit", "fabric_loss", "job_slowdown"]),
    ("link_failover", &["failover"], &["link_silent", "timeout_retransmit", "fabric_loss"]),
    ("link_flap", &["link_flap"], &["failover", "link_silent", "timeout_retransmit", "fabric_loss"]),
    ("host_link_down", &["link_silent", "link_flap"], &["timeout_retransmit", "job_hang", "fabric_loss", "straggler"]),
    ("peer_dead", &["link_silent", "job_hang", "qp_error"], &["timeout_retransmit"]),
    (
        "link_degraded",
        &["link_degraded"],
        &[
            "ecn_congestion",
            "link_saturated",
            "straggler",
            "job_slowdown",
            "rtt_inflation",
            "pfc_congestion",
            "ecmp_imbalance",
        ],
    ),
    ("rate_limit", &["link_degraded"], &["straggler", "job_slowdown", "rtt_inflation", "timeout_retransmit"]),
    ("delay", &["straggler"], &["rtt_inflation", "job_slowdown", "timeout_retransmit"]),
    ("straggler_host", &["straggler"], &["job_slowdown"]),
    ("compute_straggler", &["straggler"], &["job_slowdown"]),
    ("host_hang", &["job_hang"], &["straggler", "link_silent", "job_slowdown"]),
    ("microburst", &["microburst"], &["incast", "ecn_congestion"]),
    ("ecn_congestion", &["ecn_congestion"], &["link_saturated", "incast", "rtt_inflation"]),
];

const CONGESTION: &[&str] =
    &["ecn_congestion", "cnp_pressure", "pfc_congestion", "link_saturated", "rtt_inflation", "microburst"];
const REPEATS: &[&str] = &["goback_waste", "timeout_retransmit"];
/// About our own sight, or a user's own rules: true or not whatever the fabric does.
const NO_ALARM: [&str; 3] = ["mirror_loss", "policy", "qos_misconfigured"];
/// A finding begins within this of its fault, ns.
pub const TICK_NS: u64 = 100_000_000;

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
    /// Its mirrors show a sample: what is not in it can't be named.
    pub sampled: bool,
    pub duration_ns: u64,
}

impl Judged {
    /// What a test may not accept.
    pub fn complaints(&self) -> Vec<String> {
        let demanded = || self.faults.iter().filter(|f| f.mirrored && !self.sampled);
        let missed = demanded().filter(|f| f.grade < Grade::Named);
        let missed = missed.map(|f| format!("{}: {} is {}", self.name, f.kind, f.grade.words()));
        let late = demanded().filter(|f| f.grade == Grade::Named && !f.in_time());
        let late = late.map(|f| format!("{}: {} begins {:?} ns from the fault", self.name, f.kind, f.onset_ns));
        missed.chain(late).chain(self.invented.iter().map(|i| format!("{}: invented {i}", self.name))).collect()
    }
}

impl Verdict {
    /// It begins within a tick of the fault.
    pub fn in_time(&self) -> bool {
        self.onset_ns.is_some_and(|ns| ns.unsigned_abs() <= TICK_NS)
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
        sampled: case.sampled,
        duration_ns: case.duration_ns,
    };
    let alarm = |f: &&Value| f["kind"].as_str().is_some_and(|kind| !NO_ALARM.contains(&kind));
    let warnings = findings.iter().filter(|f| f["severity"] != "info").filter(alarm);
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
        let sooner = |o: &Option<i64>| o.is_none_or(|o| onset < o);
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
