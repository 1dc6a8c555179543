//! Times in buckets, of which quantiles are read.

use serde::{Deserialize, Serialize};

/// Bits of a time that tell buckets apart, after its first one.
const PRECISION: u32 = 5;
/// Longer times count as this one: 19 hours.
const LONGEST_US: u64 = (1 << 36) - 1;
/// Buckets that there may be.
const BUCKETS: usize = bucket(LONGEST_US) + 1;

/// How often which time came, in microseconds.
///
/// A bucket holds the times that agree in their first six bits, as in Tene's `HdrHistogram`: up to
/// 63 µs each time has its own, and above the middle of a bucket is at most 1/64 off. Merging loses
/// nothing, and no histogram has more than 1024 buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// Up to the last bucket that was needed.
    counts: Vec<u64>,
}

impl Histogram {
    /// Takes a time in.
    pub(crate) fn record(&mut self, us: u64) {
        let bucket = bucket(us.min(LONGEST_US));
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
    }

    /// Takes in what another has.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    /// The time that this many percent of all do not exceed; none where there are none.
    pub(crate) fn percentile(&self, percent: u8) -> Option<u64> {
        let total: u128 = self.counts.iter().copied().map(u128::from).sum();
        let rank = (total * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += u128::from(count);
            seen >= rank
        });
        bucket.map(middle)
    }

    /// Whether it could have come from [`Self::record`].
    pub(crate) fn is_sound(&self) -> bool {
        self.counts.len() <= BUCKETS
    }
}

/// The bucket of a time.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only six bits are left of a time"
)]
const fn bucket(us: u64) -> usize {
    let dropped = (us | 1 << PRECISION).ilog2() - PRECISION;
    ((dropped as usize) << PRECISION) + (us >> dropped) as usize
}

/// The time in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let dropped = (bucket >> PRECISION).saturating_sub(1);
    let first = ((bucket - (dropped << PRECISION)) as u64) << dropped;
    first + (1 << dropped) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &us in times {
            histogram.record(us);
        }
        histogram
    }

    /// The same by the simplest means: the nearest rank.
    fn exact(times: &[u64], percent: u8) -> Option<u64> {
        let mut times = times.to_owned();
        times.sort_unstable();
        let rank = (times.len() * usize::from(percent)).div_ceil(100).max(1);
        times.get(rank - 1).copied()
    }

    #[test]
    fn there_is_no_percentile_of_nothing() {
        assert_eq!(Histogram::default().percentile(50), None);
    }

    #[test]
    fn short_times_are_told_apart() {
        let times: Vec<_> = (0..64).collect();
        for percent in [0, 1, 50, 99, 100] {
            assert_eq!(of(&times).percentile(percent), exact(&times, percent));
        }
    }

    #[test]
    fn any_time_has_a_bucket() {
        let histogram = of(&[0, LONGEST_US, LONGEST_US + 1, u64::MAX]);
        assert_eq!((histogram.counts.len(), BUCKETS), (1024, 1024));
        assert_eq!(histogram.counts[BUCKETS - 1], 3);
    }

    fn any_times() -> impl Strategy<Value = Vec<u64>> {
        let time = prop_oneof![0..1000_u64, 0..10_000_000_u64, 0..=LONGEST_US];
        prop::collection::vec(time, 1..200)
    }

    proptest! {
        #[test]
        fn a_percentile_is_off_by_a_64th_at_most(times in any_times(), percent in 0..=100_u8) {
            let exact = exact(&times, percent).expect("there are times");
            let told = of(&times).percentile(percent).expect("there are times");
            prop_assert!(told.abs_diff(exact) <= exact / 64, "{told} for {exact}");
        }

        #[test]
        fn merged_is_as_if_recorded_by_one(one in any_times(), other in any_times()) {
            let mut merged = of(&one);
            merged.merge(&of(&other));
            prop_assert_eq!(merged, of(&[one, other].concat()));
        }
    }
}
