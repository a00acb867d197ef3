//! The HTTP API. What may be asked stands in one list, [`ENDPOINTS`]: parameters are checked and documented from it.

mod availability;
mod cells;
mod endpoints;
mod error;
mod evidence;
mod findings;
mod health;
mod jobs;
mod json;
mod kinds;
mod links;
mod lists;
mod metrics;
mod openapi;
mod params;
mod registry;
mod sensor;
mod stream;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use store::{Answer, Store, Window};
use tokio::sync::Semaphore;

use crate::{Live, SensorInfo};
pub use endpoints::ENDPOINTS;
use error::ApiError;
use params::Params;

/// Longest a store may take. The page asks again; a browser gives up on its own much later.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Open live streams at most. One per browser is the rule (a shared worker feeds all its tabs).
const STREAMS_MAX: usize = 256;

/// Questions answered at the same time at most. One page asks for about five.
const QUESTIONS_MAX: usize = 128;

/// What every answer may need.
#[derive(Clone)]
pub(crate) struct Context {
    store: Arc<dyn Store>,
    live: Option<Live>,
    info: Arc<SensorInfo>,
    streams: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

impl Context {
    pub(crate) fn new(store: Arc<dyn Store>, live: Option<Live>, info: SensorInfo) -> Self {
        let [streams, questions] = [STREAMS_MAX, QUESTIONS_MAX].map(|places| Arc::new(Semaphore::new(places)));
        Self { store, live, info: Arc::new(info), streams, questions }
    }

    fn streams_open(&self) -> usize {
        STREAMS_MAX - self.streams.available_permits()
    }

    /// The window asked for; what is not given comes from what the store holds. `None`: nothing is held yet.
    async fn window(&self, params: &Params) -> Result<Option<Window>, ApiError> {
        let (from, to) = (params.ns("from_ns"), params.ns("to_ns"));
        let window = match (from, to) {
            (Some(from_ns), Some(to_ns)) => Window { from_ns, to_ns },
            _ => {
                let extent = within(self.store.extent()).await?;
                let (Some(first), Some(last)) = (extent.first_ns, extent.last_ns) else { return Ok(None) };
                Window { from_ns: from.unwrap_or(first), to_ns: to.unwrap_or(last.max(first.saturating_add(1))) }
            }
        };
        if window.from_ns >= window.to_ns {
            let why =
                format!("the window starts at {} and ends at {}: it must end later", window.from_ns, window.to_ns);
            return Err(ApiError::parameter("from_ns", why));
        }
        Ok(Some(window))
    }
}

/// Waits for a store, but not for ever.
async fn within<T>(answer: Answer<'_, T>) -> Result<T, ApiError> {
    match tokio::time::timeout(ANSWER_WITHIN, answer).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(_) => Err(ApiError::slow(ANSWER_WITHIN)),
    }
}

/// All of it.
pub(crate) fn router(context: Context) -> Router {
    Router::new()
        .route("/api/v1/report", get(sensor::report))
        .route("/api/v1/sensor", get(sensor::sensor))
        .route("/api/v1/extent", get(sensor::extent))
        .route("/api/v1/links", get(links::links))
        .route("/api/v1/links/{id}/series", get(links::series))
        .route("/api/v1/flows", get(lists::flows))
        .route("/api/v1/apps", get(lists::apps))
        .route("/api/v1/qps", get(lists::qps))
        .route("/api/v1/findings", get(findings::findings))
        .route("/api/v1/findings/{id}", get(findings::finding))
        .route("/api/v1/findings/{id}/pcapng", get(evidence::pcapng))
        .route("/api/v1/jobs", get(jobs::jobs))
        .route("/api/v1/availability", get(availability::of_period))
        .route("/api/v1/health/hosts", get(health::of_hosts))
        .route("/api/v1/health/links", get(health::of_links))
        .route("/api/v1/kinds", get(registry::kinds))
        .route("/api/v1/verdict", get(verdict::verdict))
        .route("/api/v1/live", get(stream::live))
        .route("/api/v1/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(healthz))
        .route("/api/{*path}", get(unknown))
        .layer(middleware::from_fn_with_state(context.clone(), in_turn))
        .with_state(context)
}

/// Refuses beyond the bound instead of queueing: a queue of questions nobody waits for any more helps no one.
async fn in_turn(State(context): State<Context>, request: Request, next: Next) -> Response {
    match context.questions.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => ApiError::busy(format!("{QUESTIONS_MAX} questions are being answered; ask again")).into_response(),
    }
}

/// Up means: the store answers.
async fn healthz(State(context): State<Context>) -> Result<&'static str, ApiError> {
    within(context.store.extent()).await?;
    Ok("ok\n")
}

async fn unknown(request: Request) -> ApiError {
    ApiError::not_found(format!(
        "there is no {}; /api/v1/openapi.json lists what there is",
        json::bounded(request.uri().path(), 120)
    ))
}
