//! Links in a list, and one link over time.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use store::{LinkRow, Series};

use super::json::{bounded, column, with_texts};
use super::params::Params;
use super::{ApiError, Context, within};

/// Every link with its strip.
pub(super) async fn links(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let Some(window) = context.window(&params).await? else {
        return Ok(Json(json!({ "window": null, "rows": [] })));
    };
    let steps = params.whole("steps") as u32;
    let rows = within(context.store.links(window, steps)).await?;
    let rows = rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "window": with_texts(&window)?, "rows": rows })))
}

fn row(row: &LinkRow) -> Result<Value, ApiError> {
    Ok(json!({
        "link": with_texts(&row.link)?,
        "bps": column(&row.bps, 0),
        "max_bps_100us": column(&row.max_bps_100us, 0),
        "ce_share": column(&row.ce_share, 6),
    }))
}

/// One link over time.
pub(super) async fn series(
    State(context): State<Context>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let missing = || ApiError::not_found(format!("there is no link {:?}", bounded(&id, 200)));
    let window = context.window(&params).await?.ok_or_else(missing)?;
    let steps = params.whole("steps") as u32;
    let series = within(context.store.series(&id, window, steps)).await?.ok_or_else(missing)?;
    let mut value = columns(&series);
    value["window"] = with_texts(&window)?;
    Ok(Json(value))
}

fn columns(series: &Series) -> Value {
    json!({
        "start_ns": series.start_ns.to_string(),
        "step_ns": series.step_ns,
        "tick_ns": series.tick_ns,
        "bps": column(&series.bps, 0),
        "max_bps_1ms": column(&series.max_bps_1ms, 0),
        "max_bps_100us": column(&series.max_bps_100us, 0),
        "packets": column(&series.packets, 0),
        "ce_share": column(&series.ce_share, 6),
        "cnp_packets": column(&series.cnp_packets, 0),
        "paused_share": column(&series.paused_share, 6),
        "retransmitted": column(&series.retransmitted, 0),
        "rtt_p50": column(&series.rtt_p50, 0),
        "rtt_p90": column(&series.rtt_p90, 0),
        "rtt_p99": column(&series.rtt_p99, 0),
        "rtt_p999": column(&series.rtt_p999, 0),
        "rtt_count": column(&series.rtt_count, 0),
    })
}
