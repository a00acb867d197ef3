//! Where facts go. Only this room knows SQL.
//!
//! A [`Store`] takes [`Facts`] tick by tick and answers the questions of the page over any window of packet time.
//! One contract suite runs against every store.

pub mod embedded;
mod memory;
mod memory_sums;
mod open;
mod queue;
mod rows;
mod spool;
mod sql;
mod sums;
mod writing;

pub use memory::Memory;
pub use open::{OpenOptions, default_dir, open};
pub use queue::{Fullness, StoreWriter, WriterCounters, WriterOptions};
pub use sql::{Batch, ClickHouse, Retention, cluster_statements};

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use analyzer::report::{Finding, Flow, Job, Link, Qp};
use analyzer::tick::{LinkInfo, Tick};
use serde::{Deserialize, Serialize};

/// What a store answers: a boxed future, so that stores are interchangeable at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not take or answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// May succeed when tried again.
    #[error("{0}")]
    Retry(String),
    /// Can never succeed; says what and what to do.
    #[error("{0}")]
    Never(String),
}

/// What one tick adds. The same frames give the same facts, so writing them twice must change nothing.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which sensor.
    pub sensor: Arc<str>,
    /// Which run of it: for a replay derived from the input, so that a second replay of the same input writes the same rows.
    pub run: Arc<str>,
    /// Counts ticks of this run from 0.
    pub sequence: u64,
    /// The tick.
    pub tick: Arc<Tick>,
    /// Every link known so far; `tick.links[].link` indexes it.
    pub links: Arc<Vec<LinkInfo>>,
    /// Findings opened, updated or closed in this tick, whole.
    pub findings: Arc<Vec<Finding>>,
    /// Jobs that went on since they were last given, whole but for their older steps.
    pub jobs: Arc<Vec<Job>>,
}

/// Packet time from `from_ns` (inclusive) to `to_ns` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Start.
    pub from_ns: u64,
    /// End, exclusive.
    pub to_ns: u64,
}

/// One page of a longer answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// Rows asked for.
    pub rows: Vec<T>,
    /// How many there are in all.
    pub total: u64,
}

/// A link's measurements on one time axis of equal steps. `None` in a column: no packet was seen in that step (idle or not observed),
/// which is not the same as a measured zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Start of the first step.
    pub start_ns: u64,
    /// Length of a step.
    pub step_ns: u64,
    /// Length of the ticks below it: rates finer than this are in the `max_` columns only.
    pub tick_ns: u64,
    /// Mean rate in bit/s.
    pub bps: Vec<Option<f64>>,
    /// Highest 1 ms bin in bit/s.
    pub max_bps_1ms: Vec<Option<f64>>,
    /// Highest 100 us bin in bit/s.
    pub max_bps_100us: Vec<Option<f64>>,
    /// Packets.
    pub packets: Vec<Option<f64>>,
    /// CE-marked share of ECN-capable packets, 0..1.
    pub ce_share: Vec<Option<f64>>,
    /// CNPs.
    pub cnp_packets: Vec<Option<f64>>,
    /// Share of the step that the worst class was paused, 0..1; all `None` where PFC was never seen.
    pub paused_share: Vec<Option<f64>>,
    /// Retransmitted packets (RDMA and TCP).
    pub retransmitted: Vec<Option<f64>>,
    /// Round trip quantiles, ns, merged from histograms.
    pub rtt_p50: Vec<Option<f64>>,
    /// 0.9.
    pub rtt_p90: Vec<Option<f64>>,
    /// 0.99.
    pub rtt_p99: Vec<Option<f64>>,
    /// 0.999.
    pub rtt_p999: Vec<Option<f64>>,
    /// Samples behind them.
    pub rtt_count: Vec<Option<f64>>,
}

/// A link in a list: its totals over a window and its rate strip for a sparkline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkRow {
    /// Totals over the window, as in the report.
    pub link: Link,
    /// Mean rate per step in bit/s.
    pub bps: Vec<Option<f64>>,
    /// Worst 100 us bin per step in bit/s.
    pub max_bps_100us: Vec<Option<f64>>,
    /// CE share per step.
    pub ce_share: Vec<Option<f64>>,
}

/// Which flows or queue pairs, in which order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// When.
    pub window: Window,
    /// Text found in addresses, ports, names; empty for all.
    pub search: String,
    /// Only on this link id.
    pub link: Option<String>,
    /// Only this app (flows) or service (queue pairs), or kind (findings).
    pub name: Option<String>,
    /// Column to sort by, a field name of the row; unknown ones are refused.
    pub sort: String,
    /// Largest first.
    pub descending: bool,
    /// Rows to skip.
    pub offset: u64,
    /// Rows to give, at most 1,000.
    pub limit: u64,
}

/// What the store holds in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Extent {
    /// First moment with data; absent when empty.
    pub first_ns: Option<u64>,
    /// Last moment with data.
    pub last_ns: Option<u64>,
    /// Sensors that wrote.
    pub sensors: Vec<String>,
}

/// A place for facts.
pub trait Store: Send + Sync {
    /// What and where it is, for the start message and the page: `memory (newest 1,000,000 rows)`, `ClickHouse 26.7.2 at http://...`.
    fn describe(&self) -> String;
    /// Takes facts in order. Done means kept; writing the same facts again changes nothing.
    fn write<'a>(&'a self, facts: &'a [Facts]) -> Answer<'a, ()>;
    /// Whether [`Self::write_batch`] works: facts may then wait on disk.
    fn takes_batches(&self) -> bool {
        false
    }
    /// Takes facts that waited on disk, in the form they had there.
    fn write_batch<'a>(&'a self, _batch: &'a Batch) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Err(StoreError::Never("this store takes facts, not batches of rows".to_owned()))))
    }
    /// Writes what is still held back and lets go of what was opened; the store is not used afterwards.
    fn close(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// First and last moment held.
    fn extent(&self) -> Answer<'_, Extent>;
    /// When a sensor looked: a stretch per run that touches the window, from the start of its first tick to the end of its last
    /// (an idle fabric makes no ticks), cut to the window, in order of start and end.
    fn looked(&self, window: Window) -> Answer<'_, Vec<Window>>;
    /// Links with totals over the window and a strip of at most `steps` steps.
    fn links(&self, window: Window, steps: u32) -> Answer<'_, Vec<LinkRow>>;
    /// One link on a time axis of at most `steps` steps; `None` when there is no such link.
    fn series<'a>(&'a self, link: &'a str, window: Window, steps: u32) -> Answer<'a, Option<Series>>;
    /// Flows with totals over the window.
    fn flows<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Flow>>;
    /// Queue pairs with totals over the window.
    fn qps<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Qp>>;
    /// Findings that touch the window, newest state of each.
    fn findings<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Finding>>;
    /// Jobs that have a step in the window, newest state of each run's, in order of their last step, sensor, run and name; at most
    /// 1,000, the newest.
    fn jobs(&self, window: Window) -> Answer<'_, Vec<Job>>;
}
