//! Header compression of HTTP/2 (RFC 7541), as far as one connection's first header blocks need it.

use std::collections::VecDeque;

use super::huffman;
use crate::dpi::bytes::Bytes;

/// A header's name and value.
pub type Header = (Vec<u8>, Vec<u8>);

/// Bytes kept of one string.
const MAX_STRING: usize = 1024;
/// Headers of one block.
const MAX_HEADERS: usize = 64;
/// Entries of the dynamic table that are kept.
const MAX_ENTRIES: usize = 64;

/// Appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// A decoder with its dynamic table.
#[derive(Debug, Default)]
pub struct Decoder {
    table: VecDeque<Header>,
}

impl Decoder {
    /// The headers of one block. Where the table began before the capture, what it refers to stays empty.
    pub fn block(&mut self, block: &[u8]) -> Vec<Header> {
        let (mut at, mut headers) = (0, Vec::new());
        while at < block.len() && headers.len() < MAX_HEADERS {
            match self.field(block, &mut at) {
                Some(Some(header)) => headers.push(header),
                Some(None) => {}
                None => break,
            }
        }
        headers
    }

    /// One field; `Some(None)` for a change of the table's size.
    fn field(&mut self, block: &[u8], at: &mut usize) -> Option<Option<Header>> {
        let first = block.u8(*at)?;
        if first & 0x80 != 0 {
            let index = integer(block, at, 7)?;
            return Some(Some(self.entry(index)));
        }
        if first & 0xe0 == 0x20 {
            integer(block, at, 5)?;
            return Some(None);
        }
        let kept = first & 0x40 != 0;
        let index = integer(block, at, if kept { 6 } else { 4 })?;
        let name = if index == 0 { string(block, at)? } else { self.entry(index).0 };
        let header = (name, string(block, at)?);
        if kept {
            self.table.push_front(header.clone());
            self.table.truncate(MAX_ENTRIES);
        }
        Some(Some(header))
    }

    fn entry(&self, index: usize) -> Header {
        match index.checked_sub(1).and_then(|i| STATIC.get(i)) {
            Some((name, value)) => (name.as_bytes().to_vec(), value.as_bytes().to_vec()),
            None => index.checked_sub(62).and_then(|i| self.table.get(i)).cloned().unwrap_or_default(),
        }
    }
}

/// A number in a prefix of so many bits (5.1).
fn integer(block: &[u8], at: &mut usize, bits: u32) -> Option<usize> {
    let limit = (1_usize << bits) - 1;
    let mut value = usize::from(block.u8(*at)?) & limit;
    *at += 1;
    if value < limit {
        return Some(value);
    }
    for shift in [0, 7, 14] {
        let byte = usize::from(block.u8(*at)?);
        *at += 1;
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A string, coded or plain (5.2).
fn string(block: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let coded = block.u8(*at)? & 0x80 != 0;
    let len = integer(block, at, 7)?;
    let raw = block.part(*at, len)?;
    *at += len;
    if coded { huffman::decode(raw, MAX_STRING) } else { Some(raw.first_of(MAX_STRING).to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 C.4.1 and C.4.2: the second block refers to the table that the first one filled.
    #[test]
    fn two_requests() {
        let first =
            [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        let second = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        let mut decoder = Decoder::default();
        assert_eq!(decoder.block(&first)[3], (b":authority".to_vec(), b"www.example.com".to_vec()));
        let headers = decoder.block(&second);
        assert_eq!(headers[3].1, b"www.example.com");
        assert_eq!(headers[4], (b"cache-control".to_vec(), b"no-cache".to_vec()));
        assert_eq!(Decoder::default().block(&second)[3], Header::default());
    }
}
