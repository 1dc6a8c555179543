//! Whether a quantity grows: the slope of its samples, by Theil and Sen, with Kendall's interval.

/// Into how many parts of equal length the samples are put, of which each counts as one: samples
/// of neighbouring seconds are not independent.
const BLOCKS: usize = 60;

/// How many standard deviations on both sides of a normal mean hold 95%.
const BOUND: f64 = 1.96;

/// How many blocks a slope is made of at least.
const FEWEST: usize = 10;

/// Of an hour.
const SECONDS: f64 = 3600.0;

/// A slope in units per hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slope {
    pub(crate) estimate: f64,
    /// The interval that holds it with a probability of 95%.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Slope {
    /// The slope of values over times in seconds; nothing where they are too few.
    #[expect(clippy::cast_precision_loss, reason = "there are some sixty blocks")]
    pub(crate) fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let means = means(samples);
        if means.len() < FEWEST {
            return None;
        }
        let slopes = slopes(&means);
        let (pairs, n) = (slopes.len(), means.len() as f64);
        let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is positive and small"
        )]
        let spread = (BOUND * deviation).ceil() as usize;
        Some(Self {
            estimate: slopes[pairs / 2],
            low: slopes[pairs.saturating_sub(spread) / 2],
            high: slopes[usize::midpoint(pairs, spread).min(pairs - 1)],
        })
    }
}

/// The slopes between all pairs, in order.
fn slopes(means: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::new();
    for (at, (time, value)) in means.iter().enumerate() {
        let later = means[at + 1..].iter();
        slopes.extend(later.map(|(t, v)| (v - value) / (t - time) * SECONDS));
    }
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// The means of the blocks.
#[expect(
    clippy::cast_precision_loss,
    reason = "there are not that many samples"
)]
fn means(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = samples.len().div_ceil(BLOCKS).max(1);
    let mean = |block: &[(f64, f64)]| {
        let add = |sum: (f64, f64), it: &(f64, f64)| (sum.0 + it.0, sum.1 + it.1);
        let (time, value) = block.iter().fold((0.0, 0.0), add);
        let count = block.len() as f64;
        (time / count, value / count)
    };
    samples.chunks(size).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of a line with noise that repeats.
    fn line(slope: f64) -> Vec<(f64, f64)> {
        let noise = |second: u32| f64::from(second.wrapping_mul(2_654_435_761) >> 16 & 0xff) / 64.0;
        (0..3000)
            .map(|at| (f64::from(at), slope / 3600.0 * f64::from(at) + noise(at)))
            .collect()
    }

    #[test]
    fn a_slope_lies_in_its_interval() {
        for slope in [-100.0, 0.0, 50.0] {
            let found = Slope::of(&line(slope)).expect("they are enough");
            assert!(
                found.low <= slope && slope <= found.high,
                "{slope}: {found:?}"
            );
            assert!(found.high - found.low < 4.0, "{found:?}");
        }
    }

    #[test]
    fn one_step_is_no_steady_growth() {
        let step = |at: u32| (f64::from(at), if at < 100 { 0.0 } else { 30.0 });
        let samples: Vec<_> = (0..3000).map(step).collect();
        let found = Slope::of(&samples).expect("they are enough");
        assert!(found.estimate.abs() < 1e-9 && found.low <= 0.0, "{found:?}");
    }

    #[test]
    fn few_samples_have_no_slope() {
        assert_eq!(Slope::of(&line(1.0)[..5]), None);
    }
}
