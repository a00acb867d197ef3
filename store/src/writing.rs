//! The writing side of the queue: tries until it is in, or decides by name what becomes of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::queue::{Shared, Work};
use crate::sql::{Batch, Known};
use crate::{Facts, Store, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A store that stays away is spoken of this often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How an attempt ended.
enum Outcome {
    Written,
    Refused(String),
    GivenUp(String),
}

/// Writes batches, those in memory before those on disk.
pub(crate) struct Writing {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
}

/// Puts facts on disk; what that costs is counted.
pub(crate) fn to_disk(shared: &Shared, facts: &[Facts]) {
    // Every file names the links in it itself: another may be dropped.
    let pushed = Batch::of(facts, &mut Known::default()).and_then(|batch| match shared.spool() {
        Some(mut spool) => spool.push(&batch),
        None => Err(StoreError::Never("there is no spool".to_owned())),
    });
    match pushed {
        Ok(dropped) => shared.tally.count().dropped_for_room += dropped,
        Err(why) => {
            shared.tally.count().lost += facts.len() as u64;
            shared.error(&why.to_string());
        }
    }
    tell_spool(shared);
}

fn tell_spool(shared: &Shared) {
    let Some((ticks, bytes)) = shared.spool().map(|spool| (spool.ticks(), spool.bytes())) else { return };
    let mut count = shared.tally.count();
    (count.spooled, count.spooled_bytes) = (ticks, bytes);
}

impl Writing {
    pub fn new(shared: Arc<Shared>, store: Arc<dyn Store>) -> Self {
        tell_spool(&shared);
        Self { shared, store }
    }

    pub async fn run(self, mut todo: mpsc::Receiver<Work>) {
        loop {
            let waiting = self.shared.spool().is_some_and(|spool| spool.len() > 0);
            tokio::select! {
                biased;
                work = todo.recv() => match work {
                    Some(Work::Batch(facts)) => self.facts(&facts).await,
                    Some(Work::Flush(done)) => {
                        self.shared.hurry.send_replace(None);
                        // Who asked may have gone.
                        let _ = done.send(());
                    }
                    None => return,
                },
                () = self.write_oldest(), if waiting => {}
                () = self.shared.spooled.notified(), if !waiting => {}
            }
        }
    }

    async fn facts(&self, facts: &[Facts]) {
        let done = self.insist(|| self.store.write(facts)).await;
        match done {
            Outcome::Written => self.written(facts.len()),
            Outcome::GivenUp(_) if self.shared.spool.is_some() => to_disk(&self.shared, facts),
            Outcome::GivenUp(why) => {
                self.shared.tally.count().lost += facts.len() as u64;
                let ticks = facts.len();
                self.shared.error(&format!("{ticks} ticks are lost, the store failed for too long: {why}"));
            }
            // One tick may be at fault: the others are saved from it.
            Outcome::Refused(_) if facts.len() > 1 => {
                for one in facts.chunks(1) {
                    Box::pin(self.facts(one)).await;
                }
            }
            Outcome::Refused(why) => self.set_aside(facts, &why),
        }
    }

    fn written(&self, ticks: usize) {
        let mut count = self.shared.tally.count();
        count.written += ticks as u64;
        count.batches += 1;
    }

    fn set_aside(&self, facts: &[Facts], why: &str) {
        self.shared.tally.count().set_aside += facts.len() as u64;
        self.shared.error(&format!("the store refused {} ticks for good: {why}", facts.len()));
        let kept = Batch::of(facts, &mut Known::default()).and_then(|batch| match self.shared.spool() {
            Some(mut spool) => spool.set_aside(&batch, why),
            None => Ok(()),
        });
        if let Err(why) = kept {
            self.shared.error(&why.to_string());
        }
    }

    /// The oldest batch on disk. Dropped in the middle it is written again, which changes nothing.
    async fn write_oldest(&self) {
        let Some((number, read)) = self.shared.spool().and_then(|mut spool| spool.oldest()) else { return };
        match read {
            Ok(batch) => match self.insist(|| self.store.write_batch(&batch)).await {
                Outcome::Written => {
                    self.written(batch.ticks.len());
                    self.remove(number);
                }
                Outcome::GivenUp(_) => {}
                Outcome::Refused(why) => self.refused_from_disk(number, &batch, &why),
            },
            Err(why) => {
                self.shared.tally.count().lost += 1;
                self.shared.error(&why.to_string());
            }
        }
        tell_spool(&self.shared);
    }

    fn remove(&self, number: u64) {
        if let Some(mut spool) = self.shared.spool() {
            spool.remove(number);
        }
    }

    fn refused_from_disk(&self, number: u64, batch: &Batch, why: &str) {
        self.shared.tally.count().set_aside += batch.ticks.len() as u64;
        self.shared.error(&format!("the store refused {} ticks for good: {why}", batch.ticks.len()));
        let kept = self.shared.spool().map(|mut spool| spool.set_aside(batch, why));
        if let Some(Err(why)) = kept {
            self.shared.error(&why.to_string());
        }
        self.remove(number);
    }

    /// Tries with growing pauses.
    async fn insist<'a, F>(&self, attempt: impl Fn() -> F) -> Outcome
    where
        F: Future<Output = Result<(), StoreError>> + 'a,
    {
        let began = Instant::now();
        let (mut pause, mut said) = (FIRST_PAUSE, None::<Instant>);
        loop {
            let why = match self.in_hurry(attempt()).await {
                Some(Ok(())) => return self.back(said.is_some()),
                Some(Err(StoreError::Never(why))) => return Outcome::Refused(why),
                Some(Err(StoreError::Retry(why))) => why,
                None => return Outcome::GivenUp("it did not answer while a flush waited".to_owned()),
            };
            self.shared.tally.count().retries += 1;
            if said.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
                said = Some(Instant::now());
                self.shared.error(&format!("{why}; trying again"));
            }
            let too_long = self.shared.spool.is_none() && began.elapsed() >= self.shared.options.give_up;
            if too_long || self.in_hurry(sleep(pause)).await.is_none() {
                return Outcome::GivenUp(why);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn back(&self, was_away: bool) -> Outcome {
        if was_away {
            (self.shared.options.notice)("the store takes facts again");
        }
        Outcome::Written
    }

    /// The work's result; `None` when a flush waited and it took too long.
    async fn in_hurry<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut hurry = self.shared.hurry.subscribe();
        let late = async {
            // The sender lives as long as `self`.
            let until = hurry.wait_for(Option::is_some).await.ok().and_then(|until| *until);
            sleep_until(until.unwrap_or_else(Instant::now)).await;
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = late => None,
        }
    }
}
