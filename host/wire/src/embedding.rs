//! Texts and their places in a model's space of meanings, free of any wire format.

use serde::{Deserialize, Serialize};

/// What is to be embedded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddingRequest {
    /// The model asked for, if one was.
    pub model: Option<String>,
    /// Never empty; each gets a vector of its own.
    pub inputs: Vec<EmbeddingInput>,
    /// How long the vectors are to be, at least 1; without it, as long as the model makes them.
    pub dimensions: Option<u32>,
}

/// What becomes one vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbeddingInput {
    /// A text that is not empty.
    Text(String),
    /// The numbers of its tokens, at least one.
    Tokens(Vec<u32>),
}

/// What an input became.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// A vector of the length one.
    pub vector: Vec<f32>,
    /// How many tokens the input has.
    pub tokens: u32,
}
