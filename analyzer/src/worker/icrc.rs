//! Which whole RDMA frames have their ICRC compared. That reads every byte: at the rate of a fast link more than memory gives.
//!
//! Among the first whole frames of a tick all are compared, so that at moderate rates every one is; of further ones one in 16, chosen by
//! flow and PSN: the same frames in every run, however many workers share them. Where one was damaged, the next of its direction are all compared. What was left out is counted.

/// Frames a second that the capture left whole, among which all are compared.
const ALL_PER_SECOND: u64 = 327_680;
/// Beyond that, one in so many, as a power of two.
const SAMPLE_BITS: u32 = 4;
/// Frames of a direction that are all compared after a damaged one.
pub(super) const SUSPECT: u32 = 4_096;

/// The choice, over one tick.
#[derive(Debug)]
pub(super) struct Choice {
    all: u64,
    /// Frames of this tick before the present one that the capture left whole, of whatever kind.
    before: u64,
    unchecked: u64,
    /// Made already for the present frame.
    made: Option<bool>,
}

impl Choice {
    pub fn new(tick_ns: u64) -> Self {
        let all = u128::from(tick_ns) * u128::from(ALL_PER_SECOND) / 1_000_000_000;
        Self { all: u64::try_from(all).unwrap_or(u64::MAX).max(1), before: 0, unchecked: 0, made: None }
    }

    /// Whether a whole frame of a direction is compared; asked again for the same frame, it says the same once more.
    #[inline]
    pub fn make(&mut self, hash: u32, psn: u32, suspect: &mut u32) -> bool {
        if let Some(made) = self.made {
            return made;
        }
        let suspected = *suspect > 0;
        *suspect = suspect.saturating_sub(1);
        let chosen = (psn.wrapping_mul(0x9e37_79b1) ^ hash).wrapping_mul(0x85eb_ca6b) >> (32 - SAMPLE_BITS) == 0;
        let compare = self.before < self.all || suspected || chosen;
        self.unchecked += u64::from(!compare);
        self.made = Some(compare);
        compare
    }

    /// The frame has had its turn.
    #[inline]
    pub fn done(&mut self, whole: bool) {
        self.made = None;
        self.before += u64::from(whole);
    }

    /// So many such frames of this tick came before the present one, to whatever worker.
    pub fn stands(&mut self, before: u64) {
        self.before = before;
    }

    /// Frames left out since the last call: a tick is over.
    pub fn take_unchecked(&mut self) -> u64 {
        self.before = 0;
        std::mem::take(&mut self.unchecked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_at_first_then_one_in_sixteen_and_all_of_a_suspect() {
        let mut choice = Choice::new(100_000_000);
        let compared = |choice: &mut Choice, psns: std::ops::Range<u32>, suspect: &mut u32| {
            let made = psns.filter(|&psn| {
                let compare = choice.make(77, psn, suspect);
                choice.done(true);
                compare
            });
            made.count()
        };
        assert_eq!(compared(&mut choice, 0..32_768, &mut 0), 32_768);
        assert_eq!(choice.unchecked, 0);
        let sample = compared(&mut choice, 32_768..132_768, &mut 0);
        assert!((5_500..7_000).contains(&sample), "{sample}");
        assert_eq!(choice.unchecked as usize, 100_000 - sample);
        assert_eq!(compared(&mut choice, 0..4_096, &mut 4_096), 4_096);
        choice.take_unchecked();
        assert_eq!(compared(&mut choice, 0..32_768, &mut 0), 32_768);
    }
}
