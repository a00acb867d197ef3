//! The live stream: one event for the newest tick, never a backlog.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::params::Params;
use super::{ApiError, Context};
use crate::TickNumbers;

/// Ten events a second: the page draws at four.
const SPACING: Duration = Duration::from_millis(100);

/// Comments in silence, so that a browser sees a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

struct Reader {
    ticks: watch::Receiver<Option<Arc<TickNumbers>>>,
    /// Sequence that the next event must reach.
    from: u64,
    not_before: Instant,
    _place: OwnedSemaphorePermit,
}

/// Events until the browser leaves or the sensor stops.
pub(super) async fn live(
    State(context): State<Context>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let live = context.live.as_ref().ok_or_else(|| {
        ApiError::not_found("no live stream: no analysis runs in this process, the store alone is served")
    })?;
    let place = context
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::busy(format!("{} streams are open, no more are served", super::STREAMS_MAX)))?;
    let from = params.text("after").map_or(0, |_| params.whole("after").saturating_add(1));
    let reader = Reader { ticks: live.ticks(), from, not_before: Instant::now(), _place: place };
    let events = futures_util::stream::unfold(reader, |mut reader| async move {
        let event = next(&mut reader).await?;
        Some((Ok(event), reader))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The next event; `None` once the analysis is gone.
async fn next(reader: &mut Reader) -> Option<Event> {
    sleep_until(reader.not_before).await;
    let from = reader.from;
    let numbers = {
        let seen = reader.ticks.wait_for(|tick| tick.as_ref().is_some_and(|tick| tick.sequence >= from)).await.ok()?;
        seen.clone()?
    };
    reader.from = numbers.sequence.saturating_add(1);
    reader.not_before = Instant::now() + SPACING;
    Event::default().event("tick").id(numbers.sequence.to_string()).json_data(&*numbers).ok()
}
