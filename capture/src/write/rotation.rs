//! Full captures in a folder: one file after the other by size and time, the oldest removed when the budget is spent.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::frame::{Frame, Interface, InterfaceId};
use crate::write::Writer;

/// A file that is still being written ends so; it gets its name when it is whole.
const PART: &str = ".part";
const SUFFIX: &str = ".pcapng";
const SECOND_NS: u64 = 1_000_000_000;

/// How captures rotate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationOptions {
    /// Where the files go.
    pub folder: PathBuf,
    /// What their names begin with; files of the folder that begin otherwise are left alone.
    pub prefix: String,
    /// A file is ended when it has so many bytes.
    pub file_bytes: u64,
    /// A file is ended when its frames span so much time, in nanoseconds of the frames' clock.
    pub file_ns: u64,
    /// Bytes of all files of this prefix, the one being written included; the oldest go first.
    pub budget_bytes: u64,
}

/// Writes frames to files that rotate.
pub struct Rotation {
    options: RotationOptions,
    application: String,
    interfaces: Vec<Interface>,
    current: Option<Current>,
    files: u64,
    removed: u64,
}

struct Current {
    writer: Writer<BufWriter<File>>,
    path: PathBuf,
    first_ns: u64,
}

impl Rotation {
    /// Makes the folder. A file that a killed process left unfinished is kept under its final name: it is read up to where
    /// it breaks off.
    ///
    /// # Errors
    /// When the folder can't be made or read.
    pub fn new(options: RotationOptions, application: &str) -> io::Result<Self> {
        fs::create_dir_all(&options.folder)?;
        let rotation = Self {
            options,
            application: application.to_owned(),
            interfaces: Vec::new(),
            current: None,
            files: 0,
            removed: 0,
        };
        for (path, _) in rotation.files_ending(PART)? {
            rename_whole(&path)?;
        }
        Ok(rotation)
    }

    /// A new interface; every file describes all of them.
    ///
    /// # Errors
    /// Those of the file.
    pub fn interface(&mut self, interface: &Interface) -> io::Result<()> {
        self.interfaces.push(interface.clone());
        match &mut self.current {
            Some(current) => current.writer.interface(interface),
            None => Ok(()),
        }
    }

    /// Writes frames.
    ///
    /// # Errors
    /// Those of the file; the next frames begin a new one.
    pub fn frames(&mut self, frames: &[Frame<'_>]) -> io::Result<()> {
        let result = frames.iter().try_for_each(|f| self.current(f.at_ns)?.writer.frame(f, None));
        if result.is_err() {
            self.current = None;
        }
        result
    }

    /// Writes a loss.
    ///
    /// # Errors
    /// Those of the file.
    pub fn dropped(&mut self, interface: InterfaceId, at_ns: u64, count: u64) -> io::Result<()> {
        self.current(at_ns)?.writer.dropped(interface, at_ns, count)
    }

    /// Ends the file being written.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(&mut self) -> io::Result<()> {
        let Some(Current { writer, path, .. }) = self.current.take() else { return Ok(()) };
        writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        rename_whole(&path)
    }

    /// Files begun, and files removed for the budget.
    pub fn counts(&self) -> (u64, u64) {
        (self.files, self.removed)
    }

    /// The file for a frame of this time.
    fn current(&mut self, at_ns: u64) -> io::Result<&mut Current> {
        let options = &self.options;
        let full = |c: &Current| {
            c.writer.written() >= options.file_bytes || at_ns.saturating_sub(c.first_ns) >= options.file_ns
        };
        if self.current.as_ref().is_some_and(full) {
            self.finish()?;
        }
        if self.current.is_none() {
            self.current = Some(self.begin(at_ns)?);
        }
        self.current.as_mut().ok_or_else(|| io::Error::other("no file"))
    }

    fn begin(&mut self, at_ns: u64) -> io::Result<Current> {
        self.make_room()?;
        let name = format!("{}-{}{SUFFIX}{PART}", self.options.prefix, utc(at_ns));
        let path = self.options.folder.join(name);
        let mut writer = Writer::new(BufWriter::with_capacity(1 << 20, File::create(&path)?), &self.application)?;
        self.interfaces.iter().try_for_each(|i| writer.interface(i))?;
        self.files += 1;
        Ok(Current { writer, path, first_ns: at_ns })
    }

    /// Removes the oldest files until a whole new one fits the budget.
    fn make_room(&mut self) -> io::Result<()> {
        let files = self.files_ending(SUFFIX)?;
        let mut total: u64 = files.iter().map(|(_, len)| len).sum();
        for (path, len) in files {
            if total.saturating_add(self.options.file_bytes) <= self.options.budget_bytes {
                break;
            }
            fs::remove_file(path)?;
            total -= len;
            self.removed += 1;
        }
        Ok(())
    }

    /// Our files with their lengths, oldest first: their names begin with the time.
    fn files_ending(&self, suffix: &str) -> io::Result<Vec<(PathBuf, u64)>> {
        let prefix = format!("{}-", self.options.prefix);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.options.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && name.ends_with(suffix) {
                files.push((entry.path(), entry.metadata()?.len()));
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        // An error can't be told any more; the file keeps its unfinished name.
        let _ = self.finish();
    }
}

fn rename_whole(path: &Path) -> io::Result<()> {
    let name = path.to_string_lossy();
    fs::rename(path, name.strip_suffix(PART).unwrap_or(&name))
}

/// `20261125T034205.000000007Z` of a time since the epoch (civil-from-days by Howard Hinnant, chrono-Compatible Low-Level Date Algorithms).
fn utc(at_ns: u64) -> String {
    let seconds = at_ns / SECOND_NS;
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months are counted from March.
    let march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second, ns) = (second / 3_600, second / 60 % 60, second % 60, at_ns % SECOND_NS);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ns:09}Z")
}
