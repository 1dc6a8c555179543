//! Which tokens may be drawn at all.

use deja_wire::Sampling;
use mlx_rs::{
    Array,
    error::Result,
    ops::{
        indexing::{TryIndexOp, take_along_axis, topk_axis},
        logsumexp_axis, select, sort_axis,
    },
};

/// Leaves out unlikely tokens. Like `mlx_lm`, before the temperature is applied.
#[derive(Debug)]
pub(super) struct Filters {
    top_k: Option<i32>,
    top_p: f32,
    min_p: f32,
}

impl Filters {
    pub(super) fn new(sampling: &Sampling) -> Self {
        let top_k = sampling.top_k.map(|top_k| i32::try_from(top_k.max(1)));
        Self {
            // More than fit are more than any vocabulary has.
            top_k: top_k.and_then(std::result::Result::ok),
            top_p: sampling.top_p.max(f32::MIN_POSITIVE),
            min_p: sampling.min_p,
        }
    }

    /// Logits [1, vocabulary], with those of tokens that are out at −∞.
    pub(super) fn apply(&self, logits: &Array) -> Result<Array> {
        let mut logits = logits.clone();
        if let Some(top_k) = self.top_k.filter(|top_k| *top_k < logits.dim(-1)) {
            let lowest = topk_axis(&logits, top_k, -1)?.min_axis(-1, true)?;
            logits = at_least(&logits, &lowest)?;
        }
        if self.top_p < 1.0 {
            logits = nucleus(&logits, self.top_p)?;
        }
        if self.min_p > 0.0 {
            let margin = Array::from_f32(self.min_p.ln());
            let lowest = logits.max_axis(-1, true)?.add(margin)?;
            logits = at_least(&logits, &lowest)?;
        }
        Ok(logits)
    }
}

fn at_least(logits: &Array, lowest: &Array) -> Result<Array> {
    let out = Array::from_f32(f32::NEG_INFINITY);
    select(logits.lt(lowest)?, out, logits)
}

/// The likeliest tokens that together reach `top_p`, as logarithms of probabilities. Equal tokens
/// stay in together.
///
/// Paper: <https://arxiv.org/abs/1904.09751>.
fn nucleus(logits: &Array, top_p: f32) -> Result<Array> {
    let logarithms = logits.subtract(logsumexp_axis(logits, -1, true)?)?;
    let sorted = sort_axis(&logarithms, -1)?;
    let probabilities = sorted.exp()?;
    let mass_above = probabilities.cumsum(-1, true, false)?;
    let total = mass_above
        .try_index((.., ..1))?
        .add(probabilities.try_index((.., ..1))?)?;
    let out = mass_above.ge(total.multiply(Array::from_f32(top_p))?)?;
    let dropped = out.sum_axis(-1, true)?;
    at_least(&logarithms, &take_along_axis(&sorted, dropped, -1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens that stay in of four with these probabilities: 0.1, 0.4, 0.2 and 0.3.
    fn kept(top_k: Option<u32>, top_p: f32, min_p: f32) -> Vec<usize> {
        let sampling = Sampling {
            top_k,
            top_p,
            min_p,
            ..Sampling::default()
        };
        let logits = Array::from_slice(&[0.1f32, 0.4, 0.2, 0.3].map(f32::ln), &[1, 4]);
        let kept = Filters::new(&sampling).apply(&logits).expect("computes");
        let kept: Vec<f32> = kept.to_vec_exact().expect("is f32");
        (0..4).filter(|token| kept[*token].is_finite()).collect()
    }

    #[test]
    fn the_nucleus_is_the_fewest_likeliest_tokens_that_reach_top_p() {
        assert_eq!(kept(None, 0.05, 0.0), [1]);
        assert_eq!(kept(None, 0.39, 0.0), [1]);
        assert_eq!(kept(None, 0.5, 0.0), [1, 3]);
        assert_eq!(kept(None, 0.85, 0.0), [1, 2, 3]);
        assert_eq!(kept(None, 0.95, 0.0), [0, 1, 2, 3]);
    }

    #[test]
    fn top_k_counts_the_likeliest() {
        assert_eq!(kept(Some(1), 1.0, 0.0), [1]);
        assert_eq!(kept(Some(3), 1.0, 0.0), [1, 2, 3]);
        assert_eq!(kept(Some(4), 1.0, 0.0), [0, 1, 2, 3]);
        assert_eq!(kept(Some(u32::MAX), 1.0, 0.0), [0, 1, 2, 3]);
    }

    #[test]
    fn min_p_is_a_part_of_the_likeliest_probability() {
        assert_eq!(kept(None, 1.0, 0.8), [1]);
        assert_eq!(kept(None, 1.0, 0.7), [1, 3]);
        assert_eq!(kept(None, 1.0, 0.3), [1, 2, 3]);
    }

    #[test]
    fn each_filter_sees_what_the_one_before_left() {
        // Of the two likeliest alone, the first has 4/7.
        assert_eq!(kept(Some(2), 0.5, 0.0), [1]);
        assert_eq!(kept(Some(2), 0.6, 0.0), [1, 3]);
        assert_eq!(kept(Some(2), 0.6, 0.8), [1]);
    }
}
