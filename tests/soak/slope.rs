//! Whether a quantity grows: the slope of its samples, by Theil and Sen, with Kendall's interval.

/// Into how many parts of equal length the samples are put, of which each counts as one: samples
/// of neighbouring seconds are not independent.
const BLOCKS: usize = 60;

/// The normal distribution's bound of an interval that holds 95%.
const BOUND: f64 = 1.96;

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
    pub(crate) fn of(samples: &[(f64, f64)]) -> Option<Self> {
        let means = means(samples);
        let count = means.len();
        if count < 10 {
            return None;
        }
        let mut slopes: Vec<f64> = Vec::with_capacity(count * (count - 1) / 2);
        for (at, (time, value)) in means.iter().enumerate() {
            let later = means[at + 1..].iter();
            slopes.extend(later.map(|(t, v)| (v - value) / (t - time) * 3600.0));
        }
        slopes.sort_by(f64::total_cmp);
        let pairs = slopes.len() as f64;
        let n = count as f64;
        let spread = BOUND * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
        let rank = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
        Some(Self {
            estimate: rank(pairs / 2.0),
            low: rank(((pairs - spread) / 2.0).floor()),
            high: rank(((pairs + spread) / 2.0).ceil()),
        })
    }
}

/// The means of the blocks.
fn means(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = samples.len().div_ceil(BLOCKS).max(1);
    let mean = |block: &[(f64, f64)]| {
        let sum = block
            .iter()
            .fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let count = block.len() as f64;
        (sum.0 / count, sum.1 / count)
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
        assert_eq!(found.estimate, 0.0);
    }

    #[test]
    fn few_samples_have_no_slope() {
        assert_eq!(Slope::of(&line(1.0)[..5]), None);
    }
}
