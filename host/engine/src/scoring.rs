//! How likely the tokens of a prompt are, computed piece by piece beside the answers to others.

use deja_wire::{Candidate, TokenLogprob};
use mlx_rs::ops::indexing::TryIndexOp;

use crate::{
    EngineError, LanguageModel,
    answer::logprob,
    generate::tokens_array,
    model::{KvCache, Part},
    sampler::{Likelihood, likelihood},
};

/// Tokens whose logits are there at once: for a large vocabulary they take megabytes each.
const CHUNK: usize = 32;

/// A prompt whose own probabilities are wanted.
pub(crate) struct Scoring<'a> {
    model: &'a LanguageModel,
    tokens: Vec<u32>,
    /// Of the tokens that were read.
    cache: KvCache,
    /// Of all tokens but the first, as far as those before them were read.
    likelihoods: Vec<Likelihood>,
    /// Of how many others in each place the probabilities are wanted.
    top: usize,
}

impl<'a> Scoring<'a> {
    pub(crate) fn new(model: &'a LanguageModel, tokens: Vec<u32>, top: usize) -> Self {
        Self {
            model,
            tokens,
            cache: model.transformer.new_cache(),
            likelihoods: Vec::new(),
            top,
        }
    }

    /// How many of its tokens were read, and how many there are.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.cache.length(), self.tokens.len())
    }

    /// Reads on by a few tokens.
    pub(crate) fn step(&mut self) -> Result<(), EngineError> {
        let start = self.cache.length();
        let end = self.tokens.len().min(start + CHUNK);
        let added = tokens_array(&self.tokens[start..end]);
        let parts = &mut [Part::of(&mut self.cache, &added)];
        let hidden = self.model.transformer.extend(&added, parts)?;
        let logits = self.model.transformer.logits(&hidden)?;
        for (token, row) in self.tokens[start + 1..].iter().zip(0..added.dim(1)) {
            let logits: Vec<f32> =
                logits
                    .try_index((.., row, ..))?
                    .to_vec_cast()
                    .map_err(|error| EngineError::Generation {
                        reason: error.to_string(),
                    })?;
            self.likelihoods.push(likelihood(&logits, *token, self.top));
        }
        Ok(())
    }

    /// The probabilities of the last `shown` tokens; the others were added to the text. Nothing
    /// comes before the first of all, which has none.
    pub(crate) fn finish(self, shown: usize) -> Scored {
        let tokenizer = self.model.tokenizer();
        let first = self.tokens.first().map(|token| TokenLogprob {
            token: Candidate {
                bytes: tokenizer.bytes(*token),
                logprob: None,
            },
            top: Vec::new(),
        });
        let others = self.likelihoods.into_iter();
        let others = others.map(|likelihood| logprob(tokenizer, likelihood));
        let added = self.tokens.len().saturating_sub(shown);
        Scored {
            logprobs: first.into_iter().chain(others).skip(added).collect(),
            tokens: self.tokens,
            cache: self.cache,
        }
    }
}

/// A prompt and how likely it is.
pub(crate) struct Scored {
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) tokens: Vec<u32>,
    /// Of these tokens.
    pub(crate) cache: KvCache,
}
