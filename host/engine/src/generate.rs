//! The tokens that continue one prompt, for tests and measurements.

use std::collections::VecDeque;

use mlx_rs::Array;

use crate::{
    EngineError,
    batch::{Batch, Output, Token},
};

/// Tokens that continue a prompt, computed one ahead of those that are given out.
#[derive(Debug)]
pub struct TokenStream<'a> {
    /// Of one sequence.
    batch: Batch<'a>,
    outputs: VecDeque<Output>,
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
    pub(crate) fn new(batch: Batch<'a>) -> Self {
        Self {
            batch,
            outputs: VecDeque::new(),
        }
    }

    /// Processes a part of the prompt or generates a token; end-of-text tokens are tokens like others.
    pub fn step(&mut self) -> Result<Step, EngineError> {
        loop {
            match self.outputs.pop_front() {
                Some(Output::Begun { .. }) => {}
                Some(Output::Read { .. }) => return Ok(Step::Prefilled),
                Some(Output::Token(Token { id, .. })) => return Ok(Step::Token(id)),
                Some(Output::Failed(error)) => return Err(error),
                None if self.batch.is_empty() => return Ok(Step::Exhausted),
                None => {
                    let outputs = self.batch.step().into_iter();
                    self.outputs.extend(outputs.map(|(_, output)| output));
                }
            }
        }
    }
}

/// Tokens as the model takes them: [1, length].
pub(crate) fn tokens_array(tokens: &[u32]) -> Array {
    let length = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
    Array::from_slice(tokens, &[1, length])
}
