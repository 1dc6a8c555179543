//! Choosing the next token from a model's logits.

use deja_chat::Sampling;
use mlx_rs::{
    Array,
    error::Result,
    ops::{
        indexing::{TryIndexOp, argmax_axis, take_along_axis},
        logsumexp_axis, select, sort_axis,
    },
    random::{self, RandomState},
};

/// Chooses tokens, one after the other, for one request.
pub(crate) enum Sampler {
    /// The likeliest token.
    Greedy,
    /// A random token, by its probability.
    Random {
        temperature: f32,
        top_p: f32,
        state: RandomState,
    },
}

impl Sampler {
    pub(crate) fn new(sampling: &Sampling) -> Result<Self> {
        let Sampling {
            temperature,
            top_p,
            seed,
            ..
        } = *sampling;
        let top_p = top_p.max(f32::MIN_POSITIVE);
        if temperature <= 0.0 {
            return Ok(Self::Greedy);
        }
        let state = RandomState::with_seed(seed.unwrap_or_else(rand::random))?;
        Ok(Self::Random {
            temperature,
            top_p,
            state,
        })
    }

    /// The token [1] chosen by logits [1, vocabulary].
    pub(crate) fn sample(&mut self, logits: &Array) -> Result<Array> {
        match self {
            Self::Greedy => argmax_axis(logits, -1, false),
            Self::Random {
                temperature,
                top_p,
                state,
            } => {
                let logits = if *top_p < 1.0 {
                    nucleus(logits, *top_p)?
                } else {
                    logits.clone()
                };
                let key = state.next_key()?;
                let scaled = logits.multiply(Array::from_f32(temperature.recip()))?;
                random::categorical(scaled, -1, None, &key)
            }
        }
    }
}

/// Logarithms of probabilities, with all tokens out (−∞) but the likeliest that together reach
/// `top_p`. Equal tokens stay in together. Like `mlx_lm`, before the temperature is applied.
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
    let threshold = take_along_axis(&sorted, dropped, -1)?;
    select(
        logarithms.lt(threshold)?,
        Array::from_f32(f32::NEG_INFINITY),
        logarithms,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(logits: &[f32], top_p: f32) -> Vec<usize> {
        let length = i32::try_from(logits.len()).expect("is short");
        let nucleus = nucleus(&Array::from_slice(logits, &[1, length]), top_p).expect("computes");
        let nucleus: Vec<f32> = nucleus.to_vec_exact().expect("is f32");
        (0..logits.len())
            .filter(|token| nucleus[*token].is_finite())
            .collect()
    }

    #[test]
    fn the_nucleus_is_the_fewest_likeliest_tokens_that_reach_top_p() {
        let logits = [0.1f32, 0.4, 0.2, 0.3].map(f32::ln);
        assert_eq!(kept(&logits, 0.05), [1]);
        assert_eq!(kept(&logits, 0.39), [1]);
        assert_eq!(kept(&logits, 0.5), [1, 3]);
        assert_eq!(kept(&logits, 0.85), [1, 2, 3]);
        assert_eq!(kept(&logits, 0.95), [0, 1, 2, 3]);
    }

    #[test]
    fn sampling_follows_the_distribution_and_the_seed() {
        let logits = Array::from_slice(&[0.2f32, 0.5, 0.3].map(f32::ln), &[1, 3]);
        let draw = |seed| -> Vec<u32> {
            let sampling = Sampling {
                temperature: 1.0,
                top_p: 1.0,
                seed: Some(seed),
                ..Sampling::default()
            };
            let mut sampler = Sampler::new(&sampling).expect("starts");
            let tokens = (0..500).map(|_| sampler.sample(&logits).expect("samples"));
            tokens.map(|token| token.item_exact()).collect()
        };
        let drawn = draw(1);
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
        let share = drawn.iter().filter(|token| **token == 1).count();
        assert!(
            (200..300).contains(&share),
            "{share} of 500 draws of a token of probability 0.5"
        );
    }
}
