//! What the built-in model is asked, free of any wire format.

mod conversation;
mod from_request;
mod tools;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Conversation, Sampling};

/// What a model is to continue, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model asked for, if one was.
    pub model: Option<String>,
    /// What comes before the answer.
    pub prompt: Prompt,
    /// How each token is chosen.
    pub sampling: Sampling,
    /// What the answer has to be.
    pub format: Format,
    /// How many answers are wanted, at least 1.
    pub choices: u32,
    /// Whether the tokens' probabilities are wanted, and of how many others in their places.
    pub logprobs: Option<u8>,
    /// Whether the answer begins with the prompt, which is a text.
    pub echo: bool,
    /// The most tokens to generate; without it, as many as the context holds.
    pub max_tokens: Option<u32>,
    /// Texts at which the answer ends; they are not part of it.
    pub stop: Vec<String>,
}

impl ChatRequest {
    /// Asks for one answer as the model gives it by itself.
    #[must_use]
    pub fn new(prompt: Prompt) -> Self {
        Self {
            model: None,
            prompt,
            sampling: Sampling::default(),
            format: Format::Text,
            choices: 1,
            logprobs: None,
            echo: false,
            max_tokens: None,
            stop: Vec::new(),
        }
    }
}

/// What comes before an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// A conversation, never empty, that the model's chat template writes as a text.
    Conversation(Conversation),
    /// A text that the model reads as it is.
    Text(String),
}

/// What an answer has to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Any text.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that this schema allows.
    JsonSchema(Value),
}
