//! From tokens to the events of an answer.

use std::collections::HashSet;

use deja_chat::{Delta, Event, FinishReason, Usage};

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
    finished: bool,
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
            ..Usage::default()
        };
        Self {
            tokens,
            text: TextStream::new(tokenizer, stop),
            end_tokens,
            usage,
            finished: false,
        }
    }

    /// Does one step: at most one token, or one chunk of the prompt. Returns the events that it led
    /// to; after [`Event::End`] there are no more.
    pub(crate) fn step(&mut self) -> Result<Vec<Event>, EngineError> {
        if self.finished {
            return Ok(Vec::new());
        }
        let (text, finish) = self.advance()?;
        let mut events = Vec::new();
        if !text.is_empty() {
            events.push(Event::Delta {
                choice: 0,
                delta: Delta::text(text),
            });
        }
        if let Some(finish) = finish {
            self.finished = true;
            events.push(Event::Finished { choice: 0, finish });
            events.push(Event::End { usage: self.usage });
        }
        Ok(events)
    }

    /// The text of one step, and why it is the last.
    fn advance(&mut self) -> Result<(String, Option<FinishReason>), EngineError> {
        match self.tokens.step()? {
            Step::Prefilled => Ok((String::new(), None)),
            Step::Exhausted => self.last_text(FinishReason::Length),
            Step::Token(token) => {
                self.usage.completion_tokens += 1;
                if self.end_tokens.contains(&token) {
                    return self.last_text(FinishReason::Stop);
                }
                let Piece { text, stopped_at } = self.text.push(token)?;
                Ok((text, stopped_at.map(FinishReason::StopString)))
            }
        }
    }

    fn last_text(
        &mut self,
        finish: FinishReason,
    ) -> Result<(String, Option<FinishReason>), EngineError> {
        let Piece { text, stopped_at } = self.text.finish()?;
        let finish = stopped_at.map_or(finish, FinishReason::StopString);
        Ok((text, Some(finish)))
    }
}
