//! What a request changes about the logits of single tokens.

use deja_wire::Sampling;
use mlx_rs::{Array, Dtype, error::Result, ops::select};

/// Penalties for tokens that were there, and biases.
#[derive(Debug)]
pub(super) struct Penalties {
    repetition: f32,
    presence: f32,
    frequency: f32,
    /// For each token, what its positive logit is divided by, and its negative one multiplied.
    /// Paper: <https://arxiv.org/abs/1909.05858>.
    factors: Vec<f32>,
    /// For each token, what is added to its logit.
    added: Vec<f32>,
    /// Whether a token was generated.
    generated: Vec<bool>,
}

impl Penalties {
    /// None if the request changes nothing. Tokens that the model does not have are left out.
    #[expect(clippy::float_cmp, reason = "only the neutral values change nothing")]
    pub(super) fn new(sampling: &Sampling, prompt: &[u32], vocabulary: usize) -> Option<Self> {
        let changes = sampling.repetition_penalty != 1.0
            || sampling.presence_penalty != 0.0
            || sampling.frequency_penalty != 0.0
            || !sampling.logit_bias.is_empty();
        changes.then(|| {
            let mut penalties = Self {
                repetition: sampling.repetition_penalty,
                presence: sampling.presence_penalty,
                frequency: sampling.frequency_penalty,
                factors: vec![1.0; vocabulary],
                added: vec![0.0; vocabulary],
                generated: vec![false; vocabulary],
            };
            for token in prompt {
                if let Some(factor) = penalties.factors.get_mut(*token as usize) {
                    *factor = penalties.repetition;
                }
            }
            for (token, bias) in &sampling.logit_bias {
                if let Some(added) = penalties.added.get_mut(*token as usize) {
                    *added = *bias;
                }
            }
            penalties
        })
    }

    /// Notes a generated token.
    pub(super) fn note(&mut self, token: u32) {
        let token = token as usize;
        let Some(generated) = self.generated.get_mut(token) else {
            return;
        };
        if !std::mem::replace(generated, true) {
            self.added[token] -= self.presence;
        }
        self.added[token] -= self.frequency;
        self.factors[token] = self.repetition;
    }

    /// The changed logits [1, vocabulary].
    pub(super) fn apply(&self, logits: &Array) -> Result<Array> {
        let logits = logits.as_dtype(Dtype::Float32)?;
        let shape = logits.shape();
        let factors = Array::from_slice(&self.factors, shape);
        let added = Array::from_slice(&self.added, shape);
        let is_negative = logits.lt(Array::from_f32(0.0))?;
        let (multiplied, divided) = (logits.multiply(&factors)?, logits.divide(&factors)?);
        select(is_negative, multiplied, divided)?.add(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the logits 2, -2, 2 and -2 after a prompt of token 0, and after the token 3
    /// was generated twice.
    fn changed(sampling: &Sampling) -> Vec<f32> {
        let mut penalties = Penalties::new(sampling, &[0, 9], 4).expect("changes something");
        for token in [3, 3, 9] {
            penalties.note(token);
        }
        let logits = Array::from_slice(&[2.0f32, -2.0, 2.0, -2.0], &[1, 4]);
        let changed = penalties.apply(&logits).expect("computes");
        changed.to_vec_exact().expect("is f32")
    }

    #[test]
    fn each_penalty_changes_its_own_tokens() {
        let plain = Sampling::default();
        let repetition = Sampling {
            repetition_penalty: 2.0,
            ..plain.clone()
        };
        assert_eq!(changed(&repetition), [1.0, -2.0, 2.0, -4.0]);
        let presence = Sampling {
            presence_penalty: 0.5,
            ..plain.clone()
        };
        assert_eq!(changed(&presence), [2.0, -2.0, 2.0, -2.5]);
        let frequency = Sampling {
            frequency_penalty: 0.5,
            ..plain.clone()
        };
        assert_eq!(changed(&frequency), [2.0, -2.0, 2.0, -3.0]);
        let bias = Sampling {
            logit_bias: [(1, 100.0), (9, 1.0)].into(),
            ..plain
        };
        assert_eq!(changed(&bias), [2.0, 98.0, 2.0, -2.0]);
    }

    #[test]
    fn a_plain_request_changes_nothing() {
        assert!(Penalties::new(&Sampling::default(), &[0], 4).is_none());
    }
}
