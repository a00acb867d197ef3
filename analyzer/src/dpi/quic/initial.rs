//! Initial packets opened, and the TLS bytes of their CRYPTO frames put in order.

use super::keys::{Keys, version};
use crate::dpi::bytes::Bytes;

/// CRYPTO bytes kept.
const MAX_CRYPTO: usize = 16_384;

/// A long header (RFC 9000 17.2).
#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    /// First byte.
    pub first: u8,
    /// Version; 0 negotiates.
    pub version: u32,
    /// Destination connection identifier.
    pub destination: &'a [u8],
    /// Where the rest begins.
    pub at: usize,
}

/// Reads a long header.
pub fn long(datagram: &[u8]) -> Option<Long<'_>> {
    let (first, version) = (datagram.u8(0)?, datagram.be32(1)?);
    let len = usize::from(datagram.u8(5)?);
    let destination = datagram.part(6, len)?;
    let source_len = usize::from(datagram.u8(6 + len)?);
    datagram.part(7 + len, source_len)?;
    let fits = first & 0x80 != 0 && len <= 20 && source_len <= 20;
    fits.then_some(Long { first, version, destination, at: 7 + len + source_len })
}

/// A number of variable length (RFC 9000 16) and its size.
pub fn number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = bytes.u8(at)?;
    let value = match first >> 6 {
        0 => (u64::from(first), 1),
        1 => (u64::from(bytes.be16(at)? & 0x3fff), 2),
        2 => (u64::from(bytes.be32(at)? & 0x3fff_ffff), 4),
        _ => (bytes.be64(at)? & 0x3fff_ffff_ffff_ffff, 8),
    };
    Some(value)
}

/// The handshake bytes that a connection's first packets carry.
#[derive(Debug, Default)]
pub struct Crypto {
    pieces: Vec<(usize, Vec<u8>)>,
}

impl Crypto {
    /// Opens the Initial packets of a datagram with the keys of this connection identifier. Says whether one was opened.
    pub fn take(&mut self, datagram: &[u8], connection: &[u8]) -> bool {
        let (mut at, mut opened) = (0, false);
        for _ in 0..4 {
            let packet = datagram.from(at);
            let Some((header, len, rest)) = initial(packet) else { break };
            opened |= self.open(packet, header, len, rest, connection).is_some();
            at += rest + len;
        }
        opened
    }

    fn open(&mut self, packet: &[u8], header: Long<'_>, len: usize, at: usize, connection: &[u8]) -> Option<()> {
        let keys = Keys::of_client(version(header.version)?, connection);
        let sample: [u8; 16] = packet.part(at + 4, 16)?.try_into().ok()?;
        let mask = keys.mask(sample);
        let first = header.first ^ (mask.first()? & 0x0f);
        let size = usize::from(first & 3) + 1;
        let bytes = packet.part(at, size)?;
        let packet_number = bytes.iter().zip(mask.iter().skip(1)).fold(0, |n, (b, m)| n << 8 | u64::from(b ^ m));
        let ciphered = packet.part(at + size, len.checked_sub(size + 16)?)?;
        if first & 0x0c != 0 && header.version >> 24 != u32::from(b'Q') {
            return None;
        }
        self.frames(&keys.open(packet_number, ciphered))
    }

    /// PADDING, PING, ACK and CRYPTO are all that may stand in an Initial packet, and CONNECTION_CLOSE.
    fn frames(&mut self, plain: &[u8]) -> Option<()> {
        let (mut at, mut found) = (0, Vec::new());
        while at < plain.len() {
            let kind = plain.u8(at)?;
            at += 1;
            match kind {
                0 | 1 => {}
                2 | 3 => at = ack(plain, at, kind)?,
                6 => {
                    let (offset, a) = number(plain, at)?;
                    let (len, b) = number(plain, at + a)?;
                    let data = plain.part(at + a + b, usize::try_from(len).ok()?)?;
                    found.push((usize::try_from(offset).ok()?, data.to_vec()));
                    at += a + b + data.len();
                }
                0x1c => break,
                _ => return None,
            }
        }
        let room = MAX_CRYPTO.saturating_sub(self.pieces.iter().map(|(_, p)| p.len()).sum());
        if found.iter().map(|(_, p)| p.len()).sum::<usize>() <= room {
            self.pieces.extend(found);
        }
        Some(())
    }

    /// The bytes in order from the first, as far as they reach.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.pieces.sort_by_key(|(offset, _)| *offset);
        let mut all: Vec<u8> = Vec::new();
        for (offset, piece) in &self.pieces {
            if *offset > all.len() {
                break;
            }
            all.extend_from_slice(piece.from(all.len() - offset));
        }
        all
    }
}

/// Skips an acknowledgement.
fn ack(plain: &[u8], mut at: usize, kind: u8) -> Option<usize> {
    let mut next = || {
        let (value, size) = number(plain, at)?;
        at += size;
        Some(value)
    };
    let (_, _, ranges, _) = (next()?, next()?, next()?, next()?);
    for _ in 0..ranges.min(64) {
        next()?;
        next()?;
    }
    if kind == 3 {
        next()?;
        next()?;
        next()?;
    }
    Some(at)
}

/// An Initial packet: its header, the length of what is protected, where that begins.
fn initial(packet: &[u8]) -> Option<(Long<'_>, usize, usize)> {
    let header = long(packet)?;
    let kind = header.first >> 4 & 3;
    let is_initial = if matches!(header.version, 0x6b33_43cf | 0x709a_50c4) { kind == 1 } else { kind == 0 };
    let (token, a) = number(packet, header.at)?;
    let after_token = header.at.checked_add(a)?.checked_add(usize::try_from(token).ok()?)?;
    let (len, b) = number(packet, after_token)?;
    let len = usize::try_from(len).ok().filter(|l| *l >= 20)?;
    (is_initial && header.first & 0x40 != 0 && packet.len() >= after_token + b + len).then_some((
        header,
        len,
        after_token + b,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number(&[0x25], 0), Some((37, 1)));
        assert_eq!(number(&[0x7b, 0xbd], 0), Some((15_293, 2)));
        assert_eq!(number(&[0x9d, 0x7f, 0x3e, 0x7d], 0), Some((494_878_333, 4)));
        assert_eq!(number(&[0xc0], 0), None);
    }

    #[test]
    fn pieces_in_any_order() {
        let mut crypto = Crypto::default();
        crypto.frames(&[0, 6, 3, 2, b'd', b'e', 6, 0, 3, b'a', b'b', b'c', 0]).unwrap();
        assert_eq!(crypto.bytes(), b"abcde");
        assert!(crypto.frames(&[0x09]).is_none());
    }
}
