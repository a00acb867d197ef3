//! A real server for tests: one per test program, a database per test.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use store::embedded::{self, Options, Server};

/// Whether the library is there; if not, says so loudly, or fails where nothing may be skipped.
pub fn library() -> Option<PathBuf> {
    match embedded::find() {
        Ok(library) => Some(library),
        Err(why) if std::env::var_os("FABRICSCOPE_REQUIRE_ALL").is_some_and(|v| v == "1") => panic!("{why}"),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: needs the ClickHouse library: {why}");
            None
        }
    }
}

/// Options for a server in a folder of this test program.
pub fn options(library: PathBuf, name: &str) -> Options {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    Options {
        program: Some(env!("CARGO_BIN_EXE_store-test-server").into()),
        library: Some(library),
        memory_bytes: Some(1 << 30),
        notice: Arc::new(|line| drop(writeln!(std::io::stderr(), "notice: {line}"))),
        ..Options::new(dir)
    }
}

/// The program's server, which runs until the program ends.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<(tokio::runtime::Runtime, Server)>> = OnceLock::new();
    let started = SERVER.get_or_init(|| {
        let options = options(library()?, "shared");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Not inside a test's own runtime: that ends with the test.
        let (runtime, started) = std::thread::spawn(move || {
            let started = runtime.block_on(embedded::start(options));
            (runtime, started)
        })
        .join()
        .unwrap();
        Some((runtime, started.unwrap()))
    });
    started.as_ref().map(|(_, server)| server)
}
