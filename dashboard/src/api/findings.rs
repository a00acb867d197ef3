//! Findings: the list, and one with what it follows from and what follows from it.

use std::collections::BTreeMap;

use analyzer::report::{Finding, Severity, Subject};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use store::{Page, Query, Window};

use super::json::{bounded, with_texts};
use super::lists::{nothing, page, query};
use super::params::Params;
use super::{ApiError, Context, within};

/// Findings looked through at most for one answer; more are counted by the store and said.
const FINDINGS_MAX: u64 = 10_000;

/// Rows a store gives at once.
const STORE_PAGE: u64 = 1000;

/// Longest chain of causes that is followed.
const CAUSES_MAX: usize = 16;

/// Everything of a window, worst first.
pub(super) fn of_window(window: Window) -> Query {
    let (search, sort) = (String::new(), "severity".to_owned());
    Query { window, search, link: None, name: None, sort, descending: true, offset: 0, limit: STORE_PAGE }
}

/// Findings, with counts by severity.
pub(super) async fn findings(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else { return Ok(nothing()) };
    let query = query(&params, window, "kind");
    let (mut rows, held) = every_finding(&context, &query).await?;
    rows.retain(|finding| wanted(finding, &params));
    let counts = [Severity::Critical, Severity::Warning, Severity::Info]
        .map(|severity| (severity.name(), rows.iter().filter(|finding| finding.severity == severity).count()));
    let open = rows.iter().filter(|finding| finding.until_ns.is_none()).count();
    let mut kinds: Vec<_> = rows.iter().map(|finding| finding.kind.clone()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if params.one_of("severity") != "any" {
        rows.retain(|finding| finding.severity.name() == params.one_of("severity"));
    }
    let total = rows.len() as u64;
    let rows: Vec<_> = rows.into_iter().skip(query.offset as usize).take(query.limit as usize).collect();
    let Json(mut value) = page(&query, &Page { rows, total })?;
    value["counts"] = counts.into_iter().map(|(name, count)| (name.to_owned(), Value::from(count))).collect();
    value["open"] = open.into();
    value["kinds"] = kinds.into();
    value["looked_through"] = held.min(FINDINGS_MAX).into();
    value["held"] = held.into();
    Ok(Json(value))
}

fn wanted(finding: &Finding, params: &Params) -> bool {
    let state = match params.one_of("state") {
        "open" => finding.until_ns.is_none(),
        "closed" => finding.until_ns.is_some(),
        _ => true,
    };
    state && params.text("id").is_none_or(|id| finding.id == id)
}

/// One finding, its causes from the nearest to the root, and its consequences.
pub(super) async fn finding(
    State(context): State<Context>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let missing = || ApiError::not_found(format!("there is no finding {:?} in this window", bounded(&id, 200)));
    let window = context.window(&params).await?.ok_or_else(missing)?;
    let (rows, _) = every_finding(&context, &of_window(window)).await?;
    let finding = rows.iter().find(|finding| finding.id == id).ok_or_else(missing)?;
    let consequences: Vec<_> = rows.iter().filter(|other| other.cause.as_deref() == Some(&id)).collect();
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "finding": with_texts(finding)?,
        "causes": with_texts(&causes(finding, &rows))?,
        "consequences": with_texts(&consequences)?,
        "pcapng": context.live.as_ref().is_some_and(|live| live.shelf().get(&id).is_some()),
    })))
}

/// Stops at a ring of causes, which would be a defect but must not hang.
fn causes<'a>(finding: &'a Finding, rows: &'a [Finding]) -> Vec<&'a Finding> {
    let mut chain: Vec<&Finding> = Vec::new();
    let mut at = finding;
    while let Some(cause) = at.cause.as_deref().and_then(|cause| rows.iter().find(|row| row.id == cause)) {
        if chain.len() >= CAUSES_MAX || cause.id == finding.id || chain.iter().any(|seen| seen.id == cause.id) {
            break;
        }
        chain.push(cause);
        at = cause;
    }
    chain
}

/// Findings by what they are about, where that has the name asked for.
pub(super) fn by_name<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    name: fn(&Subject) -> Option<&String>,
) -> BTreeMap<&'a str, Vec<&'a Finding>> {
    let mut about: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        if let Some(name) = name(&finding.subject) {
            about.entry(name).or_default().push(finding);
        }
    }
    about
}

/// Of a link itself: a sick queue pair is no sick link.
pub(super) fn link_of(subject: &Subject) -> Option<&String> {
    subject.link.as_ref().filter(|_| subject.qp.is_none())
}

/// All findings that match, up to the bound, and how many the store holds.
pub(super) async fn every_finding(context: &Context, query: &Query) -> Result<(Vec<Finding>, u64), ApiError> {
    let mut rows = Vec::new();
    loop {
        let part = Query { offset: rows.len() as u64, limit: STORE_PAGE, ..query.clone() };
        let page = within(context.store.findings(&part)).await?;
        let more = !page.rows.is_empty();
        rows.extend(page.rows);
        if !more || rows.len() as u64 >= page.total.min(FINDINGS_MAX) {
            return Ok((rows, page.total));
        }
    }
}
