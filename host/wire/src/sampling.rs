//! How a model's next token is chosen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How each token is chosen. The default takes the model's own distribution as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1 samples from the model's own distribution. From 0 to 2.
    pub temperature: f32,
    /// Samples among the likeliest tokens that together have this probability. Above 0, up to 1.
    pub top_p: f32,
    /// Samples among so many of the likeliest tokens, at least 1.
    pub top_k: Option<u32>,
    /// Leaves out tokens whose probability is below this part of the likeliest one's. From 0
    /// to 1.
    pub min_p: f32,
    /// Divides the positive logits of tokens that were there, in the prompt too, and multiplies
    /// the negative ones. Above 0; 1 changes nothing.
    pub repetition_penalty: f32,
    /// Taken once from the logits of tokens that were generated. From -2 to 2.
    pub presence_penalty: f32,
    /// Taken from the logits of generated tokens as often as they were. From -2 to 2.
    pub frequency_penalty: f32,
    /// Added to the logits of these tokens. From -100, which rules a token out, to 100.
    pub logit_bias: BTreeMap<u32, f32>,
    /// The same seed gives the same text.
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: None,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: BTreeMap::new(),
            seed: None,
        }
    }
}

impl Sampling {
    /// Always the likeliest token.
    #[must_use]
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }
}
