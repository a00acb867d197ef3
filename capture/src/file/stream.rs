//! The bytes of an input, decompressed where they are compressed.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::OpenError;

const GZIP: &[u8] = &[0x1f, 0x8b];
/// RFC 8878 section 3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// An opened input.
pub(super) struct Stream {
    /// Its bytes, decompressed.
    pub(super) bytes: Box<dyn Read + Send>,
    /// Bytes read of the file itself.
    pub(super) read: Arc<AtomicU64>,
    /// Size of the file; none for standard input and pipes.
    pub(super) size: Option<u64>,
}

/// Opens a file, or standard input where the path is `-`.
pub(super) fn open(path: &Path) -> Result<Stream, OpenError> {
    let io = |error| OpenError::Io { path: path.display().to_string(), error };
    let (raw, size): (Box<dyn Read + Send>, _) = if path.as_os_str() == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    let read = Arc::new(AtomicU64::new(0));
    let counted = Counted { inner: raw, count: Arc::clone(&read) };
    Ok(Stream { bytes: decompressed(Box::new(counted)).map_err(io)?, read, size })
}

fn decompressed(mut raw: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = (magic.starts_with(GZIP), magic.starts_with(ZSTD));
    let whole = Cursor::new(magic).chain(raw);
    Ok(match kind {
        (true, _) => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        (_, true) => Box::new(zstd::stream::read::Decoder::new(whole)?),
        _ => Box::new(whole),
    })
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(into)?;
        self.count.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}
