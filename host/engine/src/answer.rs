//! From tokens to the deltas of an answer.

use std::collections::HashSet;

use deja_wire::{Candidate, Delta, FinishReason, TokenLogprob};

use crate::{
    batch::Token,
    output::OutputParser,
    sampler::{Likelihood, Scored},
    text::{Piece, TextStream},
    tokenizer::Tokenizer,
};

/// One answer in the making.
pub(crate) struct Answer<'a> {
    tokenizer: &'a Tokenizer,
    end_tokens: &'a HashSet<u32>,
    text: TextStream<'a>,
    output: OutputParser,
    /// Of tokens whose text is held back.
    logprobs: Vec<TokenLogprob>,
}

/// What a token adds to an answer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Addition {
    pub(crate) deltas: Vec<Delta>,
    /// Why it is the last.
    pub(crate) finish: Option<FinishReason>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(
        tokenizer: &'a Tokenizer,
        end_tokens: &'a HashSet<u32>,
        stop: &[String],
        output: OutputParser,
    ) -> Self {
        Self {
            tokenizer,
            end_tokens,
            text: TextStream::new(tokenizer, stop),
            output,
            logprobs: Vec::new(),
        }
    }

    /// Goes on by a token.
    pub(crate) fn push(&mut self, token: Token) -> Addition {
        if self.end_tokens.contains(&token.id) {
            return self.finish(String::new(), FinishReason::Stop);
        }
        if let Some(likelihood) = token.likelihood {
            self.logprobs.push(logprob(self.tokenizer, likelihood));
        }
        let Piece { text, stopped_at } = self.text.push(token.id);
        match stopped_at {
            Some(stop) => self.add(&text, Some(FinishReason::StopString(stop))),
            None if token.is_last => self.finish(text, FinishReason::Length),
            None => self.add(&text, None),
        }
    }

    /// Adds this text and what was held back.
    fn finish(&mut self, mut text: String, finish: FinishReason) -> Addition {
        text.push_str(&self.text.finish());
        self.add(&text, Some(finish))
    }

    fn add(&mut self, text: &str, finish: Option<FinishReason>) -> Addition {
        let mut deltas = self.output.push(text);
        let is_over = self.output.is_over();
        let finish = finish.or_else(|| is_over.then_some(FinishReason::ToolCalls));
        if finish.is_some() {
            deltas.extend(self.output.finish());
        }
        self.add_logprobs(&mut deltas);
        let finish = finish.map(|finish| self.output.finish_reason(finish));
        Addition { deltas, finish }
    }

    /// Gives a text the probabilities of its tokens; those of thoughts and calls are not told.
    fn add_logprobs(&mut self, deltas: &mut [Delta]) {
        if deltas.is_empty() {
            return;
        }
        let known = std::mem::take(&mut self.logprobs);
        let text = deltas.iter_mut().find_map(|delta| match delta {
            Delta::Text { logprobs, .. } => Some(logprobs),
            _ => None,
        });
        if let Some(logprobs) = text {
            *logprobs = known;
        }
    }
}

/// The probability of a token as clients are told it.
pub(crate) fn logprob(tokenizer: &Tokenizer, likelihood: Likelihood) -> TokenLogprob {
    let candidate = |(token, logprob): Scored| Candidate {
        bytes: tokenizer.bytes(token),
        logprob: Some(logprob),
    };
    TokenLogprob {
        token: candidate(likelihood.token),
        top: likelihood.top.into_iter().map(candidate).collect(),
    }
}
