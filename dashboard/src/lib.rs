//! Who looks: the HTTP API, the live stream, the web page.
//!
//! [`router`] joins a [`store::Store`] (any window of packet time) with a [`Live`] (what the running analysis published
//! last). Everything the page shows comes through the same API that anyone may call; `/api/v1/openapi.json` lists it.

mod api;
mod live;
mod page;
mod shelf;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

pub use api::ENDPOINTS;
pub use live::{Live, TickNumbers};
pub use shelf::Shelf;

/// How frames reach this sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// From capture files: time ends with them and is never stale.
    #[default]
    Replay,
    /// From interfaces.
    Live,
}

/// Who answers, for the page's frame and the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SensorInfo {
    /// Name of the sensor.
    pub sensor: String,
    /// Version of the program.
    pub version: String,
    /// Replay or live.
    pub mode: Mode,
    /// Files or interfaces it reads.
    pub sources: Vec<String>,
}

/// Open streams and requests get this long to end after the shutdown signal.
const GRACE: Duration = Duration::from_secs(2);

/// Only our own files, no inline code: a hostile string from a packet can do nothing even if it reached the document.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The API and the page over a store and, where an analysis runs in this process, its live side.
pub fn router(store: Arc<dyn store::Store>, live: Option<Live>, info: SensorInfo) -> Router {
    let mut router = api::router(api::Context::new(store, live, info)).merge(page::router());
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        router = router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)));
    }
    router.layer(CompressionLayer::new())
}

/// Serves until `shutdown` completes; open streams then get two seconds.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let signal = async move {
        shutdown.await;
        let _ = stop.send(true);
        // Kept until the server is gone: a dropped sender would look like a signal.
        std::future::pending::<()>().await;
    };
    let mut graceful = stopped.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = graceful.wait_for(|stop| *stop).await;
    });
    let late = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = std::future::IntoFuture::into_future(server) => result,
        () = late => Ok(()),
        () = signal => Ok(()),
    }
}
