//! How often answers agree, and how sure that is.

use serde::{Deserialize, Serialize};

use super::{answers::Step, measure::share};

/// The 97.5th percentile of the normal distribution: both tails together leave out 5%.
const Z: f64 = 1.959_963_984_540_054;

/// A share of a sample, with the interval in which the true one is with 95% confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Their share.
    pub rate: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Estimate {
    /// Wilson's score interval (1927), which holds for small samples and rare events as well. Of
    /// nothing it says nothing: the interval is everything.
    #[must_use]
    pub fn wilson(count: u64, of: u64) -> Self {
        let rate = share(count, of);
        if of == 0 {
            let (low, high) = (0.0, 1.0);
            return Self {
                count,
                of,
                rate,
                low,
                high,
            };
        }
        let n = share(of, 1);
        let centre = (rate + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let spread = (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
        let half = Z * spread / (1.0 + Z * Z / n);
        Self {
            count,
            of,
            rate,
            // At the ends the interval is exact, and rounding must not take that away.
            low: if count == 0 { 0.0 } else { centre - half },
            high: if count == of { 1.0 } else { centre + half },
        }
    }
}

/// How pairs of answers compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
pub struct Agreements {
    /// Pairs by the first step on which they agree.
    first: [u64; 4],
    /// Pairs that agree on no step.
    differ: u64,
    /// Pairs of which an answer is missing. They are not known to agree.
    unverified: u64,
}

impl Agreements {
    /// Counts a pair that agrees first on this step, or on none.
    pub fn add(&mut self, agreement: Option<Step>) {
        match agreement {
            Some(step) => self.first[step as usize] += 1,
            None => self.differ += 1,
        }
    }

    /// Counts a pair that cannot be compared.
    pub fn add_unverified(&mut self) {
        self.unverified += 1;
    }

    /// Pairs that were compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.first.iter().sum::<u64>() + self.differ
    }

    /// Pairs that could not be.
    #[must_use]
    pub fn unverified(&self) -> u64 {
        self.unverified
    }

    /// Those that agree on this step or on a stricter one.
    #[must_use]
    pub fn agree(&self, step: Step) -> Estimate {
        let agree = self.first[..=step as usize].iter().sum();
        Estimate::wilson(agree, self.compared())
    }

    /// Those that agree on none.
    #[must_use]
    pub fn differ(&self) -> Estimate {
        Estimate::wilson(self.differ, self.compared())
    }
}

/// The same as it is written: every step with its interval.
#[derive(Serialize, Deserialize)]
struct Told {
    compared: u64,
    unverified: u64,
    agree: Vec<(Step, Estimate)>,
    differ: Estimate,
}

impl From<Agreements> for Told {
    fn from(agreements: Agreements) -> Self {
        Self {
            compared: agreements.compared(),
            unverified: agreements.unverified,
            agree: Step::ALL
                .map(|step| (step, agreements.agree(step)))
                .to_vec(),
            differ: agreements.differ(),
        }
    }
}

impl From<Told> for Agreements {
    fn from(told: Told) -> Self {
        let mut agreements = Self {
            differ: told.differ.count,
            unverified: told.unverified,
            ..Self::default()
        };
        let mut stricter = 0;
        for (step, agree) in told.agree {
            agreements.first[step as usize] = agree.count.saturating_sub(stricter);
            stricter = agree.count;
        }
        agreements
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // The solutions p of (p - rate)² = z² p (1 - p) / n, which defines it.
        for (count, of, low, high) in [
            (0, 10, 0.0, 0.277_532_8),
            (3, 10, 0.107_791_3, 0.603_221_9),
            (10, 10, 0.722_467_2, 1.0),
            (50, 1000, 0.038_130_3, 0.065_313_8),
        ] {
            let estimate = Estimate::wilson(count, of);
            assert!((estimate.low - low).abs() < 1e-6, "{estimate:?}");
            assert!((estimate.high - high).abs() < 1e-6, "{estimate:?}");
        }
    }

    #[test]
    fn steps_add_up_and_what_is_unverified_counts_for_nothing() {
        let mut agreements = Agreements::default();
        agreements.add(Some(Step::Bytes));
        agreements.add(Some(Step::Text));
        agreements.add(None);
        agreements.add_unverified();
        assert_eq!(agreements.compared(), 3);
        let agree = Step::ALL.map(|step| agreements.agree(step).count);
        assert_eq!((agree, agreements.differ().count), ([1, 1, 1, 2], 1));
        let json = serde_json::to_string(&agreements).expect("it is JSON");
        let read: Agreements = serde_json::from_str(&json).expect("it is one");
        assert_eq!(read, agreements);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share(count in 0_u64..1000, more in 1_u64..1000) {
            let estimate = Estimate::wilson(count, count + more);
            prop_assert!(0.0 <= estimate.low && estimate.low <= estimate.rate);
            prop_assert!(estimate.rate <= estimate.high && estimate.high <= 1.0);
        }
    }
}
