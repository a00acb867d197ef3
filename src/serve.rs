//! `fabricscope serve`: the dashboard on what a store holds. `setup-store`: the embedded store's library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dashboard::SensorInfo;
use store::{OpenOptions, Retention, Store};

use crate::args::ServeArgs;
use crate::failure::Failure;
use crate::output::warn;
use crate::web::Web;

/// Runs `serve`.
pub fn serve(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let mut web = Web::start()?;
    let store = open_store(&web, &args.store, args.store_dir.clone(), None)?;
    let store = store.ok_or_else(|| Failure::new("nothing to serve", "the store is none", "name one with --store"))?;
    let info = SensorInfo {
        sensor: "serve".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..SensorInfo::default()
    };
    let url = web.open(&args.listen, store.clone(), None, info)?;
    warn(format!("dashboard on {url} over {}; Ctrl-C ends it", store.describe()));
    let served = web.wait_for_end();
    web.close(store.as_ref())?;
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the store that the user named; `None` for `none`.
pub fn open_store(
    web: &Web,
    spec: &str,
    dir: Option<PathBuf>,
    retention: Option<Retention>,
) -> Result<Option<Arc<dyn Store>>, Failure> {
    let options = OpenOptions { dir, retention, notice: Arc::new(|line| warn(line)), ..OpenOptions::default() };
    web.handle().block_on(store::open(spec, options)).map_err(|why| Failure::new("cannot open the store", why, ""))
}

/// Runs `setup-store`.
pub fn setup_store() -> Result<ExitCode, Failure> {
    let library = store::embedded::fetch(&|line| warn(line)).map_err(|why| {
        Failure::new("cannot fetch the embedded store's library", why, "--store memory works without it")
    })?;
    warn(format!("the embedded store's library is at {}", library.display()));
    Ok(ExitCode::SUCCESS)
}
