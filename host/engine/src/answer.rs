//! From tokens to the events of an answer.

use std::collections::HashSet;

use deja_chat::{Event, FinishReason, Usage};

use crate::{
    EngineError,
    generate::{Step, TokenStream},
    text::{Piece, TextStream},
    tokenizer::Tokenizer,
};

/// The answer to one request, computed step by step.
pub(crate) struct AnswerStream<'a> {
    tokens: TokenStream<'a>,
    text: TextStream<'a>,
    end_tokens: &'a HashSet<u32>,
    usage: Usage,
    finish: Option<FinishReason>,
}

impl<'a> AnswerStream<'a> {
    pub(crate) fn new(
        tokens: TokenStream<'a>,
        tokenizer: &'a Tokenizer,
        end_tokens: &'a HashSet<u32>,
        stop: &[String],
        prompt_tokens: u32,
    ) -> Self {
        let usage = Usage {
            prompt_tokens,
            completion_tokens: 0,
        };
        Self {
            tokens,
            text: TextStream::new(tokenizer, stop),
            end_tokens,
            usage,
            finish: None,
        }
    }

    /// Does one step: at most one token, or one chunk of the prompt. Returns an event if it led to
    /// one; after [`Event::End`] there are no more.
    pub(crate) fn step(&mut self) -> Result<Option<Event>, EngineError> {
        if self.finish.is_none() {
            let text = self.advance()?;
            if !text.is_empty() {
                return Ok(Some(Event::Text(text)));
            }
        }
        Ok(self.finish.map(|finish| Event::End {
            finish,
            usage: self.usage,
        }))
    }

    /// The text of one step.
    fn advance(&mut self) -> Result<String, EngineError> {
        match self.tokens.step()? {
            Step::Prefilled => Ok(String::new()),
            Step::Exhausted => self.last_text(FinishReason::Length),
            Step::Token(token) => {
                self.usage.completion_tokens += 1;
                if self.end_tokens.contains(&token) {
                    return self.last_text(FinishReason::Stop);
                }
                let Piece { text, stopped } = self.text.push(token)?;
                self.finish = stopped.then_some(FinishReason::Stop);
                Ok(text)
            }
        }
    }

    fn last_text(&mut self, finish: FinishReason) -> Result<String, EngineError> {
        let Piece { text, stopped } = self.text.finish()?;
        self.finish = Some(if stopped { FinishReason::Stop } else { finish });
        Ok(text)
    }
}
