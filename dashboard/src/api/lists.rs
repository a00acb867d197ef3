//! Flows, queue pairs and findings: long lists in pages.

use analyzer::report::{Finding, Severity};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::{Page, Query, Window};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context, within};

/// Findings looked through at most for one answer; more are counted by the store and said.
const FINDINGS_MAX: u64 = 10_000;

/// Rows a store gives at once.
const STORE_PAGE: u64 = 1000;

fn query(params: &Params, window: Window, name: &str) -> Query {
    Query {
        window,
        search: params.text("search").unwrap_or_default().to_owned(),
        link: params.text("link").map(str::to_owned),
        name: params.text(name).map(str::to_owned),
        sort: params.one_of("sort").to_owned(),
        descending: params.one_of("order") == "desc",
        offset: params.whole("offset"),
        limit: params.whole("limit"),
    }
}

fn page<T: Serialize>(query: &Query, page: &Page<T>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({
        "window": with_texts(&query.window)?,
        "total": page.total,
        "offset": query.offset,
        "rows": with_texts(&page.rows)?,
    })))
}

fn nothing() -> Json<Value> {
    Json(json!({ "window": null, "total": 0, "offset": 0, "rows": [] }))
}

/// Flows.
pub(super) async fn flows(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else { return Ok(nothing()) };
    let query = query(&params, window, "app");
    page(&query, &within(context.store.flows(&query)).await?)
}

/// Queue pairs.
pub(super) async fn qps(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else { return Ok(nothing()) };
    let query = query(&params, window, "service");
    page(&query, &within(context.store.qps(&query)).await?)
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
    if params.one_of("severity") != "any" {
        rows.retain(|finding| finding.severity.name() == params.one_of("severity"));
    }
    let total = rows.len() as u64;
    let rows: Vec<_> = rows.into_iter().skip(query.offset as usize).take(query.limit as usize).collect();
    let Json(mut value) = page(&query, &Page { rows, total })?;
    value["counts"] = counts.into_iter().map(|(name, count)| (name.to_owned(), Value::from(count))).collect();
    value["open"] = open.into();
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
