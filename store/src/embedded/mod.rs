//! A ClickHouse server of our own: the program itself as a supervised child process that runs the server from a pinned library.
//!
//! The server brings its own threads, allocator and signal handlers, so it never runs inside the process that captures.
//! It ends when the pipe to it closes, hence also when this process is killed.

mod child;
mod config;
mod fetch;
mod library;
mod supervise;
mod tar;

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use child::child_main;
pub use fetch::fetch;
pub use library::{LIBRARY_ENV, find};

use crate::StoreError;

/// This program as the kernel has it open: there even when an update replaced the file that it was started from.
const OWN_FILE: &str = "/proc/self/exe";

/// Hidden subcommand of the program under which [`child_main`] must be called.
pub const SUBCOMMAND: &str = "clickhouse-server";

/// Takes what a person should know: restarts, waiting, what was set aside. One line each.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// How to run the server.
#[derive(Clone)]
pub struct Options {
    /// Where the database lives.
    pub dir: PathBuf,
    /// The program whose hidden subcommand is the server: this one where absent.
    pub program: Option<PathBuf>,
    /// The library: looked for where absent.
    pub library: Option<PathBuf>,
    /// Memory that the server may use, in bytes: a quarter of the machine's, from 1 to 8 GiB, where absent.
    pub memory_bytes: Option<u64>,
    /// Disk space that it must leave free, in bytes.
    pub keep_free_bytes: u64,
    /// Told what happens.
    pub notice: Notice,
}

impl Options {
    /// A database in `dir`, the rest as found.
    pub fn new(dir: PathBuf) -> Self {
        let notice: Notice = Arc::new(|_| ());
        Self { dir, program: None, library: None, memory_bytes: None, keep_free_bytes: 1 << 30, notice }
    }
}

/// What one start of the server needs.
#[derive(Clone, Debug)]
struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    dir: PathBuf,
    url: String,
}

/// A running server.
pub struct Server {
    url: String,
    dir: PathBuf,
    restarts: Arc<AtomicU64>,
    supervisor: supervise::Supervisor,
    /// Held as long as the server may run: one process, one database.
    _lock: File,
}

impl Server {
    /// Where it listens, with user and password: not for showing.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.url)
    }

    /// Where its data are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How often it ended by itself and was started again.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Stops it: half a second to end what it does, then by force, which loses nothing that was acknowledged.
    pub async fn stop(&self) {
        self.supervisor.stop().await;
    }

    /// Process id of the server, for tests that end it.
    #[doc(hidden)]
    pub fn process_id(&self) -> Option<u32> {
        self.supervisor.process_id()
    }
}

/// Starts the server and waits until it answers.
///
/// # Errors
/// The library is absent (the message names the command that fetches it), another process uses `dir`, the folder cannot be
/// written, or the server does not come up.
pub async fn start(options: Options) -> Result<Server, StoreError> {
    let library = match &options.library {
        Some(library) => library.clone(),
        None => find()?,
    };
    let program = options.program.clone().unwrap_or_else(|| OWN_FILE.into());
    fs::create_dir_all(&options.dir).map_err(|why| never(&options.dir, "make the folder", &why))?;
    let dir = options.dir.canonicalize().map_err(|why| never(&options.dir, "use the folder", &why))?;
    let lock = lock(&dir)?;
    let password = config::password().map_err(|why| never(&dir, "make a password for", &why))?;
    let ports = config::free_ports().map_err(|why| never(&dir, "find free ports for", &why))?;
    config::write(&dir, &password, &options).map_err(|why| never(&dir, "write the configuration in", &why))?;
    let url = format!("http://{}:{password}@127.0.0.1:{}", config::USER, ports.0);
    // For the owner's own tools: curl, clickhouse client.
    write_private(&dir.join("url"), &format!("{url}/\n")).map_err(|why| never(&dir, "write the address in", &why))?;
    let launch = Launch { program, arguments: arguments(&library, &dir, ports), url, dir: dir.clone() };
    let restarts = Arc::new(AtomicU64::new(0));
    let supervisor = supervise::start(launch.clone(), restarts.clone(), options.notice).await?;
    Ok(Server { url: launch.url, dir, restarts, supervisor, _lock: lock })
}

fn arguments(library: &Path, dir: &Path, (http, tcp): (u16, u16)) -> Vec<OsString> {
    let ports = [http.to_string(), tcp.to_string()].map(OsString::from);
    let [http, tcp] = ports;
    vec![SUBCOMMAND.into(), library.into(), dir.into(), http, tcp]
}

fn never(dir: &Path, doing: &str, why: &std::io::Error) -> StoreError {
    StoreError::Never(format!("embedded ClickHouse: cannot {doing} {}: {why}", dir.display()))
}

/// The lock goes with this process, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let opened = File::options().create(true).append(true).read(true).open(&path);
    let mut file = opened.map_err(|why| never(dir, "write to", &why))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let by = fs::read_to_string(&path).unwrap_or_default();
            let by =
                by.trim().parse::<u32>().map_or_else(|_| "another process".to_owned(), |id| format!("process {id}"));
            return Err(StoreError::Never(format!(
                "embedded ClickHouse: {by} uses the database in {} already; end it, or keep this one's data in another folder",
                dir.display()
            )));
        }
        Err(TryLockError::Error(why)) => return Err(never(dir, "lock", &why)),
    }
    let said = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    said.map_err(|why| never(dir, "write to", &why))?;
    Ok(file)
}

/// A file that only its owner may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    // A new file, so that nobody who held the old one open reads this.
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
