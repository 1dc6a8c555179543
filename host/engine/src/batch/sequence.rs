//! One sequence of tokens: a prompt, and what continues it.

use mlx_rs::{Array, error::Result};

use super::SequenceId;
use crate::{
    EngineError,
    generate::tokens_array,
    model::KvCache,
    sampler::{Likelihood, Sampler, likelihood},
};

/// A sequence that waits or is computed.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) id: SequenceId,
    /// The prompt, and the tokens that were given out.
    pub(super) tokens: Vec<u32>,
    /// Of the first tokens. The others are its backlog.
    pub(super) cache: KvCache,
    /// Whether it was running already; it may have been set back since.
    pub(super) has_begun: bool,
    /// The token after them, which the model may still be computing.
    next: Option<Next>,
    sampler: Sampler,
    /// Tokens still to be given out.
    left: u32,
    prompt_length: usize,
    /// Of how many other tokens in each place the probabilities are wanted, if any are.
    logprobs: Option<usize>,
}

/// A token that was chosen, and perhaps not computed yet.
#[derive(Debug)]
struct Next {
    /// Of shape [1].
    token: Array,
    /// What it was chosen by, [1, vocabulary], if probabilities are wanted.
    logits: Option<Array>,
}

/// A token that continues a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) id: u32,
    /// If probabilities are wanted.
    pub(crate) likelihood: Option<Likelihood>,
    /// Whether as many tokens as were wanted are there now.
    pub(crate) is_last: bool,
}

/// What a sequence adds to a pass.
pub(super) struct Input {
    /// Tokens [1, length].
    pub(super) tokens: Array,
    /// Whether the next token can be chosen after it.
    pub(super) leads_on: bool,
}

impl Sequence {
    /// Continues a prompt, which is not empty, by up to `left` tokens, at least one.
    pub(super) fn new(
        id: SequenceId,
        prompt: Vec<u32>,
        sampler: Sampler,
        left: u32,
        logprobs: Option<usize>,
        cache: KvCache,
    ) -> Self {
        Self {
            id,
            prompt_length: prompt.len(),
            tokens: prompt,
            cache,
            has_begun: false,
            next: None,
            sampler,
            left,
            logprobs,
        }
    }

    /// How many of its tokens are not in its cache.
    pub(super) fn backlog(&self) -> usize {
        self.tokens.len().saturating_sub(self.cache.length())
    }

    /// Whether its next token is there or on its way, and can be given out.
    pub(super) fn decodes(&self) -> bool {
        self.backlog() == 0 && self.next.is_some()
    }

    /// Whether it has no tokens but its prompt's.
    pub(super) fn is_new(&self) -> bool {
        self.tokens.len() == self.prompt_length
    }

    /// What it adds to the next pass: the token that it gives out meanwhile, or up to `chunk` of
    /// its backlog.
    pub(super) fn input(&self, chunk: usize) -> Result<Option<Input>> {
        let backlog = &self.tokens[self.tokens.len() - self.backlog()..];
        let chunk = &backlog[..chunk.min(backlog.len())];
        match &self.next {
            Some(next) if backlog.is_empty() => {
                let tokens = next.token.reshape(&[1, 1])?;
                let input = Input {
                    tokens,
                    leads_on: true,
                };
                Ok((self.left > 1).then_some(input))
            }
            _ if chunk.is_empty() => Ok(None),
            next => Ok(Some(Input {
                tokens: tokens_array(chunk),
                // One that was set back knows its next token already.
                leads_on: chunk.len() == backlog.len() && next.is_none(),
            })),
        }
    }

    /// Chooses the next token [1] by logits [1, vocabulary]; it is computed later.
    pub(super) fn choose(&mut self, logits: Array) -> std::result::Result<Array, EngineError> {
        let token = self.sampler.sample(&logits)?;
        self.next = Some(Next {
            token: token.clone(),
            logits: self.logprobs.map(|_| logits),
        });
        Ok(token)
    }

    /// Gives out the next token, if one was chosen; waits until it is computed.
    pub(super) fn give_out(&mut self) -> std::result::Result<Option<Token>, EngineError> {
        let Some(Next { token, logits }) = self.next.take() else {
            return Ok(None);
        };
        let id = token.try_item_exact().map_err(|error| unreadable(&error))?;
        let likelihood = self.likelihood(id, logits)?;
        self.sampler.note(id);
        self.tokens.push(id);
        self.left -= 1;
        Ok(Some(Token {
            id,
            likelihood,
            is_last: self.left == 0,
        }))
    }

    fn likelihood(
        &self,
        token: u32,
        logits: Option<Array>,
    ) -> std::result::Result<Option<Likelihood>, EngineError> {
        let (Some(logits), Some(top)) = (logits, self.logprobs) else {
            return Ok(None);
        };
        let logits: Vec<f32> = logits.to_vec_cast().map_err(|error| unreadable(&error))?;
        Ok(Some(likelihood(&logits, token, top)))
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Generation {
        reason: error.to_string(),
    }
}
