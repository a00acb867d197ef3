//! Before anything is read from an interface: what the process does not need is given up.

use std::path::{Path, PathBuf};

use capture::live::rights;

use crate::args::AnalysisArgs;
use crate::output::warn;

/// Folders that must be writable for what the user asked for. They are made where they are not there.
pub fn folders(args: &AnalysisArgs, write: Option<&Path>, spool: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        [write, args.evidence.as_deref()].into_iter().flatten().map(Path::to_owned).collect();
    let store = args.store.as_deref().unwrap_or("none");
    if store == "embedded" {
        folders.extend(args.store_dir.clone().or_else(|| store::default_dir().ok()));
    }
    if store != "none" && store != "memory" {
        folders.push(spool.to_owned());
    }
    // What can't be made is told by whoever uses it.
    folders.retain(|folder| std::fs::create_dir_all(folder).is_ok());
    folders.extend(args.report.as_deref().and_then(target));
    folders
}

/// A report is written beside its place and renamed; a pipe or a device is written to.
fn target(report: &Path) -> Option<PathBuf> {
    if report.metadata().is_ok_and(|m| !m.is_file()) {
        return report.canonicalize().ok();
    }
    let parent = report.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    parent.canonicalize().ok()
}

/// Gives up everything else.
pub fn confine(folders: &[PathBuf], quiet: bool) {
    let said = rights::confine(folders);
    if !quiet {
        warn(format!("confined: {}", said.join("; ")));
    }
}
