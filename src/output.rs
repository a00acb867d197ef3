//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use analyzer::report::Report;

use crate::failure::Failure;

/// The report as text: the same report gives the same bytes.
pub fn report_text(report: &Report) -> Result<String, Failure> {
    let mut text = serde_json::to_string_pretty(report).map_err(|why| {
        Failure::new("cannot write the report as JSON", why, "this is a defect of fabricscope: please report it")
    })?;
    text.push('\n');
    Ok(text)
}

/// Writes beside `path`, then renames: a reader sees the old file or the whole new one.
pub fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    write_bytes(path, text.as_bytes())
}

/// As [`write_whole`], for what is no text.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    // Pipes and devices (/dev/stdout) cannot be replaced; they are written to.
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return fs::write(path, bytes).map_err(|why| Failure::file("write", path, &why));
    }
    let beside = beside(path);
    let done = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    done.map_err(|why| {
        // The write has failed already; that the remains stay too changes nothing for the user.
        let _ = fs::remove_file(&beside);
        Failure::file("write", path, &why)
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Prints to standard output. A reader that has gone away (`| head`) is no error.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new("cannot write to standard output", why, ""))
        }
        _ => Ok(()),
    }
}

/// A line on standard error; nobody is left to tell if that fails.
pub fn warn(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "fabricscope: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_whole(&path, "one").unwrap();
        write_whole(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let failure = write_whole(Path::new("/nonexistent/report.json"), "").unwrap_err();
        assert!(failure.to_string().contains("cannot write /nonexistent/report.json"), "{failure}");
    }
}
