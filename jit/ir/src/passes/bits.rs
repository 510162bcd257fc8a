//! A reusable vector of bits.

/// Bits, all zero after [`BitVec::reset`].
#[derive(Clone, Debug, Default)]
pub struct BitVec {
    words: Vec<u64>,
}

impl BitVec {
    /// Makes room for `n` bits and clears them.
    pub fn reset(&mut self, n: usize) {
        self.words.clear();
        self.words.resize(n.div_ceil(64), 0);
    }
    /// Bit `i`; false beyond the end.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 != 0)
    }
    /// Sets bit `i`, which must be within the length given to `reset`.
    #[inline]
    pub fn set(&mut self, i: usize) {
        self.words[i / 64] |= 1 << (i % 64);
    }
    /// Number of bits set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }
}
