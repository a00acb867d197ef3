//! The view that decoding walks with: what was captured of a stretch of the frame, and how long headers say it is.

use super::Refusal;

/// Captured bytes of a stretch, and its length by the headers around it, which is more when the frame was cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    /// What was captured.
    pub bytes: &'a [u8],
    /// Length by the headers around it in bytes; never less than `bytes.len()`.
    pub len: u32,
}

impl<'a> Span<'a> {
    /// A frame: a length on the wire that is less than what was captured is not believed.
    pub fn new(bytes: &'a [u8], wire_len: u32) -> Self {
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { bytes, len: wire_len.max(captured) }
    }

    /// Whether the capture holds less than the headers claim.
    pub fn is_cut(self) -> bool {
        (self.bytes.len() as u64) < u64::from(self.len)
    }

    /// The first `N` bytes and the rest, if captured.
    pub fn take<const N: usize>(self) -> Option<(&'a [u8; N], Self)> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        Some((head, Self { bytes: rest, len: self.len.saturating_sub(N as u32) }))
    }

    /// Like [`Span::take`]; tells a stretch that is too short from one that the capture cut.
    pub fn need<const N: usize>(self, short: Refusal, cut: Refusal) -> Result<(&'a [u8; N], Self), Refusal> {
        match self.take::<N>() {
            Some(taken) => Ok(taken),
            None => Err(self.missing(N, short, cut)),
        }
    }

    /// Why the first `wanted` bytes are not there.
    pub fn missing(self, wanted: usize, short: Refusal, cut: Refusal) -> Refusal {
        if u64::from(self.len) >= wanted as u64 { cut } else { short }
    }

    /// What follows the first `n` bytes; empty when those were not all captured, its length still by the headers.
    pub fn after(self, n: usize) -> Self {
        let bytes = self.bytes.get(n..).unwrap_or_default();
        Self { bytes, len: self.len.saturating_sub(u32::try_from(n).unwrap_or(u32::MAX)) }
    }

    /// The first `len` bytes: a header inside says where the stretch ends. It may claim more than there is around it.
    pub fn claimed(self, len: u32) -> Self {
        let end = self.bytes.len().min(len as usize);
        Self { bytes: self.bytes.get(..end).unwrap_or(self.bytes), len }
    }

    /// The first `len` bytes or, where that claims more than there is around it, all.
    pub fn within(self, len: u32) -> Self {
        self.claimed(len.min(self.len))
    }
}

/// Big-endian 16 bits.
pub(super) fn be16(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}

/// Big-endian 24 bits.
pub(super) fn be24(a: u8, b: u8, c: u8) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

/// Big-endian 32 bits at `at`; 0 beyond the end, which callers have excluded by the array's length.
pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| u32::from_be_bytes(*b))
}
