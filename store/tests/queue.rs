//! The queue in front of a store: nothing is lost that need not be, and what is lost is counted.

// Tests may stop on what they did not expect.
#![allow(clippy::unwrap_used, clippy::panic)]

mod contract_facts;
mod with_server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contract_facts::facts;
use store::{
    Answer, Batch, ClickHouse, Extent, Facts, Fullness, LinkRow, Memory, Page, Query, Series, Store, StoreError,
    StoreWriter, Window, WriterOptions,
};

fn blocking() -> WriterOptions {
    WriterOptions { batch_wait: Duration::from_millis(10), ..WriterOptions::new(Fullness::Block) }
}

#[tokio::test]
async fn a_replay_waits_and_loses_nothing() {
    let store = Arc::new(Memory::new(100_000));
    let options = WriterOptions { queue: 1, batch_rows: 20, ..blocking() };
    let writer = StoreWriter::start(store.clone(), options).unwrap();
    let (writer, counters) = tokio::task::spawn_blocking(move || {
        (0..500).for_each(|n| writer.send(facts(n)));
        let counters = writer.counters();
        (writer, counters)
    })
    .await
    .unwrap();
    assert_eq!(counters.taken, 500);
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.is_whole()), (500, true), "{counters:?}");
    assert_eq!(
        store.links(contract_facts::window(0, 500), 1).await.unwrap()[0].link.packets,
        (1..=500u64).sum::<u64>() * 10
    );
}

/// A store that fails as told, in front of memory.
struct Failing {
    inner: Memory,
    failures: AtomicU64,
    never: Option<u64>,
}

impl Store for Failing {
    fn describe(&self) -> String {
        "failing".to_owned()
    }
    fn write<'a>(&'a self, facts: &'a [Facts]) -> Answer<'a, ()> {
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            return Box::pin(async { Err(StoreError::Retry("away".to_owned())) });
        }
        if facts.iter().any(|f| Some(f.sequence) == self.never) {
            return Box::pin(async { Err(StoreError::Never("cannot be".to_owned())) });
        }
        self.inner.write(facts)
    }
    fn extent(&self) -> Answer<'_, Extent> {
        self.inner.extent()
    }

    fn looked(&self, window: Window) -> Answer<'_, Vec<Window>> {
        self.inner.looked(window)
    }
    fn links(&self, window: Window, steps: u32) -> Answer<'_, Vec<LinkRow>> {
        self.inner.links(window, steps)
    }
    fn series<'a>(&'a self, link: &'a str, window: Window, steps: u32) -> Answer<'a, Option<Series>> {
        self.inner.series(link, window, steps)
    }
    fn flows<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<analyzer::report::Flow>> {
        self.inner.flows(query)
    }
    fn qps<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<analyzer::report::Qp>> {
        self.inner.qps(query)
    }
    fn findings<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<analyzer::report::Finding>> {
        self.inner.findings(query)
    }
    fn jobs(&self, window: Window) -> Answer<'_, Vec<analyzer::report::Job>> {
        self.inner.jobs(window)
    }
}

fn failing(failures: u64, never: Option<u64>) -> Arc<Failing> {
    Arc::new(Failing { inner: Memory::new(100_000), failures: failures.into(), never })
}

#[tokio::test]
async fn a_store_that_comes_back_gets_everything() {
    let store = failing(4, None);
    let writer = StoreWriter::start(store, blocking()).unwrap();
    for n in 0..10 {
        writer.send_async(facts(n)).await;
    }
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.retries, counters.is_whole()), (10, 4, true), "{counters:?}");
    assert!(counters.last_error.unwrap().contains("away"));
}

#[tokio::test]
async fn a_refused_tick_does_not_take_others_with_it() {
    let writer = StoreWriter::start(failing(0, Some(3)), blocking()).unwrap();
    for n in 0..10 {
        writer.send_async(facts(n)).await;
    }
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.set_aside, counters.lost), (9, 1, 0), "{counters:?}");
}

#[tokio::test]
async fn a_replay_ends_even_if_the_store_never_comes_back() {
    let options = WriterOptions { give_up: Duration::from_millis(100), ..blocking() };
    let writer = StoreWriter::start(failing(u64::MAX, None), options).unwrap();
    writer.send_async(facts(0)).await;
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.lost, counters.is_whole()), (0, 1, false), "{counters:?}");
}

#[tokio::test]
async fn what_waits_on_disk_survives_restart_and_outage() {
    let Some(server) = with_server::server() else { return };
    let store = Arc::new(ClickHouse::open(&server.url("spooled"), None).await.unwrap());
    let dir = tempfile::tempdir().unwrap();
    let fullness = Fullness::Spool { dir: dir.path().to_owned(), max_bytes: 1 << 20 };
    let options = WriterOptions { batch_rows: 1, ..WriterOptions::new(fullness) };

    let away = StoreWriter::start(Arc::new(Away), options.clone()).unwrap();
    for n in 0..6 {
        away.send_async(facts(n)).await;
    }
    let counters = away.finish().await;
    assert_eq!((counters.written, counters.spooled, counters.is_whole()), (0, 6, true), "{counters:?}");

    let writer = StoreWriter::start(store.clone(), options).unwrap();
    assert_eq!(writer.counters().spooled, 6);
    for _ in 0..200 {
        if writer.counters().spooled == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counters = writer.finish().await;
    assert_eq!((counters.written, counters.spooled), (6, 0), "{counters:?}");
    let flows = store.flows(&contract_facts::query(contract_facts::window(0, 6), "bytes")).await.unwrap();
    assert_eq!(flows.rows[0].bytes, 6 * 700);
}

/// A database that cannot be reached.
struct Away;

impl Store for Away {
    fn describe(&self) -> String {
        "away".to_owned()
    }
    fn takes_batches(&self) -> bool {
        true
    }
    fn write<'a>(&'a self, _: &'a [Facts]) -> Answer<'a, ()> {
        away()
    }
    fn write_batch<'a>(&'a self, _: &'a Batch) -> Answer<'a, ()> {
        away()
    }
    fn extent(&self) -> Answer<'_, Extent> {
        away()
    }
    fn looked(&self, _: Window) -> Answer<'_, Vec<Window>> {
        away()
    }
    fn links(&self, _: Window, _: u32) -> Answer<'_, Vec<LinkRow>> {
        away()
    }
    fn series<'a>(&'a self, _: &'a str, _: Window, _: u32) -> Answer<'a, Option<Series>> {
        away()
    }
    fn flows<'a>(&'a self, _: &'a Query) -> Answer<'a, Page<analyzer::report::Flow>> {
        away()
    }
    fn qps<'a>(&'a self, _: &'a Query) -> Answer<'a, Page<analyzer::report::Qp>> {
        away()
    }
    fn findings<'a>(&'a self, _: &'a Query) -> Answer<'a, Page<analyzer::report::Finding>> {
        away()
    }
    fn jobs(&self, _: Window) -> Answer<'_, Vec<analyzer::report::Job>> {
        away()
    }
}

fn away<'a, T>() -> Answer<'a, T> {
    Box::pin(async { Err(StoreError::Retry("cannot be reached".to_owned())) })
}
