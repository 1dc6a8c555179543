//! The fold of an answer's events: all that they say, put together.

use std::collections::BTreeMap;

use crate::{Delta, Event, FinishReason, TokenLogprob, Usage};

/// What the events of an answer say so far.
#[derive(Debug, Default)]
pub(crate) struct FoldedAnswer {
    /// The choices, by number.
    pub(crate) choices: BTreeMap<u32, FoldedChoice>,
    /// What the answer took; zeros before its end.
    pub(crate) usage: Usage,
}

/// One of the answers that were asked for.
#[derive(Debug, Default)]
pub(crate) struct FoldedChoice {
    /// What it is made of, in order.
    pub(crate) parts: Vec<FoldedPart>,
    /// The tokens of its texts, where their probabilities are wanted.
    pub(crate) logprobs: Vec<TokenLogprob>,
    /// Why the model stopped, once it did.
    pub(crate) finish: Option<FinishReason>,
}

/// A part of a choice; pieces of one kind in a row are one part.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FoldedPart {
    /// What the model thought, and its vendor's proof.
    Reasoning {
        text: String,
        signature: Option<String>,
    },
    /// Reasoning that only its vendor can read.
    EncryptedReasoning(String),
    /// What it said.
    Text(String),
    /// Its refusal to answer.
    Refusal(String),
    /// A tool that it called.
    ToolCall {
        index: u32,
        id: String,
        name: String,
        arguments: String,
    },
}

impl FoldedAnswer {
    /// Adds the next event.
    pub(crate) fn push(&mut self, event: &Event) {
        match event {
            Event::Delta { choice, delta } => self.choices.entry(*choice).or_default().push(delta),
            Event::Finished { choice, finish } => {
                self.choices.entry(*choice).or_default().finish = Some(finish.clone());
            }
            Event::End { usage } => self.usage = *usage,
            Event::Start { .. }
            | Event::Progress { .. }
            | Event::Dropped { .. }
            | Event::Failed(_) => {}
        }
    }
}

impl FoldedChoice {
    fn push(&mut self, delta: &Delta) {
        match delta {
            Delta::Text { text, logprobs } => {
                self.logprobs.extend_from_slice(logprobs);
                self.text(text);
            }
            Delta::Reasoning(piece) => self.reasoning(piece),
            Delta::Signature(proof) => self.sign(proof),
            Delta::EncryptedReasoning(data) => {
                self.parts
                    .push(FoldedPart::EncryptedReasoning(data.clone()));
            }
            Delta::Refusal(piece) => match self.parts.last_mut() {
                Some(FoldedPart::Refusal(whole)) => whole.push_str(piece),
                _ => self.parts.push(FoldedPart::Refusal(piece.clone())),
            },
            Delta::ToolCall { index, id, name } => self.parts.push(FoldedPart::ToolCall {
                index: *index,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
            }),
            Delta::ToolArguments { index, arguments } => self.arguments(*index, arguments),
        }
    }

    fn text(&mut self, piece: &str) {
        match self.parts.last_mut() {
            Some(FoldedPart::Text(whole)) => whole.push_str(piece),
            _ => self.parts.push(FoldedPart::Text(piece.to_owned())),
        }
    }

    fn reasoning(&mut self, piece: &str) {
        match self.parts.last_mut() {
            Some(FoldedPart::Reasoning {
                text,
                signature: None,
            }) => text.push_str(piece),
            _ => self.parts.push(FoldedPart::Reasoning {
                text: piece.to_owned(),
                signature: None,
            }),
        }
    }

    /// Adds a proof to the reasoning before it; one without any stands for itself.
    fn sign(&mut self, proof: &str) {
        match self.parts.last_mut() {
            Some(FoldedPart::Reasoning {
                signature: signature @ None,
                ..
            }) => *signature = Some(proof.to_owned()),
            _ => self.parts.push(FoldedPart::Reasoning {
                text: String::new(),
                signature: Some(proof.to_owned()),
            }),
        }
    }

    /// Adds to the arguments of the call of this number, which has begun.
    fn arguments(&mut self, number: u32, piece: &str) {
        let mut newest_first = self.parts.iter_mut().rev();
        let call = newest_first.find_map(|part| match part {
            FoldedPart::ToolCall {
                index, arguments, ..
            } if *index == number => Some(arguments),
            _ => None,
        });
        if let Some(arguments) = call {
            arguments.push_str(piece);
        }
    }
}
