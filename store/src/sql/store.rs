//! The store over a ClickHouse server.

use std::sync::{Mutex, PoisonError};

use analyzer::report::{Finding, Flow, Job, Qp};
use clickhouse::Row;
use serde::Deserialize;

use super::batch::{Batch, Known};
use super::connection::{Address, Connection, DATABASE};
use super::schema::{self, Retention, Target};
use super::text::literal;
use super::{insert, links, lists};
use crate::embedded::{self, Server};
use crate::{Answer, Extent, Facts, LinkRow, Page, Query, Series, Store, StoreError, Window};

/// Facts in ClickHouse, of any version from 24.8 on.
pub struct ClickHouse {
    connection: Connection,
    version: String,
    known: Mutex<Known>,
    /// The server, where it is this program's own.
    embedded: Option<Server>,
}

impl ClickHouse {
    /// Connects, and brings the tables to this program's version; `None` leaves their retention as it is.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or holds a newer schema than this program knows.
    pub async fn open(url: &str, retention: Option<Retention>) -> Result<Self, StoreError> {
        let connection = Connection::new(Address::of(url)?);
        let version = connection.version().await.map_err(|why| at(&connection, why))?;
        migrate(&connection, retention).await.map_err(|why| at(&connection, why))?;
        Ok(Self { connection, version, known: Mutex::default(), embedded: None })
    }

    /// Starts a server of our own and connects to it.
    ///
    /// # Errors
    /// As [`embedded::start`] and [`Self::open`].
    pub async fn embedded(options: embedded::Options, retention: Option<Retention>) -> Result<Self, StoreError> {
        let server = embedded::start(options).await?;
        match Self::open(&server.url(DATABASE), retention).await {
            Ok(store) => Ok(Self { embedded: Some(server), ..store }),
            Err(why) => {
                server.stop().await;
                Err(why)
            }
        }
    }

    /// The server, where it is this program's own.
    pub fn server(&self) -> Option<&Server> {
        self.embedded.as_ref()
    }

    async fn put(&self, facts: &[Facts]) -> Result<(), StoreError> {
        // A panic elsewhere leaves only a link that is written again.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let rows = Batch::of(facts, &mut known)?;
        insert::batch(&self.connection, &rows).await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    async fn held(&self) -> Result<Extent, StoreError> {
        #[derive(Row, Deserialize)]
        struct Held {
            ticks: u64,
            first_ns: u64,
            last_ns: u64,
            sensors: Vec<String>,
        }
        let select = "SELECT count() AS ticks, min(t.start_ns) AS first_ns, max(t.end_ns) AS last_ns, \
                      arraySort(groupUniqArray(t.sensor)) AS sensors FROM ticks AS t";
        let rows: Vec<Held> = self.connection.select(select).await?;
        let held = rows.into_iter().find(|held| held.ticks > 0);
        Ok(held.map_or_else(Extent::default, |held| Extent {
            first_ns: Some(held.first_ns),
            last_ns: Some(held.last_ns),
            sensors: held.sensors,
        }))
    }
}

async fn looked(connection: &Connection, window: Window) -> Result<Vec<Window>, StoreError> {
    #[derive(Row, Deserialize)]
    struct Looked {
        from_ns: u64,
        to_ns: u64,
    }
    let Window { from_ns, to_ns } = window;
    let select = format!(
        "SELECT greatest(min(t.start_ns), {from_ns}) AS from_ns, least(max(t.end_ns), {to_ns}) AS to_ns FROM ticks AS t \
         WHERE t.start_ns < {to_ns} AND t.end_ns > {from_ns} GROUP BY t.sensor, t.run ORDER BY from_ns, to_ns"
    );
    let rows: Vec<Looked> = connection.select(&select).await?;
    Ok(rows.into_iter().map(|row| Window { from_ns: row.from_ns, to_ns: row.to_ns }).collect())
}

/// Says where.
fn at(connection: &Connection, why: StoreError) -> StoreError {
    let place = |text: String| format!("{}: {text}", connection.address);
    match why {
        StoreError::Retry(text) => StoreError::Retry(place(text)),
        StoreError::Never(text) => StoreError::Never(place(text)),
    }
}

/// Brings the tables to this program's version, and their retention to what is wanted, if something is.
async fn migrate(connection: &Connection, retention: Option<Retention>) -> Result<(), StoreError> {
    let address = &connection.address;
    let target = Target { database: &address.database, form: &address.form, retention: retention.unwrap_or_default() };
    if let Err(refused) = connection.execute(&target.create_database()).await {
        // A user without the right to create one may still have been given one.
        let exists = format!("SELECT count() FROM system.databases WHERE name = {}", literal(&address.database));
        if connection.ask::<u64>(&exists).await? != [1] {
            return Err(refused);
        }
    }
    for statement in target.create_versions() {
        connection.execute(&statement).await?;
    }
    let have = applied(connection).await?;
    for migration in schema::MIGRATIONS.iter().filter(|migration| migration.version > have) {
        for statement in migration.statements(&target) {
            connection.execute(&statement).await?;
        }
        let (database, note) = (super::text::identifier(&address.database), literal(migration.note));
        let version = migration.version;
        let record = format!("INSERT INTO {database}.schema_version (version, note) VALUES ({version}, {note})");
        connection.execute(&record).await?;
    }
    match retention {
        Some(_) => retain(connection, &target).await,
        None => Ok(()),
    }
}

async fn applied(connection: &Connection) -> Result<u32, StoreError> {
    let versions: Vec<u32> = connection.select("SELECT max(v.version) FROM schema_version AS v").await?;
    let have = versions.into_iter().max().unwrap_or_default();
    if have > schema::VERSION {
        return Err(StoreError::Never(format!(
            "database {} has schema version {have}, and this fabricscope knows versions up to {}; use a newer fabricscope, \
             or name another database in the URL",
            connection.address.database,
            schema::VERSION
        )));
    }
    Ok(have)
}

async fn retain(connection: &Connection, target: &Target<'_>) -> Result<(), StoreError> {
    #[derive(Row, Deserialize)]
    struct Engine {
        name: String,
        engine_full: String,
    }
    let database = literal(target.database);
    let select = format!("SELECT name, engine_full FROM system.tables WHERE database = {database}");
    let engines: Vec<Engine> = connection.ask(&select).await?;
    for table in schema::TABLES {
        let stored = target.stored_name(table);
        let engine = engines.iter().find(|engine| engine.name == stored);
        if let Some(statement) = engine.and_then(|engine| target.retain(table, &engine.engine_full)) {
            connection.execute(&statement).await?;
        }
    }
    Ok(())
}

impl Store for ClickHouse {
    fn describe(&self) -> String {
        match &self.embedded {
            Some(server) => format!("ClickHouse {}, embedded, in {}", self.version, server.dir().display()),
            None => format!("ClickHouse {} at {}", self.version, self.connection.address),
        }
    }

    fn takes_batches(&self) -> bool {
        true
    }

    fn write_batch<'a>(&'a self, batch: &'a Batch) -> Answer<'a, ()> {
        Box::pin(insert::batch(&self.connection, batch))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            if let Some(server) = &self.embedded {
                server.stop().await;
            }
            Ok(())
        })
    }

    fn write<'a>(&'a self, facts: &'a [Facts]) -> Answer<'a, ()> {
        Box::pin(self.put(facts))
    }

    fn extent(&self) -> Answer<'_, Extent> {
        Box::pin(self.held())
    }

    fn looked(&self, window: Window) -> Answer<'_, Vec<Window>> {
        Box::pin(looked(&self.connection, window))
    }

    fn links(&self, window: Window, steps: u32) -> Answer<'_, Vec<LinkRow>> {
        Box::pin(links::rows(&self.connection, window, steps))
    }

    fn series<'a>(&'a self, link: &'a str, window: Window, steps: u32) -> Answer<'a, Option<Series>> {
        Box::pin(links::series(&self.connection, link, window, steps))
    }

    fn flows<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Flow>> {
        Box::pin(lists::flows(&self.connection, query))
    }

    fn qps<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Qp>> {
        Box::pin(lists::qps(&self.connection, query))
    }

    fn findings<'a>(&'a self, query: &'a Query) -> Answer<'a, Page<Finding>> {
        Box::pin(lists::findings(&self.connection, query))
    }

    fn jobs(&self, window: Window) -> Answer<'_, Vec<Job>> {
        Box::pin(lists::jobs(&self.connection, window))
    }
}
