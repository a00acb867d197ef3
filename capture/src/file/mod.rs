//! Capture files: read through a large buffer, their frames lent from it, several files merged by time.

mod buffer;
mod classic;
mod format;
mod identify;
mod merge;
mod pcapng;
mod pump;
mod reader;
mod seek;
mod snoop;
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
/// Formats are told by their first bytes: pcap and its variants, pcapng, snoop, each plain or compressed by gzip or zstd.
///
/// # Errors
/// When one of the files can't be opened, or is no capture, or no file's frames can be judged by the filter: see
/// [`OpenError`]. Damage beyond a file's header is no error: what precedes it is lent, and [`Source::inputs`] tells.
pub fn open(paths: &[PathBuf], options: &FileOptions) -> Result<Box<dyn Source>, OpenError> {
    if paths.is_empty() {
        return Err(OpenError::NoInput);
    }
    let filter = options.filter.as_deref().filter(|f| !f.trim().is_empty());
    let (files, link_types) = merge::Files::open(paths, filter)?;
    if let Some(filter) = filter {
        crate::filter::check(filter, &link_types)?;
    }
    Ok(Box::new(files))
}
