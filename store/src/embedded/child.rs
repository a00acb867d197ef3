//! The child process: loads the library and becomes the server. Never returns.

#![allow(unsafe_code, reason = "a shared library is loaded and its C entry point called")]

use std::ffi::{CString, OsString, c_char, c_int, c_void};
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// `clickhouse-local`'s entry point, as the library exports it.
// SAFETY of calls: see `run`.
type EntryPoint = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;

/// Runs the server. `arguments` are those after the hidden subcommand: library, folder, HTTP port, native port. The server ends
/// when standard input does.
pub fn child_main(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let [library, dir, http, tcp] = arguments.as_slice() else {
        stop("this subcommand is for the program itself; use --store embedded", 2);
    };
    let dir = dir.to_string_lossy();
    let [http, tcp] = [http, tcp].map(|port| port.to_string_lossy());
    // No listener is opened by the command line itself: start.sql does that, then standard input is read as a second file of
    // statements until it ends.
    let command = [
        "clickhouse".to_owned(),
        format!("--config-file={dir}/config.xml"),
        format!("--path={dir}/data"),
        "--log-level=warning".to_owned(),
        "--listen_host=127.0.0.1".to_owned(),
        format!("--http_port={http}"),
        format!("--tcp_port={tcp}"),
        "--queries-file".to_owned(),
        format!("{dir}/start.sql"),
        "/dev/stdin".to_owned(),
    ];
    match run(Path::new(library), command.map(OsString::from).into()) {
        Ok(()) => std::process::exit(0),
        Err(why) => stop(&why, 1),
    }
}

fn stop(why: &str, status: i32) -> ! {
    // Standard error is the server's log: if it cannot be written, nobody can be told.
    let _ = writeln!(std::io::stderr(), "fabricscope: {why}");
    std::process::exit(status)
}

fn run(library: &Path, arguments: Vec<OsString>) -> Result<(), String> {
    let owned: Result<Vec<CString>, _> = arguments.into_iter().map(|a| CString::new(a.into_vec())).collect();
    let owned = owned.map_err(|_| "the folder's path holds a NUL byte".to_owned())?;
    let count = c_int::try_from(owned.len()).map_err(|why| why.to_string())?;
    let mut pointers: Vec<*mut c_char> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
    pointers.push(std::ptr::null_mut());
    // SAFETY: loading runs the library's initialisers. The file is the pinned release, whose checksum was compared when it was
    // fetched (or one that the user named), and this process exists for nothing else.
    let loaded = unsafe { libloading::Library::new(library) };
    let loaded = loaded.map_err(|why| format!("cannot load {}: {why}", library.display()))?;
    // SAFETY: the release's header declares `chdb_query_cmdline(int, char **)` with a pointer as result; nothing of the result is used.
    let entry = unsafe { loaded.get::<EntryPoint>(b"chdb_query_cmdline\0") };
    let entry = entry.map_err(|why| format!("{} is not the pinned release: {why}", library.display()))?;
    // SAFETY: `pointers` is a NULL-terminated array of C strings that live in `owned` until the end of this function, as main()
    // would be given; the server copies what it keeps.
    unsafe { entry(count, pointers.as_mut_ptr()) };
    Ok(())
}
