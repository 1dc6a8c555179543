//! What the built-in model says, as it comes.

use serde::{Deserialize, Serialize};

/// One step of an answer in the making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The next text, never split inside a character and never empty.
    Text(String),
    /// The answer is whole; nothing follows.
    End {
        /// Why the model stopped.
        finish: FinishReason,
        /// What the answer took.
        usage: Usage,
    },
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It said all it had to say, or reached a stop string.
    Stop,
    /// It reached the request's token limit, or the end of the context.
    Length,
}

/// Tokens read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, the chat template's own included.
    pub prompt_tokens: u32,
    /// Tokens generated, the one that ended the text included.
    pub completion_tokens: u32,
}
