//! Heads of BER and DER elements (ITU-T X.690 8.1): tag, length of the contents, length of the head.

use super::bytes::Bytes;

/// The head at `at`. Tags of one byte and lengths up to three bytes, which is all that protocols here use.
pub fn head(bytes: &[u8], at: usize) -> Option<(u8, usize, usize)> {
    let (tag, first) = (bytes.u8(at)?, bytes.u8(at + 1)?);
    let (len, head) = match first {
        0..=0x7f => (usize::from(first), 2),
        0x81 => (usize::from(bytes.u8(at + 2)?), 3),
        0x82 => (usize::from(bytes.be16(at + 2)?), 4),
        0x83 => (bytes.be24(at + 2)? as usize, 5),
        0x84 => (bytes.be32(at + 2)? as usize, 6),
        _ => return None,
    };
    Some((tag, len, head))
}

/// The contents of the element at `at` if it has this tag, and where the next one begins.
pub fn contents(bytes: &[u8], at: usize, tag: u8) -> Option<(&[u8], usize)> {
    let (found, len, head) = head(bytes, at)?;
    let body = bytes.part(at + head, len)?;
    (found == tag).then_some((body, at + head + len))
}

/// Whether the whole payload is one element of this tag (TCP: at least begins so).
pub fn frames(bytes: &[u8], tag: u8, stream: bool) -> Option<usize> {
    let (found, len, head) = head(bytes, 0)?;
    let fits = if stream { len < 16 << 20 } else { head + len == bytes.len() };
    (found == tag && fits).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_each_length_form() {
        assert_eq!(head(&[0x30, 5], 0), Some((0x30, 5, 2)));
        assert_eq!(head(&[0x30, 0x82, 1, 2], 0), Some((0x30, 258, 4)));
        assert_eq!(head(&[0x30, 0x80], 0), None);
        assert_eq!(contents(&[2, 1, 7, 4], 0, 2), Some((&[7][..], 3)));
        assert_eq!(frames(&[0x30, 1, 0], 0x30, false), Some(2));
    }
}
