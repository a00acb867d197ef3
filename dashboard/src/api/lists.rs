//! Flows and queue pairs: long lists in pages; and what runs on the fabric in all.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use store::{Page, Query, Window};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context, within};

/// Largest flows added up for the mix of apps; the answer says how many there are.
const MIX_FLOWS: u64 = 10_000;
/// Rows a store gives at once.
const STORE_PAGE: u64 = 1000;

pub(super) fn query(params: &Params, window: Window, name: &str) -> Query {
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

pub(super) fn page<T: Serialize>(query: &Query, page: &Page<T>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({
        "window": with_texts(&query.window)?,
        "total": page.total,
        "offset": query.offset,
        "rows": with_texts(&page.rows)?,
    })))
}

pub(super) fn nothing() -> Json<Value> {
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

/// What one app sent.
#[derive(Default, Serialize)]
struct AppSum {
    flows: u64,
    packets: u64,
    bytes: u64,
    /// Flows by how they were named.
    engines: BTreeMap<String, u64>,
}

/// Flows added up by app; those without a name stand under null.
pub(super) async fn apps(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else { return Ok(nothing()) };
    let link = params.text("link").map(str::to_owned);
    let (search, sort) = (String::new(), "bytes".to_owned());
    let all = Query { window, search, link, name: None, sort, descending: true, offset: 0, limit: STORE_PAGE };
    let mut sums: BTreeMap<Option<String>, AppSum> = BTreeMap::new();
    let (mut looked_through, mut total) = (0, u64::MAX);
    while looked_through < total.min(MIX_FLOWS) {
        let part = within(context.store.flows(&Query { offset: looked_through, ..all.clone() })).await?;
        if part.rows.is_empty() {
            break;
        }
        (looked_through, total) = (looked_through + part.rows.len() as u64, part.total);
        for flow in part.rows {
            let sum = sums.entry(flow.app).or_default();
            (sum.flows, sum.packets, sum.bytes) = (sum.flows + 1, sum.packets + flow.packets, sum.bytes + flow.bytes);
            *sum.engines.entry(flow.engine).or_default() += 1;
        }
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.bytes));
    let rows = rows.into_iter().map(|(app, sum)| {
        json!({ "app": app, "flows": sum.flows, "packets": sum.packets, "bytes": sum.bytes, "engines": sum.engines })
    });
    Ok(Json(json!({
        "window": with_texts(&window)?,
        "looked_through": looked_through,
        "total": if total == u64::MAX { 0 } else { total },
        "rows": rows.collect::<Vec<_>>(),
    })))
}
