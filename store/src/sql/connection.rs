//! A server's address, and a client for it.

use std::fmt;
use std::time::Duration;

use clickhouse::{Client, RowOwned, RowRead};

use super::errors::sorted;
use super::schema::Form;
use crate::StoreError;

/// A query that takes longer than this is given up, on both sides.
const QUERY_SECONDS: u64 = 60;
/// Database where the URL names none.
pub const DATABASE: &str = "fabricscope";

/// What a URL says: `http://user:password@host:8123/database?cluster=NAME`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    user: Option<String>,
    password: Option<String>,
    /// Database.
    pub database: String,
    /// One server or a cluster.
    pub form: Form,
}

/// Without the password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/{}", self.host, self.database)?;
        match &self.form {
            Form::Single => Ok(()),
            Form::Cluster(name) => write!(f, " (cluster {name})"),
        }
    }
}

fn wrong(why: &str) -> StoreError {
    StoreError::Never(format!("not a ClickHouse URL: {why}; expected http://user:password@host:8123/database"))
}

/// `%HH` back to bytes.
fn decoded(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|d| d.and_then(|d| char::from(d).to_digit(16)));
        let [Some(high), Some(low)] = digits else {
            return Err(wrong("a % is not followed by two hexadecimal digits"));
        };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 once decoded"))
}

impl Address {
    /// Reads a URL. Errors never repeat it, for it may hold a password.
    pub fn of(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("https://") {
            let why = "https is not built in; use http on a trusted network, or a TLS proxy on this machine";
            return Err(StoreError::Never(why.to_owned()));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| wrong("it does not begin with http://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(l, h)| (Some(l), h));
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        let login = login.map(|l| l.split_once(':').map_or((l, None), |(user, password)| (user, Some(password))));
        Ok(Self {
            host: with_port(host),
            user: login.map(|(user, _)| decoded(user)).transpose()?,
            password: login.and_then(|(_, password)| password).map(decoded).transpose()?,
            database: database(path)?,
            form: form(query)?,
        })
    }

    fn client(&self) -> Client {
        let mut client = Client::default().with_url(format!("http://{}", self.host));
        if let Some(user) = &self.user {
            client = client.with_user(user);
        }
        if let Some(password) = &self.password {
            client = client.with_password(password);
        }
        client.with_product_info("fabricscope", env!("CARGO_PKG_VERSION"))
    }
}

fn with_port(host: &str) -> String {
    // The last colon of a bare IPv6 address in brackets is inside them.
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    if after.contains(':') { host.to_owned() } else { format!("{host}:8123") }
}

fn database(path: &str) -> Result<String, StoreError> {
    let name = decoded(path.trim_end_matches('/'))?;
    if name.contains('/') {
        return Err(wrong("the path is more than one database name"));
    }
    Ok(if name.is_empty() { DATABASE.to_owned() } else { name })
}

fn form(query: &str) -> Result<Form, StoreError> {
    match query.split_once('=') {
        None if query.is_empty() => Ok(Form::Single),
        Some(("cluster", name)) if !name.is_empty() => Ok(Form::Cluster(decoded(name)?)),
        _ => Err(wrong("the only parameter is ?cluster=NAME")),
    }
}

/// A server that answers.
#[derive(Clone)]
pub struct Connection {
    /// Where.
    pub address: Address,
    bare: Client,
    inside: Client,
}

impl Connection {
    /// Nothing is sent yet.
    pub fn new(address: Address) -> Self {
        let bare = address.client();
        let inside = bare.clone().with_database(&address.database);
        Self { address, bare, inside }
    }

    /// Sends a statement that names its database itself, which need not exist yet.
    pub async fn execute(&self, statement: &str) -> Result<(), StoreError> {
        let query = self.bare.query_raw(statement).with_setting("distributed_ddl_task_timeout", "120");
        in_time(query.execute()).await
    }

    /// Asks outside of any database.
    pub async fn ask<T: RowOwned + RowRead>(&self, select: &str) -> Result<Vec<T>, StoreError> {
        in_time(self.bare.query_raw(select).fetch_all::<T>()).await
    }

    /// Asks the tables: of rows written twice, one counts.
    pub async fn select<T: RowOwned + RowRead>(&self, select: &str) -> Result<Vec<T>, StoreError> {
        let query = self
            .inside
            .query_raw(select)
            .with_setting("final", "1")
            .with_setting("do_not_merge_across_partitions_select_final", "1")
            .with_setting("distributed_product_mode", "global")
            .with_setting("skip_unavailable_shards", "1")
            .with_setting("max_execution_time", QUERY_SECONDS.to_string());
        in_time(query.fetch_all::<T>()).await
    }

    /// A client for inserts into the database.
    pub fn inserts(&self) -> &Client {
        &self.inside
    }

    /// Version of the server.
    pub async fn version(&self) -> Result<String, StoreError> {
        let rows: Vec<String> = self.ask("SELECT version()").await?;
        rows.into_iter().next().ok_or_else(|| StoreError::Retry("ClickHouse did not tell its version".to_owned()))
    }
}

/// The server limits a query itself; this is for one that does not answer at all.
async fn in_time<T>(work: impl Future<Output = clickhouse::error::Result<T>>) -> Result<T, StoreError> {
    match tokio::time::timeout(Duration::from_secs(2 * QUERY_SECONDS), work).await {
        Ok(done) => done.map_err(|error| sorted(&error)),
        Err(_) => Err(StoreError::Retry(format!("ClickHouse did not answer in {} s", 2 * QUERY_SECONDS))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let full = Address::of("http://me:p%40ss:w@db.example:9000/fabric%20one/?cluster=c1").unwrap();
        assert_eq!((full.user.as_deref(), full.password.as_deref()), (Some("me"), Some("p@ss:w")));
        assert_eq!(full.to_string(), "http://db.example:9000/fabric one (cluster c1)");
        let short = Address::of("http://[::1]").unwrap();
        assert_eq!((short.to_string().as_str(), short.user), ("http://[::1]:8123/fabricscope", None));
    }

    #[test]
    fn wrong_urls_are_refused_without_repeating_them() {
        for url in
            ["ftp://secret@h", "http://", "http://secret@", "http://h/secret/b", "http://h/?secret=1", "http://h/%z"]
        {
            let error = Address::of(url).unwrap_err().to_string();
            assert!(error.contains("http://user:password@host") && !error.contains("secret"), "{url}: {error}");
        }
        assert!(Address::of("https://h").unwrap_err().to_string().contains("TLS proxy"));
        assert!(!format!("{:?}", Address::of("http://u:secret@h").unwrap()).contains("secret"));
    }
}
