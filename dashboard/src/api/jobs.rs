//! Jobs: from the newest report, for only a running analysis recognises them.

use analyzer::report::Job;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context};

/// Jobs with their newest steps. `known` is false where no analysis has told yet.
pub(super) async fn jobs(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let report = context.live.as_ref().and_then(crate::Live::report);
    let steps = params.whole("steps") as usize;
    let newest = |job: &Job| {
        let mut job = job.clone();
        let left_out = job.steps.len().saturating_sub(steps);
        job.steps.drain(..left_out);
        job.steps_left_out += left_out as u64;
        job
    };
    let jobs = report.as_deref().map(|report| report.jobs.iter().map(newest).collect::<Vec<Job>>());
    let rows = jobs.as_ref().map(with_texts).transpose()?;
    Ok(Json(json!({ "known": rows.is_some(), "rows": rows.unwrap_or_else(|| json!([])) })))
}
