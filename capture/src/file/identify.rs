//! Which format a file has, by its first bytes.

use crate::error::OpenError;
use crate::file::classic::{self, Classic};
use crate::file::format::Format;

/// Bytes that suffice to tell.
pub(super) const HEAD: usize = 32;

/// The reader of a format, and the bytes of file header that precede what it walks.
pub(super) struct Identified {
    pub(super) format: Box<dyn Format>,
    pub(super) header_len: usize,
}

/// Tells the format from the first [`HEAD`] bytes (fewer where the file is shorter).
pub(super) fn identify(path: &str, head: &[u8]) -> Result<Identified, OpenError> {
    if head.is_empty() {
        return Err(OpenError::Empty { path: path.to_owned() });
    }
    if !classic::is_classic(head) {
        return Err(not_a_capture(path, head));
    }
    let (format, header_len) = Classic::open(head).map_err(|found| OpenError::Header {
        path: path.to_owned(),
        format: "pcap",
        expected: format!("{} bytes", classic::HEADER_LEN),
        found,
    })?;
    Ok(Identified { format: Box::new(format), header_len })
}

fn not_a_capture(path: &str, head: &[u8]) -> OpenError {
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    OpenError::NotACapture {
        path: path.to_owned(),
        found: format!("it begins with bytes {}", hex.join(" ")),
        advice: "convert it with editcap, or check that this is the file you meant".to_owned(),
    }
}
