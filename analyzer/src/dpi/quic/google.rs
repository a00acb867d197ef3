//! Google's own QUIC before the standard: public headers (versions 25 to 46) and CHLO messages.

use crate::dpi::bytes::Bytes;

/// A version as its four characters, `Q046`; also the `T05x` of TLS trials.
pub fn is_version(four: &[u8]) -> bool {
    matches!(four, [b'Q' | b'T', b'0', b'2'..=b'5', b'0'..=b'9'])
}

/// Version of a public header (up to 43) with a connection identifier of eight bytes, and where the packet number begins.
pub fn public(datagram: &[u8]) -> Option<(&[u8], usize)> {
    let flags = datagram.u8(0)?;
    let version = datagram.part(9, 4)?;
    (flags & 0x09 == 0x09 && flags & 0x80 == 0 && is_version(version)).then_some((version, 13))
}

/// Values of the CHLO somewhere in a datagram: tag, count, pairs of tag and end offset, values.
pub fn chlo(datagram: &[u8], tag: &[u8; 4]) -> Option<Vec<u8>> {
    let at = datagram.find(b"CHLO", 128)?;
    let message = datagram.from(at);
    let count = usize::from(message.le16(4)?).min(64);
    let values = 8 + 8 * count;
    let mut start = 0;
    for i in 0..count {
        let entry = 8 + 8 * i;
        let end = message.le32(entry + 4)? as usize;
        if message.has(entry, tag) {
            return Some(message.part(values + start, end.checked_sub(start)?)?.to_vec());
        }
        start = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_chlo() {
        let message = b"xxxxCHLO\x02\0\0\0PAD\0\x03\0\0\0SNI\0\x08\0\0\0---a.b.c";
        assert_eq!(chlo(message, b"SNI\0").as_deref(), Some(&b"a.b.c"[..]));
        assert_eq!(chlo(message, b"UAID"), None);
        assert!(is_version(b"Q046") && !is_version(b"Q0A6"));
    }
}
