//! The queue in front of a store: takes facts from the analysis, writes them in batches and in order, and decides by name what
//! happens when the store is slower or away.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::embedded::Notice;
use crate::memory::rows_of;
use crate::spool::Spool;
use crate::writing::Writing;
use crate::{Facts, Store, StoreError};

/// What happens when facts come faster than the store takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fullness {
    /// The sender waits: for replays, which lose nothing by taking longer.
    Block,
    /// The sender never waits; batches go to disk within a budget of bytes, beyond it the oldest go first, counted. For live
    /// sensors. Batches survive a restart. A store that keeps facts in this process is never behind: for it this is `Block`.
    Spool {
        /// Folder for them.
        dir: PathBuf,
        /// Most bytes in it.
        max_bytes: u64,
    },
}

/// How to write.
#[derive(Clone)]
pub struct WriterOptions {
    /// When the store is slower.
    pub fullness: Fullness,
    /// Facts (ticks) that may wait between the analysis and the batches.
    pub queue: usize,
    /// A batch is closed at this many rows ...
    pub batch_rows: usize,
    /// ... or when its first facts have waited this long.
    pub batch_wait: Duration,
    /// `Block`: a store that fails for this long makes the batch count as lost, so that a replay ends.
    pub give_up: Duration,
    /// Told, in one line each, what a person should know.
    pub notice: Notice,
}

impl WriterOptions {
    /// With the given decision on fullness; the rest as measured to be good (50,000 rows or 1 s).
    pub fn new(fullness: Fullness) -> Self {
        Self {
            fullness,
            queue: 256,
            batch_rows: 50_000,
            batch_wait: Duration::from_secs(1),
            give_up: Duration::from_secs(120),
            notice: Arc::new(|_| ()),
        }
    }
}

/// What became of the facts so far. Facts are counted in ticks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WriterCounters {
    /// Given to the queue.
    pub taken: u64,
    /// Written to the store.
    pub written: u64,
    /// Batches written.
    pub batches: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Waiting on disk now.
    pub spooled: u64,
    /// Bytes on disk now.
    pub spooled_bytes: u64,
    /// Dropped from the disk for room, oldest first.
    pub dropped_for_room: u64,
    /// Dropped because even the queue was full: the disk is too slow.
    pub dropped_queue_full: u64,
    /// Refused by the store for good; kept aside with the reason where there is a spool.
    pub set_aside: u64,
    /// Given up after the store failed for too long (`Block` only), or unreadable on disk.
    pub lost: u64,
    /// The last error, if any.
    pub last_error: Option<String>,
}

impl WriterCounters {
    /// Nothing was dropped, refused or lost.
    pub fn is_whole(&self) -> bool {
        self.dropped_for_room + self.dropped_queue_full + self.set_aside + self.lost == 0
    }
}

/// Counters shared by the sender and the tasks.
#[derive(Default)]
pub(crate) struct Tally {
    taken: AtomicU64,
    queue_full: AtomicU64,
    rest: Mutex<WriterCounters>,
}

impl Tally {
    // A panic elsewhere leaves counters that are still counters.
    pub fn count(&self) -> MutexGuard<'_, WriterCounters> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> WriterCounters {
        WriterCounters {
            taken: self.taken.load(Ordering::Relaxed),
            dropped_queue_full: self.queue_full.load(Ordering::Relaxed),
            ..self.count().clone()
        }
    }
}

/// While somebody waits for a flush, a store that does not answer gets this long before what is left goes to disk.
const HURRY: Duration = Duration::from_secs(3);

enum Sent {
    Facts(Facts),
    Flush(oneshot::Sender<()>),
}

/// A batch, or the wish to hear when everything before it is kept.
pub(crate) enum Work {
    Batch(Vec<Facts>),
    Flush(oneshot::Sender<()>),
}

/// What the collecting and the writing task share.
pub(crate) struct Shared {
    pub tally: Tally,
    /// Absent: the sender blocks.
    pub spool: Option<Mutex<Spool>>,
    /// Something was spooled.
    pub spooled: Notify,
    /// A flush waits: what cannot be written by then goes to disk.
    pub hurry: tokio::sync::watch::Sender<Option<Instant>>,
    pub options: WriterOptions,
}

impl Shared {
    pub fn spool(&self) -> Option<MutexGuard<'_, Spool>> {
        // A panic elsewhere leaves files that are whole.
        self.spool.as_ref().map(|spool| spool.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says it and remembers it.
    pub fn error(&self, line: &str) {
        self.tally.count().last_error = Some(line.to_owned());
        (self.options.notice)(line);
    }
}

/// Takes facts; drop it only after [`Self::finish`], or what waits in memory is lost.
pub struct StoreWriter {
    sender: mpsc::Sender<Sent>,
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

impl StoreWriter {
    /// Starts the writing; call it inside a tokio runtime, which must live until [`Self::finish`].
    ///
    /// # Errors
    /// The spool's folder cannot be used.
    pub fn start(store: Arc<dyn Store>, options: WriterOptions) -> Result<Self, StoreError> {
        let spool = match &options.fullness {
            Fullness::Spool { dir, max_bytes } if store.takes_batches() => {
                Some(Mutex::new(Spool::open(dir, *max_bytes)?))
            }
            _ => None,
        };
        let (sender, received) = mpsc::channel(options.queue.max(1));
        let (work, todo) = mpsc::channel(2);
        let hurry = tokio::sync::watch::channel(None).0;
        let shared = Arc::new(Shared { tally: Tally::default(), spool, spooled: Notify::new(), hurry, options });
        let collecting = Collecting { shared: shared.clone(), work, facts: Vec::new(), rows: 0, due: None };
        let writing = Writing::new(shared.clone(), store);
        let tasks = [tokio::spawn(collecting.run(received)), tokio::spawn(writing.run(todo))];
        Ok(Self { sender, shared, tasks })
    }

    /// Gives facts to the queue, in order, from a thread that is not the runtime's. With [`Fullness::Block`] it waits for room;
    /// with [`Fullness::Spool`] it never waits.
    pub fn send(&self, facts: Facts) {
        self.shared.tally.taken.fetch_add(1, Ordering::Relaxed);
        let facts = Sent::Facts(facts);
        let full = match &self.shared.spool {
            Some(_) => self.sender.try_send(facts).is_err(),
            None => self.sender.blocking_send(facts).is_err(),
        };
        if full {
            self.shared.tally.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`Self::send`], from async code.
    pub async fn send_async(&self, facts: Facts) {
        self.shared.tally.taken.fetch_add(1, Ordering::Relaxed);
        if self.sender.send(Sent::Facts(facts)).await.is_err() {
            self.shared.tally.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of the facts so far.
    pub fn counters(&self) -> WriterCounters {
        self.shared.tally.snapshot()
    }

    /// Waits until everything sent so far is written, or is on disk, or is counted as lost.
    pub async fn flush(&self) -> WriterCounters {
        let (done, kept) = oneshot::channel();
        if self.sender.send(Sent::Flush(done)).await.is_ok() {
            // An error means that the tasks have ended, and with them every wait.
            let _ = kept.await;
        }
        self.counters()
    }

    /// Flushes and ends.
    pub async fn finish(self) -> WriterCounters {
        self.flush().await;
        let Self { sender, shared, tasks } = self;
        drop(sender);
        for task in tasks {
            // A task that panicked has nothing more to write.
            let _ = task.await;
        }
        shared.tally.snapshot()
    }
}

/// Makes batches of facts.
struct Collecting {
    shared: Arc<Shared>,
    work: mpsc::Sender<Work>,
    facts: Vec<Facts>,
    rows: usize,
    due: Option<Instant>,
}

impl Collecting {
    async fn run(mut self, mut received: mpsc::Receiver<Sent>) {
        loop {
            let due = self.due;
            let waited = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                sent = received.recv() => match sent {
                    Some(Sent::Facts(facts)) => self.take(facts).await,
                    Some(Sent::Flush(done)) => self.flush(done).await,
                    None => return self.close().await,
                },
                () = waited => self.close().await,
            }
        }
    }

    async fn take(&mut self, facts: Facts) {
        self.rows += rows_of(&facts) + facts.findings.len() + facts.jobs.len();
        self.facts.push(facts);
        self.due.get_or_insert_with(|| Instant::now() + self.shared.options.batch_wait);
        if self.rows >= self.shared.options.batch_rows {
            self.close().await;
        }
    }

    async fn close(&mut self) {
        let facts = std::mem::take(&mut self.facts);
        (self.rows, self.due) = (0, None);
        if facts.is_empty() {
            return;
        }
        let batch = Work::Batch(facts);
        match self.shared.spool().map(|spool| spool.len()) {
            // Nothing waits on disk: what comes now may go straight.
            Some(0) => {
                if let Err(mpsc::error::TrySendError::Full(batch)) = self.work.try_send(batch) {
                    self.to_disk(batch);
                }
            }
            Some(_) => self.to_disk(batch),
            // An error means that the writing task is gone, at the end of the runtime.
            None => drop(self.work.send(batch).await),
        }
    }

    fn to_disk(&self, batch: Work) {
        if let Work::Batch(facts) = batch {
            crate::writing::to_disk(&self.shared, &facts);
            self.shared.spooled.notify_one();
        }
    }

    async fn flush(&mut self, done: oneshot::Sender<()>) {
        self.close().await;
        if self.shared.spool.is_some() {
            self.shared.hurry.send_replace(Some(Instant::now() + HURRY));
        }
        // An error drops `done`, which ends the wait.
        let _ = self.work.send(Work::Flush(done)).await;
    }
}
