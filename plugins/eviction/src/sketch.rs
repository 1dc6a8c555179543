//! How often keys were asked for of late, roughly: a count-min sketch (Cormode and Muthukrishnan,
//! 2005) of four rows of four-bit counters. As in Caffeine's `FrequencySketch` a word holds four
//! counters of each row, and a key has one counter of a row in each of four words.

/// The largest count.
const MOST: u64 = 15;

/// Additions, for each key of the cache, after which all counts are halved.
const PERIOD: u64 = 10;

/// More words than this would take more memory than a plugin has.
const MOST_WORDS: u64 = 1 << 20;

/// An odd number for each row, which makes another word of a key.
const SEEDS: [u64; 4] = [
    0xc3a5_c85c_97cb_3127,
    0xb492_b66f_be98_f273,
    0x9ae1_6a3b_2f90_404f,
    0xcbf2_9ce4_8422_2325,
];

/// All bits of a word's counters but the highest of each.
const LOWER_BITS: u64 = 0x7777_7777_7777_7777;

/// Counts by key.
#[derive(Debug)]
pub(crate) struct Sketch {
    /// Their number is a power of two.
    words: Vec<u64>,
    /// Since the last halving, and half of those before.
    additions: u64,
    period: u64,
}

impl Sketch {
    /// A sketch for a cache of this many keys.
    pub(crate) fn new(keys: u64) -> Self {
        // Two at least: a number is shifted by less than its 64 bits.
        let keys = keys.clamp(2, MOST_WORDS);
        let words = usize::try_from(keys.next_power_of_two()).expect("it is at most a million");
        Self {
            words: vec![0; words],
            additions: 0,
            period: PERIOD * keys,
        }
    }

    /// How often a key was counted, 15 at most. Never too low between two halvings.
    pub(crate) fn count(&self, key: u64) -> u64 {
        let counts = self
            .counters(key)
            .map(|(word, shift)| (self.words[word] >> shift) & MOST);
        counts.into_iter().fold(MOST, u64::min)
    }

    /// Counts a key once more.
    pub(crate) fn add(&mut self, key: u64) {
        for (word, shift) in self.counters(key) {
            let word = &mut self.words[word];
            if (*word >> shift) & MOST < MOST {
                *word += 1 << shift;
            }
        }
        self.additions += 1;
        if self.additions >= self.period {
            self.halve();
        }
    }

    fn halve(&mut self) {
        for word in &mut self.words {
            *word = (*word >> 1) & LOWER_BITS;
        }
        self.additions /= 2;
    }

    /// The words, and the additions since the last halving.
    pub(crate) fn save(&self) -> (Vec<u64>, u64) {
        (self.words.clone(), self.additions)
    }

    /// Takes over a saved sketch; one of another size is of no use, and all counts are none.
    pub(crate) fn restore(&mut self, (words, additions): (Vec<u64>, u64)) {
        if words.len() == self.words.len() {
            (self.words, self.additions) = (words, additions);
        } else {
            self.words.fill(0);
            self.additions = 0;
        }
    }

    /// The word and the first bit there of a key's counter in each row.
    fn counters(&self, key: u64) -> [(usize, u64); 4] {
        let key = spread(key);
        let first_bit = (key & 3) << 4;
        let unused_bits = u64::BITS - self.words.len().trailing_zeros();
        let counter = |row: usize| {
            let word = key.wrapping_mul(SEEDS[row]) >> unused_bits;
            let word = usize::try_from(word).expect("it is less than a million");
            (word, first_bit + 4 * row as u64)
        };
        [counter(0), counter(1), counter(2), counter(3)]
    }
}

/// Moves every bit of a key into every other: a key need not be a digest.
fn spread(key: u64) -> u64 {
    // The mixer of SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
    // Generators", OOPSLA 2014.
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_count_is_never_too_low(keys in prop::collection::vec(0..50_u64, 0..200)) {
            let mut sketch = Sketch::new(64);
            let mut counts = HashMap::<u64, u64>::new();
            for key in keys {
                sketch.add(key);
                *counts.entry(key).or_default() += 1;
            }
            for (key, count) in counts {
                prop_assert!(sketch.count(key) >= count.min(MOST));
            }
        }
    }

    #[test]
    fn few_keys_are_told_apart() {
        let mut sketch = Sketch::new(1000);
        for key in 0..100 {
            (0..key % 8).for_each(|_| sketch.add(key));
        }
        let wrong = (0..100).filter(|&key| sketch.count(key) != key % 8).count();
        assert_eq!(wrong, 0);
    }

    #[test]
    fn counts_are_halved_in_time() {
        let mut sketch = Sketch::new(2);
        (0..19).for_each(|_| sketch.add(7));
        assert_eq!(sketch.count(7), MOST);
        sketch.add(7);
        assert_eq!(sketch.count(7), MOST / 2);
    }

    #[test]
    fn a_sketch_of_another_size_is_of_no_use() {
        let (mut sketch, mut other) = (Sketch::new(64), Sketch::new(64));
        sketch.add(7);
        other.restore(sketch.save());
        assert_eq!(other.count(7), 1);
        other.restore(Sketch::new(128).save());
        assert_eq!((other.count(7), other.words.len()), (0, 64));
    }
}
