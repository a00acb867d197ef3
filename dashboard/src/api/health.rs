//! Health for schedulers: which hosts and links to use, to watch and to avoid, since when, why, and which jobs are touched.

use std::collections::{BTreeMap, BTreeSet};

use analyzer::report::{Finding, Report, Severity};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::findings::{by_name, link_of};
use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context};

/// Hosts and links looked at; what is beyond is counted in `not_listed`.
const MAX: usize = 20_000;
/// Reasons given per host or link, the worst first.
const REASONS: usize = 8;

/// May it be used?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// Nothing is open against it.
    Healthy,
    /// A warning is.
    Degraded,
    /// A critical finding is.
    Avoid,
}

impl Health {
    const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Avoid];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Avoid => "avoid",
        }
    }

    fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Avoid,
            Severity::Warning => Self::Degraded,
            Severity::Info => Self::Healthy,
        }
    }
}

/// One host or link.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Address of a host, id of a link.
    pub id: String,
    pub state: Health,
    /// Start of the earliest finding behind the state; absent while healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ns: Option<u64>,
    why: Vec<Why>,
    jobs: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Why {
    finding: String,
    kind: String,
    severity: Severity,
    explanation: String,
}

/// Findings that are open, are bad, and are no mere consequence of another that is open: a victim is not drained.
fn roots(report: &Report) -> Vec<&Finding> {
    let open = || report.findings.iter().filter(|f| f.until_ns.is_none());
    let ids: BTreeSet<&str> = open().map(|f| f.id.as_str()).collect();
    let root = |f: &&Finding| f.cause.as_deref().is_none_or(|cause| !ids.contains(cause));
    open().filter(|f| f.severity > Severity::Info).filter(root).collect()
}

fn row(id: String, against: &[&Finding], mut jobs: BTreeSet<String>) -> Row {
    let state = against.iter().map(|f| Health::of(f.severity)).max().unwrap_or(Health::Healthy);
    jobs.extend(against.iter().flat_map(|f| &f.jobs).map(|cost| cost.job.clone()));
    let mut worst: Vec<&&Finding> = against.iter().collect();
    worst.sort_by_key(|f| (std::cmp::Reverse(f.severity), f.since_ns, &f.id));
    let why = |f: &&Finding| Why {
        finding: f.id.clone(),
        kind: f.kind.clone(),
        severity: f.severity,
        explanation: f.explanation.clone(),
    };
    let why = worst.into_iter().take(REASONS).map(why).collect();
    Row { id, state, since_ns: against.iter().map(|f| f.since_ns).min(), why, jobs }
}

/// Every host seen in a queue pair, a job or a finding.
pub(super) fn hosts(report: &Report) -> Vec<Row> {
    let mut jobs_of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for qp in &report.qps {
        jobs_of.entry(&qp.src).or_default();
        jobs_of.entry(&qp.dst).or_default();
    }
    for job in &report.jobs {
        for host in &job.hosts {
            jobs_of.entry(host).or_default().insert(job.id.clone());
        }
    }
    let against = by_name(roots(report).into_iter(), |subject| subject.host.as_ref());
    against.keys().for_each(|host| _ = jobs_of.entry(host).or_default());
    let none = Vec::new();
    jobs_of.into_iter().map(|(host, jobs)| row(host.to_owned(), against.get(host).unwrap_or(&none), jobs)).collect()
}

/// Every link of the report.
pub(super) fn links(report: &Report) -> Vec<Row> {
    let against = by_name(roots(report).into_iter(), link_of);
    let none = Vec::new();
    let one = |link: &analyzer::report::Link| {
        row(link.id.clone(), against.get(link.id.as_str()).unwrap_or(&none), link.jobs.iter().cloned().collect())
    };
    report.links.iter().map(one).collect()
}

/// Hosts and what to do with them.
pub(super) async fn of_hosts(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    answer(&context, &params, hosts)
}

/// Links and what to do with them.
pub(super) async fn of_links(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    answer(&context, &params, links)
}

fn answer(context: &Context, params: &Params, rows: fn(&Report) -> Vec<Row>) -> Result<Json<Value>, ApiError> {
    let report = context.live.as_ref().and_then(crate::Live::report);
    let mut all = report.as_deref().map(rows).unwrap_or_default();
    let counts = counts(&all).into_iter().map(|(state, n)| (state.name().to_owned(), Value::from(n)));
    let counts: Value = counts.collect();
    let wanted = params.one_of("state");
    all.retain(|row| wanted == "any" || row.state.name() == wanted);
    all.sort_by(|a, b| (b.state, a.since_ns, &a.id).cmp(&(a.state, b.since_ns, &b.id)));
    let not_listed = all.len().saturating_sub(MAX);
    all.truncate(MAX);
    Ok(Json(json!({
        "known": report.is_some(),
        "counts": counts,
        "rows": with_texts(&all)?,
        "not_listed": not_listed,
    })))
}

/// How many are in each state.
pub(super) fn counts(rows: &[Row]) -> [(Health, usize); 3] {
    Health::ALL.map(|state| (state, rows.iter().filter(|row| row.state == state).count()))
}
