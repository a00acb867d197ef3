//! Jobs: from the newest report, for only a running analysis recognises them.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context};

/// Jobs, whole. `known` is false where no analysis has told yet.
pub(super) async fn jobs(State(context): State<Context>, _: Params) -> Result<Json<Value>, ApiError> {
    let report = context.live.as_ref().and_then(crate::Live::report);
    let rows = report.as_deref().map(|report| with_texts(&report.jobs)).transpose()?;
    Ok(Json(json!({ "known": rows.is_some(), "rows": rows.unwrap_or_else(|| json!([])) })))
}
