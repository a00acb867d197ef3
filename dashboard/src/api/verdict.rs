//! The first question: is something wrong, is it the network, who pays?

use analyzer::report::{Finding, Job, MirrorHealth, Report, Severity, Subject};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::{LinkRow, Query, Window};

use super::json::with_texts;
use super::lists::every_finding;
use super::params::Params;
use super::{ApiError, Context, within};

/// What a card is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum About {
    /// Links, queue pairs, hosts.
    Network,
    /// Training jobs.
    Job,
    /// Our own sight.
    Sight,
}

/// Kinds that a job itself causes or suffers.
const JOB_KINDS: &[&str] = &["straggler", "job_hang", "job_slowdown"];

/// Kinds about the mirror.
const SIGHT_KINDS: &[&str] = &["mirror_loss"];

/// What a kind means, to follow the name of its subject.
const WORDS: &[(&str, &str)] = &[
    ("ecn_congestion", "is congested: switches mark its packets"),
    ("cnp_pressure", "is told to slow down"),
    ("congestion_control_off", "ignores congestion marks"),
    ("pfc_congestion", "is held by pause frames"),
    ("pfc_storm", "is shut by a pause storm"),
    ("pfc_deadlock", "is in a pause deadlock"),
    ("slow_receiver", "cannot receive fast enough"),
    ("fabric_loss", "loses packets"),
    ("timeout_retransmit", "waited for a timeout to repeat lost packets"),
    ("goback_waste", "repeats much of what it sends"),
    ("reordering", "delivers packets out of order"),
    ("mirror_loss", "lost mirrored packets: our sight, not the fabric"),
    ("link_silent", "fell silent"),
    ("link_flap", "goes down and up"),
    ("failover", "changed its path"),
    ("ecmp_imbalance", "is loaded unevenly"),
    ("incast", "gets too many senders at once"),
    ("microburst", "has bursts near line rate"),
    ("link_saturated", "is full"),
    ("link_degraded", "runs under its speed"),
    ("rtt_inflation", "answers late"),
    ("corruption", "damages packets"),
    ("packet_trim", "trims packets"),
    ("qos_misconfigured", "marks its classes wrongly"),
    ("straggler", "makes its job wait"),
    ("job_hang", "hangs"),
    ("job_slowdown", "is slower than before"),
    ("qp_error", "broke a queue pair"),
    ("control_plane", "changed its control sessions"),
    ("policy", "broke a rule"),
];

#[derive(Debug, Serialize)]
struct Card {
    about: About,
    /// `critical`, `warning`, `info`, `ok`, `unknown`.
    level: &'static str,
    title: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ns: Option<u64>,
    /// Further findings of this group, warnings and worse.
    more: usize,
}

/// Three cards.
pub(super) async fn verdict(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else {
        return Ok(Json(json!({ "window": null, "cards": [], "links": 0, "links_active": 0 })));
    };
    let (findings, _) = every_finding(&context, &all(window)).await?;
    let links = within(context.store.links(window, 1)).await?;
    let report = context.live.as_ref().and_then(crate::Live::report);
    let cards = [
        worst(About::Network, &findings, &links).unwrap_or_else(|| no_fault(&links)),
        worst(About::Job, &findings, &links).unwrap_or_else(|| jobs(report.as_deref())),
        worst(About::Sight, &findings, &links).unwrap_or_else(|| sight(report.as_deref())),
    ];
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "cards": with_texts(&cards)?,
        "links": links.len(),
        "links_active": active(&links),
    })))
}

fn all(window: Window) -> Query {
    let (search, sort) = (String::new(), "severity".to_owned());
    Query { window, search, link: None, name: None, sort, descending: true, offset: 0, limit: 1000 }
}

fn about(finding: &Finding) -> About {
    if SIGHT_KINDS.contains(&finding.kind.as_str()) {
        About::Sight
    } else if JOB_KINDS.contains(&finding.kind.as_str()) {
        About::Job
    } else {
        About::Network
    }
}

/// The worst of a group: roots before consequences, open before closed, worse before milder, earlier before later.
fn worst(group: About, findings: &[Finding], links: &[LinkRow]) -> Option<Card> {
    let mut of_group: Vec<_> =
        findings.iter().filter(|finding| about(finding) == group && finding.severity > Severity::Info).collect();
    of_group.sort_by_key(|finding| {
        let closed = finding.until_ns.is_some();
        (std::cmp::Reverse(finding.severity), finding.cause.is_some(), closed, finding.since_ns)
    });
    let first = of_group.first()?;
    let words = WORDS.iter().find(|(kind, _)| *kind == first.kind).map_or("has a finding", |(_, words)| words);
    Some(Card {
        about: group,
        level: first.severity.name(),
        title: format!("{} {words}", subject(&first.subject, links)),
        detail: first.explanation.clone(),
        finding: Some(first.id.clone()),
        link: first.subject.link.clone(),
        since_ns: Some(first.since_ns),
        until_ns: first.until_ns,
        more: of_group.len() - 1,
    })
}

fn subject(subject: &Subject, links: &[LinkRow]) -> String {
    if let Some(qp) = &subject.qp {
        return format!("Queue pair {} \u{2192} {} #{}", qp.src, qp.dst, qp.dst_qp);
    }
    if let Some(id) = &subject.link {
        let name = links.iter().find(|row| row.link.id == *id).map_or(id, |row| &row.link.name);
        return format!("Link {name}");
    }
    let other = [("Host", &subject.host), ("Job", &subject.job), ("Tap", &subject.tap)];
    let named = other.iter().find_map(|(word, name)| Some(format!("{word} {}", name.as_ref()?)));
    named.unwrap_or_else(|| "The fabric".to_owned())
}

fn active(links: &[LinkRow]) -> usize {
    links.iter().filter(|row| row.link.packets > 0).count()
}

fn plain(about: About, level: &'static str, title: String, detail: String) -> Card {
    Card { about, level, title, detail, finding: None, link: None, since_ns: None, until_ns: None, more: 0 }
}

fn no_fault(links: &[LinkRow]) -> Card {
    let detail = format!("{} of {} links carried packets in this window.", active(links), links.len());
    if active(links) == 0 {
        return plain(About::Network, "unknown", "No packet in this window".to_owned(), detail);
    }
    plain(About::Network, "ok", "No fault found".to_owned(), detail)
}

fn jobs(report: Option<&Report>) -> Card {
    let Some(report) = report else {
        let why = "Jobs are recognised by a running analysis; this process only serves a store.";
        return plain(About::Job, "unknown", "Jobs not known here".to_owned(), why.to_owned());
    };
    match report.jobs.as_slice() {
        [] => {
            let why = "Hosts that train together show as periodic groups of RDMA traffic; none was found.";
            plain(About::Job, "unknown", "No training job recognised".to_owned(), why.to_owned())
        }
        jobs => plain(About::Job, "ok", "No job is slowed".to_owned(), names(jobs)),
    }
}

fn names(jobs: &[Job]) -> String {
    let named = jobs.iter().take(3).map(|job| format!("{} on {} hosts", job.id, job.hosts.len()));
    let rest = jobs.len().saturating_sub(3);
    let list = named.collect::<Vec<_>>().join(", ");
    if rest > 0 { format!("{list} and {rest} more.") } else { format!("{list}.") }
}

fn sight(report: Option<&Report>) -> Card {
    let Some(report) = report else {
        let why = "What the mirror lost is told by a running analysis; this process only serves a store.";
        return plain(About::Sight, "unknown", "Our own sight is not known here".to_owned(), why.to_owned());
    };
    let capture = &report.capture;
    let MirrorHealth { lost, truncated, sampled_one_in, .. } = capture.mirror;
    let refused: u64 = capture.refused.values().sum();
    let mut detail = format!("{} packets read, {refused} not understood, {truncated} cut.", capture.packets);
    if let Some(n) = sampled_one_in {
        detail.push_str(&format!(" Sampled 1 in {n}: loss cannot be measured."));
    }
    match lost {
        0 => plain(About::Sight, "ok", "The mirror lost nothing that it numbered".to_owned(), detail),
        n => plain(About::Sight, "warning", format!("The mirror lost {n} packets"), detail),
    }
}
