//! From what the user wrote to a store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::embedded::{self, Notice};
use crate::{ClickHouse, Memory, Retention, Store, StoreError};

/// Rows that `memory` keeps unless told otherwise: some hundred bytes each.
const MEMORY_ROWS: usize = 1_000_000;

/// What a store may need beside its name.
#[derive(Clone)]
pub struct OpenOptions {
    /// Folder of the embedded database; [`default_dir`] where absent.
    pub dir: Option<PathBuf>,
    /// Rows that `memory` keeps.
    pub memory_rows: usize,
    /// How long ClickHouse keeps rows; where absent, as its tables have it, or the default for new ones.
    pub retention: Option<Retention>,
    /// Memory that the embedded server may use, in bytes; a quarter of the machine's, from 1 to 8 GiB, where absent.
    pub server_memory_bytes: Option<u64>,
    /// The program whose hidden subcommand is the embedded server: this one where absent.
    pub program: Option<PathBuf>,
    /// Told, in one line each, what a person should know (the embedded server was restarted).
    pub notice: Notice,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            dir: None,
            memory_rows: MEMORY_ROWS,
            retention: None,
            server_memory_bytes: None,
            program: None,
            notice: Arc::new(|_| ()),
        }
    }
}

/// Opens the store that `spec` names; call it inside a tokio runtime, which must live as long as the store.
///
/// - `none`: no store, `Ok(None)`.
/// - `memory`: the newest facts, gone when the program ends.
/// - `embedded`: a ClickHouse of our own in [`OpenOptions::dir`], started now and stopped by [`Store::close`] (or with this
///   process). The program must call [`embedded::child_main`] under the subcommand [`embedded::SUBCOMMAND`].
/// - `http://user:password@host:8123/database?cluster=NAME`: a ClickHouse server. Database and tables are made where missing.
///
/// # Errors
/// Each says what, why and what to do; none repeats a URL's password.
pub async fn open(spec: &str, options: OpenOptions) -> Result<Option<Arc<dyn Store>>, StoreError> {
    Ok(Some(match spec {
        "none" => return Ok(None),
        "memory" => Arc::new(Memory::new(options.memory_rows)),
        "embedded" => Arc::new(ClickHouse::embedded(server(&options)?, options.retention).await?),
        url if url.contains("://") => Arc::new(ClickHouse::open(url, options.retention).await?),
        _ => {
            return Err(StoreError::Never(
                "a store is none, memory, embedded or http://user:password@host:8123/database".into(),
            ));
        }
    }))
}

fn server(options: &OpenOptions) -> Result<embedded::Options, StoreError> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => default_dir()?,
    };
    Ok(embedded::Options {
        program: options.program.clone(),
        memory_bytes: options.server_memory_bytes,
        notice: options.notice.clone(),
        ..embedded::Options::new(dir)
    })
}

/// Where the embedded database lives unless told otherwise: `/var/lib/fabricscope/clickhouse` where this user may write there,
/// else `$XDG_DATA_HOME/fabricscope/clickhouse` or `~/.local/share/fabricscope/clickhouse`.
///
/// # Errors
/// There is neither, nor a home.
pub fn default_dir() -> Result<PathBuf, StoreError> {
    let system = PathBuf::from("/var/lib/fabricscope/clickhouse");
    if std::fs::create_dir_all(&system).is_ok() {
        return Ok(system);
    }
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let user = from("XDG_DATA_HOME").or_else(|| from("HOME").map(|home| home.join(".local/share")));
    let user = user.map(|path| path.join("fabricscope/clickhouse"));
    user.ok_or_else(|| StoreError::Never("no folder for the embedded database: name one, or set HOME".to_owned()))
}
