//! What the running analysis publishes: the newest report, and a few numbers of the newest tick.
//!
//! Readers only ever want the newest, so both sit in watch channels: a slow browser skips, and never holds up the analysis.

use std::sync::Arc;

use analyzer::report::Report;
use analyzer::tick::{LinkInfo, Tick};
use serde::Serialize;
use tokio::sync::watch;

use crate::shelf::Shelf;

/// Most links named in one tick's numbers: the busiest. Keeps the stream's size independent of the fabric's.
const LINKS_MAX: usize = 64;

/// The sender's side, cheap to clone; give one clone to the analysis and one to [`crate::router`].
#[derive(Clone, Debug)]
pub struct Live {
    report: Arc<watch::Sender<Option<Arc<Report>>>>,
    tick: Arc<watch::Sender<Option<Arc<TickNumbers>>>>,
    shelf: Shelf,
}

/// One tick in numbers, as the stream sends them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TickNumbers {
    /// Counts ticks from 0.
    pub sequence: u64,
    /// Start in packet time; a string in JSON, whose numbers lose digits past 2^53.
    #[serde(serialize_with = "as_text")]
    pub start_ns: u64,
    /// End.
    #[serde(serialize_with = "as_text")]
    pub end_ns: u64,
    /// Ticks merged into it beyond the first, because analysis was behind.
    pub widened: u32,
    /// Frames read.
    pub frames: u64,
    /// Bytes on the wire.
    pub wire_bytes: u64,
    /// Frames that could not be read.
    pub refused: u64,
    /// Frames the mirror or the capture lost.
    pub mirror_lost: u64,
    /// Flows that lost their place in a full table.
    pub flows_evicted: u64,
    /// Busiest links, at most 64.
    pub links: Vec<LinkNumbers>,
    /// Links with traffic in all.
    pub links_active: u64,
    /// Set on the last tick of a replay, or of a stopped capture.
    pub ended: bool,
}

/// One link in one tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LinkNumbers {
    /// Link id.
    pub id: String,
    /// Bytes.
    pub bytes: u64,
    /// CE-marked packets.
    pub ce_packets: u64,
}

fn as_text<S: serde::Serializer>(ns: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(ns)
}

impl Live {
    /// Nothing published yet.
    pub fn new() -> Self {
        Self {
            report: Arc::new(watch::Sender::new(None)),
            tick: Arc::new(watch::Sender::new(None)),
            shelf: Shelf::default(),
        }
    }

    /// Publishes a report; `/api/v1/report` answers it from now on.
    pub fn set_report(&self, report: Arc<Report>) {
        self.report.send_replace(Some(report));
    }

    /// Publishes a tick's numbers and wakes the streams.
    pub fn set_tick(&self, numbers: TickNumbers) {
        self.tick.send_replace(Some(Arc::new(numbers)));
    }

    /// Says that no further tick will come: the page shows an end, not a stale sensor.
    pub fn set_ended(&self) {
        self.tick.send_modify(|tick| {
            let mut numbers = tick.as_deref().cloned().unwrap_or_default();
            numbers.sequence += 1;
            numbers.ended = true;
            *tick = Some(Arc::new(numbers));
        });
    }

    /// The newest report.
    pub fn report(&self) -> Option<Arc<Report>> {
        self.report.borrow().clone()
    }

    /// Where the frames around findings are put.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Numbers of the newest tick.
    pub fn tick(&self) -> Option<Arc<TickNumbers>> {
        self.tick.borrow().clone()
    }

    /// Wakes at each new tick.
    pub(crate) fn ticks(&self) -> watch::Receiver<Option<Arc<TickNumbers>>> {
        self.tick.subscribe()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl TickNumbers {
    /// The numbers of a tick; `links` is the table that `tick.links[].link` indexes.
    pub fn of(sequence: u64, tick: &Tick, links: &[LinkInfo]) -> Self {
        let mut busiest: Vec<_> = tick.links.iter().collect();
        busiest.sort_by_key(|link| std::cmp::Reverse(link.bytes));
        let named = busiest.iter().take(LINKS_MAX).filter_map(|link| {
            let info = links.get(link.link as usize)?;
            Some(LinkNumbers { id: info.id.clone(), bytes: link.bytes, ce_packets: link.ce_packets })
        });
        Self {
            sequence,
            start_ns: tick.start_ns,
            end_ns: tick.end_ns,
            widened: tick.widened,
            frames: tick.capture.frames,
            wire_bytes: tick.capture.wire_bytes,
            refused: tick.capture.refused.iter().map(|&(_, count)| count).sum(),
            mirror_lost: tick.taps.iter().map(|tap| tap.lost).sum(),
            flows_evicted: tick.capture.flows_evicted,
            links: named.collect(),
            links_active: tick.links.len() as u64,
            ended: false,
        }
    }
}
