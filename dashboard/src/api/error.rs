//! What goes wrong, said in JSON: what, which parameter, why, and an id to find it in the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::StoreError;

/// An answer that is not one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    parameter: Option<&'static str>,
    message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    message: &'a str,
    request_id: String,
}

/// Numbers errors since the start.
static ERRORS: AtomicU64 = AtomicU64::new(1);

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, parameter: None, message: message.into() }
    }

    /// A parameter that cannot be used.
    pub(crate) fn parameter(name: &'static str, why: impl Into<String>) -> Self {
        Self { parameter: Some(name), ..Self::new(StatusCode::BAD_REQUEST, "bad_parameter", why) }
    }

    /// A query that cannot be used.
    pub(crate) fn query(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_query", why)
    }

    /// No such thing.
    pub(crate) fn not_found(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", why)
    }

    /// Not now; ask again.
    pub(crate) fn busy(why: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
    }

    /// The store did not answer in time.
    pub(crate) fn slow(limit: Duration) -> Self {
        let why = format!("the store did not answer within {} s; ask for a shorter window", limit.as_secs());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "store_slow", why)
    }

    /// What must not happen, said instead of a panic.
    pub(crate) fn internal(why: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry(why) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_busy", why),
            StoreError::Never(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "store_refused", why),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(format!("could not write the answer: {error}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let request_id = format!("e{}", ERRORS.fetch_add(1, Ordering::Relaxed));
        if self.status.is_server_error() {
            tracing::warn!(request_id, code = self.code, "{}", self.message);
        }
        let body = Body { code: self.code, parameter: self.parameter, message: &self.message, request_id };
        let mut response = (self.status, Json(serde_json::json!({ "error": body }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}
