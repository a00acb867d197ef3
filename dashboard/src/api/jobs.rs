//! Jobs: from the newest report where an analysis runs, else as the store has them.

use analyzer::report::Job;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::json::with_texts;
use super::params::Params;
use super::{ApiError, Context, within};

/// Jobs with their newest steps. `known` is false where [`all`] has none.
pub(super) async fn jobs(State(context): State<Context>, params: Params) -> Result<Json<Value>, ApiError> {
    let steps = params.whole("steps") as usize;
    let newest = |mut job: Job| {
        let left_out = job.steps.len().saturating_sub(steps);
        job.steps.drain(..left_out);
        job.steps_left_out += left_out as u64;
        job
    };
    let jobs = all(&context, &params).await?;
    let jobs = jobs.map(|jobs| jobs.into_iter().map(newest).collect::<Vec<Job>>());
    let rows = jobs.as_ref().map(with_texts).transpose()?;
    Ok(Json(json!({ "known": rows.is_some(), "rows": rows.unwrap_or_else(|| json!([])) })))
}

/// All jobs of the window; none where an analysis runs and has not told yet, and where the store holds nothing.
pub(super) async fn all(context: &Context, params: &Params) -> Result<Option<Vec<Job>>, ApiError> {
    if let Some(live) = &context.live {
        return Ok(live.report().map(|report| report.jobs.clone()));
    }
    let Some(window) = context.window(params).await? else { return Ok(None) };
    within(context.store.jobs(window)).await.map(Some)
}
