//! Availability of links and nodes over any period, and what it means for a cluster that needs all of them.

use std::collections::BTreeMap;

use analyzer::availability::{Availability, Record, Stretch, cluster};
use analyzer::report::{Finding, Link};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::LinkRow;

use super::findings::{every_finding, of_window};
use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context, within};

/// A link or a node.
#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    /// Its first packet in the window: it is observed from then on.
    first_ns: u64,
    #[serde(flatten)]
    availability: Availability,
}

/// Links or nodes, the longest down first, and the cluster.
pub(super) async fn of_period(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else { return Ok(Json(json!({ "window": null, "rows": [] }))) };
    let links = within(context.store.links(window, 1)).await?;
    let looked = within(context.store.looked(window)).await?;
    let looked: Vec<Stretch> = looked.into_iter().map(|run| (run.from_ns, run.to_ns)).collect();
    let (findings, held) = every_finding(&context, &of_window(window)).await?;
    let (seen, about) = (seen(&links), About::of(&findings));
    let mut rows = match params.one_of("of") {
        "nodes" => of_nodes(&seen, &looked, &about),
        _ => of_links(&seen, &looked, &about),
    };
    let parts = Some(params.whole("parts")).filter(|&parts| parts > 0).unwrap_or(rows.len() as u64);
    let cluster = cluster(rows.iter().map(|row| &row.availability), parts);
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.availability.down_ns, row.availability.degraded_ns);
        key(b).cmp(&key(a)).then_with(|| a.id.cmp(&b.id))
    });
    let page = rows.iter().skip(params.whole("offset") as usize).take(params.whole("limit") as usize);
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "cluster": cluster,
        "findings_not_looked_at": held.saturating_sub(findings.len() as u64),
        "total": rows.len(),
        "offset": params.whole("offset"),
        "rows": page.map(with_texts).collect::<Result<Vec<_>, _>>()?,
    })))
}

/// Links that carried a packet: what was never seen may not have been mirrored at all.
fn seen(links: &[LinkRow]) -> Vec<&Link> {
    links.iter().map(|row| &row.link).filter(|link| link.packets > 0).collect()
}

/// Observation begins with the first packet.
fn since(looked: &[Stretch], first_ns: u64) -> Vec<Stretch> {
    looked.iter().filter(|(_, to)| *to > first_ns).map(|&(from, to)| (from.max(first_ns), to)).collect()
}

/// What happened to a link, by link id; to a node, by its name.
struct About<'a> {
    links: BTreeMap<&'a str, Vec<&'a Finding>>,
    hosts: BTreeMap<&'a str, Vec<&'a Finding>>,
}

impl<'a> About<'a> {
    fn of(findings: &'a [Finding]) -> Self {
        let (mut links, mut hosts) = (BTreeMap::new(), BTreeMap::new());
        // A sick queue pair is neither a sick link nor a sick host.
        for finding in findings.iter().filter(|finding| finding.subject.qp.is_none()) {
            let subject = &finding.subject;
            let places = [(&mut links, &subject.link), (&mut hosts, &subject.host)];
            for (place, name) in places {
                if let Some(name) = name {
                    place.entry(name.as_str()).or_insert_with(Vec::new).push(finding);
                }
            }
        }
        Self { links, hosts }
    }

    fn record(&self, link: &Link, looked: &[Stretch]) -> Record {
        Record::of(&since(looked, link.first_ns), self.links.get(link.id.as_str()).into_iter().flatten().copied())
    }
}

fn of_links(links: &[&Link], looked: &[Stretch], about: &About<'_>) -> Vec<Row> {
    let row = |link: &&Link| Row {
        id: link.id.clone(),
        name: link.name.clone(),
        first_ns: link.first_ns,
        availability: about.record(link, looked).sum(),
    };
    links.iter().map(row).collect()
}

fn of_nodes(links: &[&Link], looked: &[Stretch], about: &About<'_>) -> Vec<Row> {
    let mut nodes: BTreeMap<&str, (u64, Vec<Record>)> = BTreeMap::new();
    for link in links {
        for node in [&link.from, &link.to] {
            let (first_ns, records) = nodes.entry(node).or_insert((link.first_ns, Vec::new()));
            *first_ns = link.first_ns.min(*first_ns);
            records.push(about.record(link, looked));
        }
    }
    let row = |(node, (first_ns, records)): (&str, (u64, Vec<Record>))| {
        let mut record = Record::together(records.iter());
        record.add(about.hosts.get(node).into_iter().flatten().copied());
        Row { id: node.to_owned(), name: node.to_owned(), first_ns, availability: record.sum() }
    };
    nodes.into_iter().map(row).collect()
}
