//! The bytes of an input, decompressed where they are compressed.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::OpenError;
use crate::file::pump;

/// Member header of RFC 1952: two magic bytes, deflate.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];
/// Frame header of RFC 8878, section 3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Largest window that a zstd frame may ask for, as a power of two: 128 MiB, what `zstd` itself allows by default.
const ZSTD_WINDOW_LOG: u32 = 27;

/// An opened input.
pub(super) struct Stream {
    /// Its bytes, decompressed.
    pub(super) bytes: Box<dyn Read + Send>,
    /// Name of the compression that is taken off.
    pub(super) wrapping: Option<&'static str>,
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
    let (bytes, wrapping) = decompressed(Box::new(counted)).map_err(io)?;
    Ok(Stream { bytes, wrapping, read, size })
}

type Decompressed = (Box<dyn Read + Send>, Option<&'static str>);

fn decompressed(mut raw: Box<dyn Read + Send>) -> io::Result<Decompressed> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(GZIP), magic.starts_with(ZSTD));
    let whole = Cursor::new(magic).chain(raw);
    if gzip {
        return Ok((pump::on_its_own_thread(flate2::read::MultiGzDecoder::new(whole))?, Some("gzip")));
    }
    if zstd {
        let mut decoder = zstd::stream::read::Decoder::new(whole)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        return Ok((pump::on_its_own_thread(decoder)?, Some("zstd")));
    }
    Ok((Box::new(whole), None))
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
