//! Reading bytes that may end anywhere: every look is total and says `None` beyond the end.

/// Total reads of numbers and parts; positions count from 0.
pub trait Bytes {
    /// One byte.
    fn u8(&self, at: usize) -> Option<u8>;
    /// Exactly `len` bytes from `at`.
    fn part(&self, at: usize, len: usize) -> Option<&[u8]>;
    /// What is left from `at`; empty beyond the end.
    fn from(&self, at: usize) -> &[u8];
    /// The first bytes, at most `len`.
    fn first_of(&self, len: usize) -> &[u8];
    /// Big-endian, 16 bits.
    fn be16(&self, at: usize) -> Option<u16>;
    /// Big-endian, 24 bits.
    fn be24(&self, at: usize) -> Option<u32>;
    /// Big-endian, 32 bits.
    fn be32(&self, at: usize) -> Option<u32>;
    /// Big-endian, 64 bits.
    fn be64(&self, at: usize) -> Option<u64>;
    /// Little-endian, 16 bits.
    fn le16(&self, at: usize) -> Option<u16>;
    /// Little-endian, 24 bits.
    fn le24(&self, at: usize) -> Option<u32>;
    /// Little-endian, 32 bits.
    fn le32(&self, at: usize) -> Option<u32>;
    /// Little-endian, 64 bits.
    fn le64(&self, at: usize) -> Option<u64>;
    /// Whether `what` stands at `at`.
    fn has(&self, at: usize, what: &[u8]) -> bool;
    /// Whether it begins so, letters of either case alike.
    fn begins_like(&self, what: &[u8]) -> bool;
    /// The first line without its end, if it is complete within `at_most` bytes.
    fn line(&self, at_most: usize) -> Option<&[u8]>;
    /// Where `what` begins, within the first `within` bytes.
    fn find(&self, what: &[u8], within: usize) -> Option<usize>;
}

impl Bytes for [u8] {
    fn u8(&self, at: usize) -> Option<u8> {
        self.get(at).copied()
    }

    fn part(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.get(at..at.checked_add(len)?)
    }

    fn from(&self, at: usize) -> &[u8] {
        self.get(at..).unwrap_or_default()
    }

    fn first_of(&self, len: usize) -> &[u8] {
        self.get(..len).unwrap_or(self)
    }

    fn be16(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes(self.part(at, 2)?.try_into().ok()?))
    }

    fn be24(&self, at: usize) -> Option<u32> {
        let [a, b, c] = self.part(at, 3)?.try_into().ok()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    fn be32(&self, at: usize) -> Option<u32> {
        Some(u32::from_be_bytes(self.part(at, 4)?.try_into().ok()?))
    }

    fn be64(&self, at: usize) -> Option<u64> {
        Some(u64::from_be_bytes(self.part(at, 8)?.try_into().ok()?))
    }

    fn le16(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.part(at, 2)?.try_into().ok()?))
    }

    fn le24(&self, at: usize) -> Option<u32> {
        let [a, b, c] = self.part(at, 3)?.try_into().ok()?;
        Some(u32::from_le_bytes([a, b, c, 0]))
    }

    fn le32(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.part(at, 4)?.try_into().ok()?))
    }

    fn le64(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.part(at, 8)?.try_into().ok()?))
    }

    fn has(&self, at: usize, what: &[u8]) -> bool {
        self.part(at, what.len()) == Some(what)
    }

    fn begins_like(&self, what: &[u8]) -> bool {
        self.part(0, what.len()).is_some_and(|b| b.eq_ignore_ascii_case(what))
    }

    fn line(&self, at_most: usize) -> Option<&[u8]> {
        let end = memchr::memchr(b'\n', self.first_of(at_most))?;
        let line = self.first_of(end);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn find(&self, what: &[u8], within: usize) -> Option<usize> {
        memchr::memmem::find(self.first_of(within), what)
    }
}

/// Printable ASCII, tab and line ends.
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

/// A run of decimal digits as a number.
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.len() < 19 && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| bytes.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')))
}

/// Words between single spaces.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&b| b == b' ').filter(|w| !w.is_empty())
}

/// Lines without their ends; the last may be incomplete.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_total() {
        let b = &[1_u8, 2, 3, 4, 5, 6, 7, 8][..];
        assert_eq!((b.be16(7), b.be24(5), b.be32(4)), (None, Some(0x0006_0708), Some(0x0506_0708)));
        assert_eq!((b.le16(0), b.le24(0), b.le64(0)), (Some(0x0201), Some(0x0003_0201), Some(0x0807_0605_0403_0201)));
        assert_eq!(b.part(usize::MAX, 2), None);
        assert_eq!(b.from(9), b"");
        assert_eq!(b"ab\r\ncd"[..].line(10), Some(&b"ab"[..]));
        assert_eq!(b"abcd"[..].line(3), None);
        assert_eq!((decimal(b"042"), decimal(b""), decimal(b"4x")), (Some(42), None, None));
    }
}
