//! The frames around a finding, as Wireshark opens them.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::json::bounded;
use super::params::Params;
use super::{ApiError, Context};

/// Type of the file (draft-ietf-opsawg-pcapng).
pub(super) const MEDIA: &str = "application/x-pcapng";

/// One finding's frames.
pub(super) async fn pcapng(
    State(context): State<Context>,
    Path(id): Path<String>,
    _: Params,
) -> Result<Response, ApiError> {
    let Some(live) = &context.live else {
        let why = "no frames: no analysis runs in this process, and a store keeps none; `fabricscope run --evidence DIR` writes them to files";
        return Err(ApiError::not_found(why));
    };
    let file = live.shelf().get(&id).ok_or_else(|| {
        let why =
            "there is none of this name, or its frames were gone when it was found, or they made room for later ones";
        ApiError::not_found(format!("no frames of the finding {:?}: {why}", bounded(&id, 200)))
    })?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    let name: String = id.chars().take(100).map(plain).collect();
    let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}.pcapng\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA)), (header::CONTENT_DISPOSITION, name)], file.to_vec())
        .into_response())
}
