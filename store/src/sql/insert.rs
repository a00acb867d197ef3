//! Rows into tables: one block per table and day of packet time, resent byte for byte with the same token until it is in.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use clickhouse::{RowOwned, RowWrite};
use serde::Serialize;

use super::batch::Batch;
use super::connection::Connection;
use super::errors::sorted;
use super::rows::Timed;
use crate::StoreError;

/// Most rows of one block; over this a batch is cut, at the same places each time.
const BLOCK_ROWS: usize = 100_000;
const DAY_NS: u64 = 86_400_000_000_000;
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// The server may be waiting for merges or for a slow disk.
const END_TIMEOUT: Duration = Duration::from_secs(120);

/// A row that can be written.
pub trait Written: RowOwned + RowWrite + Serialize + Timed + Hash {}
impl<T: RowOwned + RowWrite + Serialize + Timed + Hash> Written for T {}

/// Puts all rows in; ticks last, so that a tick that is there is there whole.
pub async fn batch(connection: &Connection, rows: &Batch) -> Result<(), StoreError> {
    table(connection, &rows.links).await?;
    table(connection, &rows.link_metrics).await?;
    table(connection, &rows.flows).await?;
    table(connection, &rows.qps).await?;
    table(connection, &rows.taps).await?;
    table(connection, &rows.findings).await?;
    table(connection, &rows.jobs).await?;
    table(connection, &rows.ticks).await
}

async fn table<T>(connection: &Connection, rows: &[T]) -> Result<(), StoreError>
where
    T: Written + for<'a> clickhouse::Row<Value<'a> = T>,
{
    let mut days: BTreeMap<u64, Vec<&T>> = BTreeMap::new();
    for row in rows {
        days.entry(row.at_ns() / DAY_NS).or_default().push(row);
    }
    for block in days.values().flat_map(|day| day.chunks(BLOCK_ROWS)) {
        insert(connection, block).await.map_err(|error| sorted(&error))?;
    }
    Ok(())
}

/// The same rows give the same token, in every process.
fn token<T: Written>(block: &[&T]) -> String {
    let mut hasher = DefaultHasher::new();
    T::TABLE.hash(&mut hasher);
    block.hash(&mut hasher);
    format!("{}-{}-{:016x}", T::TABLE, block.len(), hasher.finish())
}

async fn insert<T>(connection: &Connection, block: &[&T]) -> clickhouse::error::Result<()>
where
    T: Written + for<'a> clickhouse::Row<Value<'a> = T>,
{
    let insert = connection.inserts().insert::<T>(T::TABLE).await?;
    let mut insert = insert
        .with_timeouts(Some(SEND_TIMEOUT), Some(END_TIMEOUT))
        .with_setting("insert_deduplication_token", token(block))
        .with_setting("async_insert", "0")
        .with_setting("distributed_foreground_insert", "1");
    for &row in block {
        insert.write(row).await?;
    }
    insert.end().await
}
