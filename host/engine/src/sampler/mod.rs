//! Choosing the next token from a model's logits.

mod constraint;
mod filters;
mod logprobs;
mod penalties;

use deja_wire::Sampling;
use mlx_rs::{
    Array, Dtype,
    error::Result,
    ops::indexing::argmax_axis,
    random::{self, RandomState},
};

use crate::EngineError;
pub(crate) use constraint::{Constraint, Constraints, grammar_of};
use filters::Filters;
pub(crate) use logprobs::{Likelihood, Scored, likelihood};
use penalties::Penalties;

/// Chooses tokens, one after the other, for one sequence.
#[derive(Debug)]
pub(crate) struct Sampler {
    penalties: Option<Penalties>,
    constraint: Option<Constraint>,
    choice: Choice,
}

#[derive(Debug)]
enum Choice {
    /// The likeliest token.
    Greedy,
    /// A random token, by its probability.
    Random {
        temperature: f32,
        filters: Filters,
        state: RandomState,
    },
}

impl Sampler {
    /// A sampler for the answer with this number to a prompt, by a model of so many tokens.
    pub(crate) fn new(
        sampling: &Sampling,
        constraint: Option<Constraint>,
        answer: u32,
        prompt: &[u32],
        vocabulary: usize,
    ) -> Result<Self> {
        Ok(Self {
            penalties: Penalties::new(sampling, prompt, vocabulary),
            constraint,
            choice: Choice::new(sampling, answer)?,
        })
    }

    /// The token [1] chosen by logits [1, vocabulary]; nothing is computed yet.
    pub(crate) fn sample(&mut self, logits: &Array) -> std::result::Result<Array, EngineError> {
        let mut logits = logits.clone();
        if let Some(penalties) = &self.penalties {
            logits = penalties.apply(&logits)?;
        }
        if let Some(constraint) = &mut self.constraint {
            logits = logits.add(constraint.mask()?)?;
        }
        Ok(self.choice.sample(&logits)?)
    }

    /// Notes which token came out.
    pub(crate) fn note(&mut self, token: u32) {
        if let Some(penalties) = &mut self.penalties {
            penalties.note(token);
        }
        if let Some(constraint) = &mut self.constraint {
            constraint.note(token);
        }
    }
}

impl Choice {
    fn new(sampling: &Sampling, answer: u32) -> Result<Self> {
        if sampling.temperature <= 0.0 {
            return Ok(Self::Greedy);
        }
        // Answers to one request differ, and each is the same again.
        let seed = match sampling.seed {
            Some(seed) => seed.wrapping_add(answer.into()),
            None => rand::random(),
        };
        Ok(Self::Random {
            temperature: sampling.temperature,
            filters: Filters::new(sampling),
            state: RandomState::with_seed(seed)?,
        })
    }

    fn sample(&mut self, logits: &Array) -> Result<Array> {
        match self {
            Self::Greedy => argmax_axis(logits, -1, false),
            Self::Random {
                temperature,
                filters,
                state,
            } => {
                let kept = filters.apply(&logits.as_dtype(Dtype::Float32)?)?;
                let scaled = kept.multiply(Array::from_f32(temperature.recip()))?;
                random::categorical(scaled, -1, None, &state.next_key()?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(sampling: &Sampling, answer: u32, probabilities: &[f32]) -> Vec<u32> {
        let logits: Vec<_> = probabilities.iter().map(|share| share.ln()).collect();
        let length = i32::try_from(logits.len()).expect("is short");
        let logits = Array::from_slice(&logits, &[1, length]);
        let mut sampler =
            Sampler::new(sampling, None, answer, &[], probabilities.len()).expect("starts");
        let tokens = (0..500).map(|_| sampler.sample(&logits).expect("samples"));
        tokens.map(|token| token.item_exact()).collect()
    }

    #[test]
    fn sampling_follows_the_distribution_and_the_seed() {
        let seeded = |seed| Sampling {
            seed: Some(seed),
            ..Sampling::default()
        };
        let shares = [0.2, 0.5, 0.3];
        let drawn = draw(&seeded(1), 0, &shares);
        assert_eq!(drawn, draw(&seeded(1), 0, &shares));
        assert_ne!(drawn, draw(&seeded(2), 0, &shares));
        assert_ne!(drawn, draw(&seeded(1), 1, &shares));
        let share = drawn.iter().filter(|token| **token == 1).count();
        assert!(
            (200..300).contains(&share),
            "{share} of 500 draws of a token of probability 0.5"
        );
    }

    #[test]
    fn what_is_filtered_out_is_never_drawn() {
        let sampling = Sampling {
            top_k: Some(2),
            ..Sampling::default()
        };
        let drawn = draw(&sampling, 0, &[0.2, 0.5, 0.3]);
        assert!([1, 2].iter().all(|token| drawn.contains(token)));
        assert!(!drawn.contains(&0));
    }
}
