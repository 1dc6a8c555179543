//! What an answer is made of, in order: what the built-in model gives, and what an upstream's stream is
//! decoded to.

use serde::{Deserialize, Serialize};

/// One step of an answer, which has as many choices as were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An upstream begins to answer. The built-in model leaves it out.
    Start {
        /// The answer's id without the prefix that names its API; may be empty.
        id: String,
        /// The model that answers, by the upstream's own name.
        model: String,
    },
    /// The prompt is being read.
    Progress {
        /// Tokens that were.
        processed: u32,
        /// Tokens of the prompt.
        total: u32,
    },
    /// An answer goes on.
    Delta {
        /// Which of the answers that were asked for.
        choice: u32,
        /// What it adds.
        delta: Delta,
    },
    /// An answer is whole; it adds nothing more.
    Finished {
        /// Which of the answers that were asked for.
        choice: u32,
        /// Why the model stopped.
        finish: FinishReason,
    },
    /// All answers are whole; nothing follows.
    End {
        /// What they took.
        usage: Usage,
    },
    /// A part of the answer has no form in the model of events, and was left out: the rest is passed
    /// on, and never stored.
    Dropped {
        /// The part, like `citations_delta`.
        part: String,
    },
    /// The answer ends here with an error; nothing follows.
    Failed(Failure),
}

/// An error in mid-stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The HTTP status that it would have had.
    pub status: u16,
    /// What is wrong, for people.
    pub message: String,
    /// A short name for programs, like `context_length_exceeded`.
    pub code: Option<String>,
}

/// What a step adds to an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delta {
    /// The next text.
    Text {
        /// Never split inside a character, and never empty.
        text: String,
        /// The tokens that it came with, if their probabilities are wanted.
        logprobs: Vec<TokenLogprob>,
    },
    /// The next of the model's thoughts, never empty.
    Reasoning(String),
    /// A proof of the reasoning before it, which its vendor wants back with the next turn. Whole.
    Signature(String),
    /// Reasoning that only its vendor can read. Whole.
    EncryptedReasoning(String),
    /// The next piece of the model's refusal to answer, never empty.
    Refusal(String),
    /// A tool call begins.
    ToolCall {
        /// Its place among the answer's calls.
        index: u32,
        /// What the tool's result is to refer to.
        id: String,
        /// The tool.
        name: String,
    },
    /// The next piece of a call's arguments, never empty.
    ToolArguments {
        /// The call's place among the answer's calls.
        index: u32,
        /// JSON, once all pieces are together.
        arguments: String,
    },
}

impl Delta {
    /// A text whose probabilities nobody wants.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            logprobs: Vec::new(),
        }
    }
}

/// A token of an answer, and how likely it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token.
    pub token: Candidate,
    /// The likeliest tokens in its place, the likeliest first: as many as were asked for.
    pub top: Vec<Candidate>,
}

/// A token that may stand in a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its bytes, which may be a part of a character.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability, finite; none for the first token of a prompt.
    pub logprob: Option<f32>,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It said all it had to say.
    Stop,
    /// It came to this one of the request's stop strings.
    StopString(String),
    /// It reached the request's token limit, or the end of the context.
    Length,
    /// It waits for the results of the tools that it called.
    ToolCalls,
    /// It, or a filter behind it, refused.
    Refusal,
    /// Another reason, in the words of the API that it came from.
    Other(String),
}

/// Tokens read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, the chat template's own included.
    pub prompt_tokens: u32,
    /// Those of them that were not read anew, but known from an earlier request.
    pub cached_tokens: u32,
    /// Tokens generated for all answers, those that ended the texts included.
    pub completion_tokens: u32,
}
