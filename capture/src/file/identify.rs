//! Which format a file has, by its first bytes: never by its name.

use crate::error::OpenError;
use crate::file::format::{BadHeader, Identified};
use crate::file::{classic, pcapng, snoop};

/// Bytes that suffice to tell.
pub(super) const HEAD: usize = 32;

/// Reads a file header if it belongs to a format.
type Open = fn(&[u8]) -> Option<Result<Identified, BadHeader>>;

/// The formats that are read.
const FORMATS: &[Open] = &[classic::open, pcapng::open, snoop::open];

const CONVERT: &str = "convert it to pcapng with editcap or Wireshark";
const DECOMPRESS: &str = "decompress it and give it on standard input, as -";
const WRONG_FILE: &str = "check that this is the file you meant";

/// Formats that are known and not read: first bytes, name, what to do.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (b"TRSNIFF data    \x1a", "a Sniffer capture (NetXray, DOS)", CONVERT),
    (b"XCP\0", "a Sniffer capture (Windows)", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"iptrace ", "an AIX iptrace capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth capture (btsnoop)", "no fabric traffic is in it"),
    (b"\x05VNF", "a Visual Networks capture", CONVERT),
    (b"\x00\x00\x02\x00\x12\x05", "a Catapult K12 capture", CONVERT),
    (b"\xfd7zXZ\0", "compressed by xz", DECOMPRESS),
    (b"BZh", "compressed by bzip2", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "compressed by LZ4", DECOMPRESS),
    (b"PK\x03\x04", "a zip archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"\x1f\x8b", "compressed by gzip twice", "decompress it once"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd twice", "decompress it once"),
    (b"\x7fELF", "a program (ELF)", WRONG_FILE),
];

/// Tells the format from the first [`HEAD`] bytes (fewer where the file is shorter).
///
/// `wrapping` names the compression that was taken off.
pub(super) fn identify(path: &str, wrapping: Option<&str>, head: &[u8]) -> Result<Identified, OpenError> {
    let path = path.to_owned();
    if head.is_empty() {
        return Err(OpenError::Empty { path });
    }
    match FORMATS.iter().find_map(|open| open(head)) {
        Some(Ok(identified)) => Ok(identified),
        Some(Err(BadHeader { format, expected, found })) => Err(OpenError::Header { path, format, expected, found }),
        None => Err(not_a_capture(path, wrapping, head)),
    }
}

fn not_a_capture(path: String, wrapping: Option<&str>, head: &[u8]) -> OpenError {
    let (mut found, advice) = match KNOWN.iter().find(|(magic, ..)| head.starts_with(magic)) {
        Some((_, name, advice)) => (format!("it is {name}"), *advice),
        None => (begins(head), WRONG_FILE),
    };
    if let Some(wrapping) = wrapping {
        found.push_str(&format!(", after {wrapping} decompression"));
    }
    OpenError::NotACapture { path, found, advice }
}

/// The first bytes, as text where they are text.
fn begins(head: &[u8]) -> String {
    if head.iter().all(|b| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
        let text: String =
            String::from_utf8_lossy(head).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        return format!("it is text that begins with \"{text}\"");
    }
    let hex: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("it begins with the bytes {}", hex.join(" "))
}
