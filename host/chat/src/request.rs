//! What a client asks of a model, free of any wire format.

use serde::{Deserialize, Serialize};

/// What a model is to continue, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// The model asked for, if one was.
    pub model: Option<String>,
    /// What comes before the answer.
    pub prompt: Prompt,
    /// How each token is chosen.
    pub sampling: Sampling,
    /// The most tokens to generate; without it, as many as the context holds.
    pub max_tokens: Option<u32>,
    /// Texts at which the answer ends; they are not part of it.
    pub stop: Vec<String>,
}

/// What comes before an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// A conversation, never empty, that the model's chat template writes as a text.
    Conversation(Vec<Message>),
    /// A text that the model reads as it is.
    Text(String),
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The one who sets the rules.
    #[serde(alias = "developer")]
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// How each token is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the likeliest token; 1 samples from the model's own distribution. From 0 to 2.
    pub temperature: f32,
    /// Samples among the likeliest tokens that together have this probability. Above 0, up to 1.
    pub top_p: f32,
    /// The same seed gives the same text.
    pub seed: Option<u64>,
}

/// The form in which a client wants its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON document when the answer is whole.
    #[default]
    Whole,
    /// Server-sent events, piece by piece.
    Stream {
        /// Whether the last event tells the token counts.
        usage: bool,
    },
}

/// A request that no model is asked to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong, for people.
    pub message: String,
    /// The field at fault, like `messages[0].role`.
    pub field: Option<String>,
    /// A short name for programs, like `unsupported_parameter`.
    pub code: Option<&'static str>,
}

impl BadRequest {
    /// A mistake in one field; `problem` goes on after the field's name.
    #[must_use]
    pub fn field(field: impl Into<String>, problem: &str) -> Self {
        let field = field.into();
        Self {
            message: format!("`{field}` {problem}"),
            field: Some(field),
            code: None,
        }
    }

    /// A field that would change the answer, and that the model cannot honour.
    #[must_use]
    pub fn unsupported(field: &str) -> Self {
        Self {
            message: format!("this model does not support `{field}`"),
            field: Some(field.to_owned()),
            code: Some("unsupported_parameter"),
        }
    }
}
