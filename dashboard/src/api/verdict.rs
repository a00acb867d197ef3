//! The first question: is something wrong, is it the network, who pays?
//!
//! Each card comes in English for people who ask by hand, and as a `case` with its numbers for the page, which words it in its language.

use std::collections::BTreeMap;

use analyzer::report::{Finding, Job, Report, Severity, Subject};
use analyzer::verdict::{Pays, Side, blame, by_weight, gravity, pays, side, touched};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::LinkRow;

use super::findings::{every_finding, of_window};
use super::json::with_texts;
use super::kinds::words;
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

/// Envelopes that number their frames; what others lose leaves no trace.
const NUMBERED: &[&str] = &["erspan2", "erspan3", "gretap"];

#[derive(Debug, Serialize)]
struct Card {
    about: About,
    /// `critical`, `warning`, `info`, `ok`, `unknown`.
    level: &'static str,
    /// Which of the things it can say.
    case: &'static str,
    /// The numbers in it.
    numbers: BTreeMap<&'static str, u64>,
    title: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<Finding>,
    /// Name of the finding's link.
    #[serde(skip_serializing_if = "Option::is_none")]
    link_name: Option<String>,
    /// Further findings of this group, warnings and worse.
    more: usize,
}

/// Three cards and the answers to the three questions.
pub(super) async fn verdict(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else {
        return Ok(Json(json!({ "window": null, "cards": [], "links": 0, "links_active": 0 })));
    };
    let (findings, _) = every_finding(&context, &of_window(window)).await?;
    let links = within(context.store.links(window, 1)).await?;
    let report = context.live.as_ref().and_then(crate::Live::report);
    let known = super::jobs::all(&context, &params).await?;
    let pays = pays(&findings);
    let cards = [
        worst(About::Network, &findings, &links).unwrap_or_else(|| no_fault(&links)),
        worst(About::Job, &findings, &links).unwrap_or_else(|| jobs(known.as_deref(), &pays)),
        worst(About::Sight, &findings, &links).unwrap_or_else(|| sight(report.as_deref())),
    ];
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "blame": blame(&findings, active(&links) > 0),
        "pays": pays,
        "touched": touched(&findings),
        "jobs_known": known.as_ref().map(Vec::len),
        "cards": with_texts(&cards)?,
        "links": links.len(),
        "links_active": active(&links),
        "counts": counts(&findings),
    })))
}

fn counts(findings: &[Finding]) -> Value {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    json!({ "critical": of(Severity::Critical), "warning": of(Severity::Warning), "info": of(Severity::Info) })
}

fn about(finding: &Finding) -> About {
    match side(&finding.kind) {
        Side::Sight => About::Sight,
        Side::Job => About::Job,
        Side::Network | Side::Host => About::Network,
    }
}

fn worst(group: About, findings: &[Finding], links: &[LinkRow]) -> Option<Card> {
    let of_group = findings.iter().filter(|finding| about(finding) == group && finding.severity > Severity::Info);
    let more = of_group.clone().count();
    let first = of_group.min_by_key(|finding| by_weight(finding, findings))?;
    let name = first.subject.link.as_ref().and_then(|id| links.iter().find(|row| row.link.id == *id));
    Some(Card {
        about: group,
        level: gravity(first, findings).name(),
        case: "finding",
        numbers: BTreeMap::new(),
        title: format!("{} {}", subject(&first.subject, links), words(&first.kind)),
        detail: first.explanation.clone(),
        finding: Some(first.clone()),
        link_name: name.map(|row| row.link.name.clone()),
        more: more - 1,
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

fn plain(about: About, level: &'static str, case: &'static str, title: &str, detail: String) -> Card {
    let (numbers, title) = (BTreeMap::new(), title.to_owned());
    Card { about, level, case, numbers, title, detail, finding: None, link_name: None, more: 0 }
}

fn no_fault(links: &[LinkRow]) -> Card {
    let detail = format!("{} of {} links carried packets in this window.", active(links), links.len());
    let card = match active(links) {
        0 => plain(About::Network, "unknown", "no_packet", "No packet in this window", detail),
        _ => plain(About::Network, "ok", "no_fault", "No fault found", detail),
    };
    Card { numbers: BTreeMap::from([("active", active(links) as u64), ("links", links.len() as u64)]), ..card }
}

fn jobs(known: Option<&[Job]>, pays: &[Pays]) -> Card {
    let paying = pays.iter().filter(|one| one.cost_ns_per_step > 0).count();
    if let Some(dearest) = pays.first().filter(|_| paying > 0) {
        let detail = format!("{} loses {} ns of each step.", dearest.job, dearest.cost_ns_per_step);
        let card = plain(About::Job, "warning", "jobs_pay", &format!("{paying} jobs lose time"), detail);
        let numbers = BTreeMap::from([("jobs", paying as u64), ("cost_ns", dearest.cost_ns_per_step)]);
        return Card { numbers, ..card };
    }
    let Some(known) = known else {
        let why = "The analysis has not told of jobs yet.";
        return plain(About::Job, "unknown", "jobs_not_known", "Jobs not known here", why.to_owned());
    };
    let card = match known {
        [] => {
            let why = "Hosts that train together show as periodic groups of RDMA traffic; none was found.";
            plain(About::Job, "unknown", "no_job", "No training job recognised", why.to_owned())
        }
        jobs => plain(About::Job, "ok", "jobs_fine", "No job is slowed", names(jobs)),
    };
    Card { numbers: BTreeMap::from([("jobs", known.len() as u64)]), ..card }
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
        return plain(About::Sight, "unknown", "sight_not_known", "Our own sight is not known here", why.to_owned());
    };
    let (capture, mirror) = (&report.capture, &report.capture.mirror);
    let refused: u64 = capture.refused.values().sum();
    let mut detail = format!("{} packets read, {refused} not understood, {} cut.", capture.packets, mirror.truncated);
    if let Some(n) = mirror.sampled_one_in {
        detail.push_str(&format!(" Sampled 1 in {n}: loss cannot be measured."));
    }
    let numbered = capture.taps.iter().any(|tap| NUMBERED.contains(&tap.mirror.kind.as_str()));
    let card = match mirror.lost {
        0 if numbered => plain(About::Sight, "ok", "sight_good", "The mirror lost nothing that it numbered", detail),
        0 => plain(About::Sight, "unknown", "sight_unnumbered", "What the mirror lost cannot be known", detail),
        n => plain(About::Sight, "warning", "mirror_lost", &format!("The mirror lost {n} packets"), detail),
    };
    let numbers = [
        ("packets", capture.packets),
        ("refused", refused),
        ("truncated", mirror.truncated),
        ("lost", mirror.lost),
        ("sampled_one_in", mirror.sampled_one_in.unwrap_or(0)),
    ];
    Card { numbers: BTreeMap::from(numbers), ..card }
}
