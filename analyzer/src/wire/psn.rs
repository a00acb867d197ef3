//! Numbers that wrap.

/// Packet sequence number: 24 bits, counted modulo 2^24 (IBTA vol 1, 9.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Psn(u32);

const PSN_MASK: u32 = 0x00ff_ffff;

impl Psn {
    /// The first number.
    pub const ZERO: Self = Self(0);

    /// From the low 24 bits.
    pub fn new(value: u32) -> Self {
        Self(value & PSN_MASK)
    }

    /// As a number below 2^24.
    pub fn get(self) -> u32 {
        self.0
    }

    /// `n` packets later.
    #[must_use]
    pub fn plus(self, n: u32) -> Self {
        Self::new(self.0.wrapping_add(n))
    }

    /// How many packets `self` is after `earlier`, in -2^23 .. 2^23: negative when it is before.
    pub fn distance(self, earlier: Self) -> i32 {
        // Shifted to the top of 32 bits, the sign of the difference is that of the shorter way round.
        ((self.0.wrapping_sub(earlier.0) << 8) as i32) >> 8
    }

    /// Whether `self` comes after `other` by the shorter way round.
    pub fn is_after(self, other: Self) -> bool {
        self.distance(other) > 0
    }

    /// Whether `self` comes before `other` by the shorter way round.
    pub fn is_before(self, other: Self) -> bool {
        self.distance(other) < 0
    }
}

/// TCP sequence number: 32 bits, counted modulo 2^32 (RFC 9293, 3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpSeq(pub u32);

impl TcpSeq {
    /// `n` bytes later.
    #[must_use]
    pub fn plus(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// How many bytes `self` is after `earlier`, in -2^31 .. 2^31: negative when it is before.
    pub fn distance(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether `self` comes after `other` by the shorter way round.
    pub fn is_after(self, other: Self) -> bool {
        self.distance(other) > 0
    }

    /// Whether `self` comes before `other` by the shorter way round.
    pub fn is_before(self, other: Self) -> bool {
        self.distance(other) < 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psn_wraps_at_24_bits() {
        let last = Psn::new(PSN_MASK);
        assert_eq!(last.plus(1).get(), 0);
        assert_eq!(Psn::new(2).distance(last), 3);
        assert_eq!(last.distance(Psn::new(2)), -3);
        assert!(Psn::new(0).is_after(last) && last.is_before(Psn::new(0)));
        assert_eq!(Psn::new(1 << 23).distance(Psn::new(0)), -(1 << 23));
        assert_eq!(Psn::new(0xff00_0001).get(), 1);
    }

    #[test]
    fn tcp_sequence_wraps_at_32_bits() {
        assert_eq!(TcpSeq(5).distance(TcpSeq(u32::MAX - 4)), 10);
        assert!(TcpSeq(u32::MAX).is_before(TcpSeq(0)));
        assert_eq!(TcpSeq(u32::MAX).plus(1), TcpSeq(0));
    }
}
