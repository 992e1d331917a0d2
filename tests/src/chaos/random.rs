//! Seeded randomness, the same on every machine.

/// Sebastiano Vigna's SplitMix64: a state of one word, which is enough for schedules and choices.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence; the same seed and purpose give the same one.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose.bytes().fold(seed, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
        });
        Self(mixed)
    }

    /// Gives the next word.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Gives a number below a bound, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// Gives a place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("lists here are short");
        usize::try_from(self.below(bound)).expect("it is below a length")
    }

    /// Tells whether something happens that happens so many times in a thousand.
    pub fn chance(&mut self, in_a_thousand: u64) -> bool {
        self.below(1_000) < in_a_thousand
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_and_a_purpose_give_the_same_sequence_again() {
        let words = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            [random.word(), random.word(), random.word()]
        };
        assert_eq!(words(7, "faults"), words(7, "faults"));
        assert_ne!(words(7, "faults"), words(8, "faults"));
        assert_ne!(words(7, "faults"), words(7, "load"));
    }
}
