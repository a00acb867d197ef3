//! Who answers, and the report as it stands.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context, within};

/// The newest report, unchanged.
pub(super) async fn report(State(context): State<Context>, _: Params) -> Result<Response, ApiError> {
    let Some(report) = context.live.as_ref().and_then(crate::Live::report) else {
        let why = match context.live {
            Some(_) => "no report yet: the analysis has not finished its first stretch of time",
            None => "no report: no analysis runs in this process; ask /api/v1/links, /flows, /qps and /findings",
        };
        return Err(ApiError::not_found(why));
    };
    let body = serde_json::to_vec(&*report)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Can this sensor be trusted?
pub(super) async fn sensor(State(context): State<Context>, _: Params) -> Result<Json<Value>, ApiError> {
    let report = context.live.as_ref().and_then(crate::Live::report);
    let capture = report.as_deref().map(|report| with_texts(&report.capture)).transpose()?;
    Ok(Json(json!({
        "sensor": &*context.info,
        "store": context.store.describe(),
        "analysis_here": context.live.is_some(),
        "capture": capture,
    })))
}

/// What is held.
pub(super) async fn extent(State(context): State<Context>, _: Params) -> Result<Json<Value>, ApiError> {
    let mut value = with_texts(&within(context.store.extent()).await?)?;
    value["store"] = context.store.describe().into();
    value["analysis_here"] = context.live.is_some().into();
    value["mode"] = serde_json::to_value(context.info.mode)?;
    Ok(Json(value))
}
