//! From a prompt to tokens: prefill in chunks, then one token at a time.

use std::mem;

use deja_chat::Sampling;
use mlx_rs::{
    Array,
    error::Result,
    memory::clear_cache,
    ops::indexing::TryIndexOp,
    transforms::{async_eval, eval},
};

use crate::{
    EngineError,
    model::{KvCache, Transformer},
    sampler::Sampler,
};

/// Prompt tokens that are processed at once: the longest that a cancelled request still computes.
/// On two CPU cores more at once is no faster.
const PREFILL_CHUNK: usize = 512;

/// MLX's pool of free buffers is emptied after so many tokens, as `mlx_lm` does: shapes grow with
/// the sequence, and old buffers no longer fit.
const CLEAR_CACHE_INTERVAL: u32 = 256;

/// Tokens that continue a prompt, computed one ahead of those that are given out.
pub struct TokenStream<'a> {
    model: &'a Transformer,
    cache: KvCache,
    sampler: Sampler,
    state: State,
    /// Tokens still to be given out.
    left: u32,
    given: u32,
}

enum State {
    /// Prompt tokens that the model has not seen.
    Prefill(Vec<u32>),
    /// The next token [1], computed in the background.
    Decode(Array),
}

/// What one step of a [`TokenStream`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It processed a part of the prompt.
    Prefilled,
    /// It generated a token.
    Token(u32),
    /// Nothing: as many tokens as were wanted have been generated.
    Exhausted,
}

impl<'a> TokenStream<'a> {
    /// Continues a prompt, which must not be empty, by up to `limit` tokens.
    pub(crate) fn new(
        model: &'a Transformer,
        prompt: Vec<u32>,
        sampling: &Sampling,
        limit: u32,
    ) -> std::result::Result<Self, EngineError> {
        Ok(Self {
            model,
            cache: model.new_cache(),
            sampler: Sampler::new(sampling)?,
            state: State::Prefill(prompt),
            left: limit,
            given: 0,
        })
    }

    /// Processes a part of the prompt or generates a token; end-of-text tokens are tokens like others.
    pub fn step(&mut self) -> std::result::Result<Step, EngineError> {
        if self.left == 0 {
            return Ok(Step::Exhausted);
        }
        match mem::replace(&mut self.state, State::Prefill(Vec::new())) {
            State::Prefill(prompt) => {
                self.state = self.prefill(prompt)?;
                Ok(Step::Prefilled)
            }
            State::Decode(token) => Ok(Step::Token(self.decode(&token)?)),
        }
    }

    /// Processes a chunk of the prompt. Its last token stays for the first decoding step, so that
    /// logits are computed for no other.
    fn prefill(&mut self, mut prompt: Vec<u32>) -> Result<State> {
        let before_last = prompt.len().saturating_sub(1);
        if before_last == 0 {
            let token = self.next(&tokens_array(&prompt))?;
            return Ok(State::Decode(token));
        }
        let rest = prompt.split_off(before_last.min(PREFILL_CHUNK));
        self.model.extend(&tokens_array(&prompt), &mut self.cache)?;
        eval(self.cache.arrays())?;
        clear_cache()?;
        Ok(State::Prefill(rest))
    }

    /// Gives out a token, and starts on the one after it first.
    fn decode(&mut self, token: &Array) -> std::result::Result<u32, EngineError> {
        self.left -= 1;
        if self.left > 0 {
            let next = self.next(&token.reshape(&[1, 1])?)?;
            self.state = State::Decode(next);
        }
        let token = token
            .try_item_exact()
            .map_err(|error| EngineError::Generation {
                reason: error.to_string(),
            })?;
        self.given += 1;
        if self.given.is_multiple_of(CLEAR_CACHE_INTERVAL) {
            clear_cache()?;
        }
        Ok(token)
    }

    /// Starts to compute the token [1] that follows these tokens [1, length].
    fn next(&mut self, tokens: &Array) -> Result<Array> {
        let hidden = self.model.extend(tokens, &mut self.cache)?;
        let logits = self.model.logits(&hidden)?.try_index((.., -1, ..))?;
        let token = self.sampler.sample(&logits)?;
        async_eval([&token])?;
        Ok(token)
    }
}

/// As the model takes them: [1, length].
pub(crate) fn tokens_array(tokens: &[u32]) -> Array {
    Array::from_iter(
        tokens.iter().copied(),
        &[1, i32::try_from(tokens.len()).unwrap_or(i32::MAX)],
    )
}
