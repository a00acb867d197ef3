//! Batches on disk while the database is away: within a budget of bytes, the oldest go first, and what goes is counted.
//!
//! One file per batch, `NUMBER-TICKS.rows.zst`, written beside and renamed: a file is whole or not there. They survive a restart.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::StoreError;
use crate::sql::Batch;

const ENDING: &str = ".rows.zst";
/// Files of batches that can never be written, kept for a person to look at; the oldest go first.
const ASIDE_FILES: usize = 16;
/// Fast; rows shrink tenfold all the same.
const LEVEL: i32 = 1;

/// One batch on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    number: u64,
    ticks: u64,
    bytes: u64,
}

impl Entry {
    fn name(&self) -> String {
        format!("{:012}-{}{ENDING}", self.number, self.ticks)
    }

    fn of(name: &str, bytes: u64) -> Option<Self> {
        let (number, ticks) = name.strip_suffix(ENDING)?.split_once('-')?;
        Some(Self { number: number.parse().ok()?, ticks: ticks.parse().ok()?, bytes })
    }
}

/// A folder of batches.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    max_bytes: u64,
    entries: VecDeque<Entry>,
    next: u64,
}

fn failed(doing: &str, path: &Path, why: &io::Error) -> StoreError {
    StoreError::Never(format!("spool: cannot {doing} {}: {why}", path.display()))
}

impl Spool {
    /// Opens a folder with what an earlier run left there.
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, StoreError> {
        fs::create_dir_all(dir.join("aside")).map_err(|why| failed("make the folder", dir, &why))?;
        let listed = fs::read_dir(dir).map_err(|why| failed("read the folder", dir, &why))?;
        let mut entries: Vec<Entry> = listed
            .filter_map(|file| {
                let file = file.ok()?;
                Entry::of(file.file_name().to_str()?, file.metadata().ok()?.len())
            })
            .collect();
        entries.sort_by_key(|entry| entry.number);
        let next = entries.last().map_or(0, |entry| entry.number + 1);
        Ok(Self { dir: dir.to_owned(), max_bytes, entries: entries.into(), next })
    }

    /// Batches waiting.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// Ticks in them.
    pub fn ticks(&self) -> u64 {
        self.entries.iter().map(|entry| entry.ticks).sum()
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.dir.join(entry.name())
    }

    /// Puts a batch behind the others. Returns the ticks that had to go for it.
    pub fn push(&mut self, batch: &Batch) -> Result<u64, StoreError> {
        let mut entry = Entry { number: self.next, ticks: batch.ticks.len() as u64, bytes: 0 };
        self.next += 1;
        let path = self.path(&entry);
        entry.bytes = write(&path, batch).map_err(|why| failed("write", &path, &why))?;
        self.entries.push_back(entry);
        Ok(self.make_room())
    }

    fn make_room(&mut self) -> u64 {
        let mut dropped = 0;
        while self.bytes() > self.max_bytes
            && let Some(oldest) = self.entries.pop_front()
        {
            dropped += oldest.ticks;
            // A file that is gone already is as good as removed.
            let _ = fs::remove_file(self.path(&oldest));
        }
        dropped
    }

    /// The oldest batch, which stays until [`Self::remove`]. A file that cannot be read is renamed and named in the error.
    pub fn oldest(&mut self) -> Option<(u64, Result<Batch, StoreError>)> {
        let entry = self.entries.front()?.clone();
        let path = self.path(&entry);
        let read = read(&path).map_err(|why| {
            self.entries.pop_front();
            // If it cannot even be renamed, it is met again at the next start.
            let _ = fs::rename(&path, path.with_extension("unreadable"));
            failed("read", &path, &why)
        });
        Some((entry.number, read))
    }

    /// The batch is written: its file goes.
    pub fn remove(&mut self, number: u64) {
        if let Some(at) = self.entries.iter().position(|entry| entry.number == number)
            && let Some(entry) = self.entries.remove(at)
        {
            // If it stays it is written again after the next start, which changes nothing in the database.
            let _ = fs::remove_file(self.path(&entry));
        }
    }

    /// Keeps a batch that can never be written, with the reason beside it.
    pub fn set_aside(&mut self, batch: &Batch, reason: &str) -> Result<(), StoreError> {
        let aside = self.dir.join("aside");
        let entry = Entry { number: self.next, ticks: batch.ticks.len() as u64, bytes: 0 };
        self.next += 1;
        let path = aside.join(entry.name());
        let written = write(&path, batch).and_then(|_| fs::write(path.with_extension("reason.txt"), reason));
        written.map_err(|why| failed("write", &path, &why))?;
        let listed = fs::read_dir(&aside).map_err(|why| failed("read the folder", &aside, &why))?;
        let mut files: Vec<PathBuf> = listed.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        let surplus = files.len().saturating_sub(2 * ASIDE_FILES);
        for file in files.iter().take(surplus) {
            // Tried again with the next one.
            let _ = fs::remove_file(file);
        }
        Ok(())
    }
}

/// Writes beside, then renames; returns the size.
fn write(path: &Path, batch: &Batch) -> io::Result<u64> {
    let part = path.with_extension("part");
    let mut zstd = zstd::Encoder::new(BufWriter::new(File::create(&part)?), LEVEL)?;
    zstd.include_checksum(true)?;
    serde_json::to_writer(&mut zstd, batch)?;
    let mut file = zstd.finish()?;
    file.flush()?;
    file.get_ref().sync_data()?;
    fs::rename(&part, path)?;
    Ok(fs::metadata(path)?.len())
}

fn read(path: &Path) -> io::Result<Batch> {
    let zstd = zstd::Decoder::new(File::open(path)?)?;
    Ok(serde_json::from_reader(BufReader::new(zstd))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::TickRow;

    fn batch(ticks: u64) -> Batch {
        let row =
            |sequence| TickRow { sequence, sensor: "s\0\"é".to_owned(), start_ns: u64::MAX, ..TickRow::default() };
        Batch { ticks: (0..ticks).map(row).collect(), ..Batch::default() }
    }

    #[test]
    fn batches_come_back_in_order_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 20).unwrap();
        for ticks in 1..=3 {
            assert_eq!(spool.push(&batch(ticks)).unwrap(), 0);
        }
        let mut spool = Spool::open(dir.path(), 1 << 20).unwrap();
        assert_eq!((spool.len(), spool.ticks()), (3, 6));
        for ticks in 1..=3 {
            let (number, read) = spool.oldest().unwrap();
            let read = read.unwrap();
            assert_eq!((read.ticks.len(), read.ticks[0].start_ns), (ticks, u64::MAX));
            assert_eq!(read.ticks[0].sensor, "s\0\"é");
            spool.remove(number);
        }
        assert!(spool.oldest().is_none());
        assert_eq!(Spool::open(dir.path(), 1 << 20).unwrap().len(), 0);
    }

    #[test]
    fn beyond_the_budget_the_oldest_go_and_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 20).unwrap();
        spool.push(&batch(5)).unwrap();
        spool.max_bytes = 2 * spool.bytes() + 20;
        assert_eq!(spool.push(&batch(5)).unwrap(), 0);
        assert_eq!(spool.push(&batch(5)).unwrap(), 5);
        assert_eq!(spool.oldest().unwrap().0, 1);
    }

    #[test]
    fn a_damaged_file_is_named_and_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 20).unwrap();
        spool.push(&batch(1)).unwrap();
        spool.push(&batch(2)).unwrap();
        fs::write(dir.path().join("000000000000-1.rows.zst"), "damage").unwrap();
        let error = spool.oldest().unwrap().1.unwrap_err().to_string();
        assert!(error.contains("000000000000-1.rows.zst"), "{error}");
        assert_eq!(spool.oldest().unwrap().1.unwrap().ticks.len(), 2);
    }

    #[test]
    fn what_can_never_be_written_is_kept_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), 1 << 20).unwrap();
        for n in 0..ASIDE_FILES + 3 {
            spool.set_aside(&batch(1), &format!("reason {n}")).unwrap();
        }
        let files = fs::read_dir(dir.path().join("aside")).unwrap().count();
        assert_eq!(files, 2 * ASIDE_FILES);
        assert_eq!(spool.len(), 0);
    }
}
