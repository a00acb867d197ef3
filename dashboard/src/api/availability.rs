//! Availability of links and nodes over any period, and what it means for a cluster that needs all of them.

use std::collections::BTreeMap;

use analyzer::availability::{Availability, Record, Stretch, cluster};
use analyzer::report::{Finding, Link};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::LinkRow;

use super::findings::{by_name, every_finding, link_of, of_window};
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
    let records = records(&links, &looked, &findings);
    let mut rows = match params.one_of("of") {
        "nodes" => of_nodes(&records, &findings),
        _ => of_links(&records),
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

/// Of links that carried a packet: what was never seen may not have been mirrored at all.
fn records<'a>(links: &'a [LinkRow], looked: &[Stretch], findings: &[Finding]) -> Vec<(&'a Link, Record)> {
    let about = by_name(findings.iter(), link_of);
    let seen = links.iter().map(|row| &row.link).filter(|link| link.packets > 0);
    let record = |link: &'a Link| {
        let about = about.get(link.id.as_str()).into_iter().flatten().copied();
        (link, Record::of(&since(looked, link.first_ns), about))
    };
    seen.map(record).collect()
}

/// Observation begins with the first packet.
fn since(looked: &[Stretch], first_ns: u64) -> Vec<Stretch> {
    looked.iter().filter(|(_, to)| *to > first_ns).map(|&(from, to)| (from.max(first_ns), to)).collect()
}

fn of_links(records: &[(&Link, Record)]) -> Vec<Row> {
    let row = |(link, record): &(&Link, Record)| Row {
        id: link.id.clone(),
        name: link.name.clone(),
        first_ns: link.first_ns,
        availability: record.sum(),
    };
    records.iter().map(row).collect()
}

fn of_nodes(records: &[(&Link, Record)], findings: &[Finding]) -> Vec<Row> {
    let itself = findings.iter().filter(|finding| finding.subject.qp.is_none());
    let itself = by_name(itself, |subject| subject.host.as_ref());
    let mut nodes: BTreeMap<&str, (u64, Vec<&Record>)> = BTreeMap::new();
    for (link, record) in records {
        for node in [&link.from, &link.to] {
            let (first_ns, records) = nodes.entry(node).or_insert((link.first_ns, Vec::new()));
            *first_ns = link.first_ns.min(*first_ns);
            records.push(record);
        }
    }
    let row = |(node, (first_ns, records)): (&str, (u64, Vec<&Record>))| {
        let mut record = Record::together(records.into_iter());
        record.add(itself.get(node).into_iter().flatten().copied());
        Row { id: node.to_owned(), name: node.to_owned(), first_ns, availability: record.sum() }
    };
    nodes.into_iter().map(row).collect()
}
