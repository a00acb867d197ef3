//! A set of protocols of the registry, one bit each.

/// Words of the set: room for 256 protocols.
const WORDS: usize = 4;

/// Most protocols that a set can name; the registry's test keeps it.
#[cfg(test)]
pub const MAX_PROTOCOLS: usize = WORDS * 64;

/// A set of protocols by their place in the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask([u64; WORDS]);

impl Mask {
    /// Adds one.
    pub fn add(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether it is in.
    pub fn holds(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|w| w >> (index % 64) & 1 == 1)
    }

    /// Those that are not in `other`.
    pub fn without(mut self, other: &Self) -> Self {
        for (word, less) in self.0.iter_mut().zip(other.0) {
            *word &= !less;
        }
        self
    }

    /// Those that are in `other` too.
    pub fn and(mut self, other: &Self) -> Self {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word &= more;
        }
        self
    }

    /// Empty.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|w| *w == 0)
    }

    /// Places in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_set() {
        let mut a = Mask::default();
        for i in [3, 64, 200, 255, 9999] {
            a.add(i);
        }
        let mut b = Mask::default();
        b.add(64);
        assert_eq!(a.without(&b).iter().collect::<Vec<_>>(), [3, 200, 255]);
        assert!(a.holds(64) && !a.holds(65) && Mask::default().is_empty());
    }
}
