//! What can go wrong between a request and its answer.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// A failure of the engine; it crosses the process boundary as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EngineError {
    /// Nothing lies at the model's path.
    #[error("there is no model at {}", path.display())]
    ModelNotFound {
        /// Where it was sought.
        path: PathBuf,
    },
    /// A model file is cut short, damaged or of another kind.
    #[error("the model file {} is broken: {reason}", path.display())]
    ModelBroken {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model is sound, but the engine cannot run it.
    #[error("the model {} is not supported: {reason}", path.display())]
    UnsupportedModel {
        /// The file that tells so.
        path: PathBuf,
        /// What the engine lacks.
        reason: String,
    },
    /// A model that lies elsewhere could not be fetched.
    #[error("the model could not be fetched: {reason}")]
    ModelNotFetched {
        /// Why not.
        reason: String,
    },
    /// The model's files are still on their way.
    #[error("the model is being fetched")]
    ModelOnItsWay {
        /// When a new attempt is worthwhile.
        retry_after: Duration,
    },
    /// The model takes more memory than all models together may.
    #[error("the model takes {bytes} bytes, and all models together may take {limit}")]
    ModelTooLarge {
        /// What it takes.
        bytes: u64,
        /// What all may take.
        limit: u64,
    },
    /// The models that are loaded are in use, and leave this one no memory.
    #[error("there is no memory for the model while others are in use")]
    ModelsInUse {
        /// When a new attempt is worthwhile.
        retry_after: Duration,
    },
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {prompt_tokens} tokens, and the model's context holds {context_length}"
    )]
    ContextExceeded {
        /// Tokens of the prompt, the chat template's own included.
        prompt_tokens: u32,
        /// Tokens that prompt and answer may have together.
        context_length: u32,
    },
    /// A text to embed is too long.
    #[error("an input has {tokens} tokens, and the model's context holds {context_length}")]
    InputTooLong {
        /// Its tokens, special ones included.
        tokens: u32,
        /// Tokens that a text may have.
        context_length: u32,
    },
    /// Something has no embedding.
    #[error("an input cannot be embedded: {reason}")]
    Input {
        /// Why not.
        reason: String,
    },
    /// Embeddings are wanted longer than the model makes them.
    #[error("{wanted} dimensions are wanted, and the model's embeddings have {own}")]
    Dimensions {
        /// As many are wanted.
        wanted: u32,
        /// As many there are.
        own: usize,
    },
    /// The prompt, or the answer so far, needs more memory than all answers together may use.
    #[error("the keys and values of {tokens} tokens do not fit into {limit} bytes")]
    OutOfMemory {
        /// Tokens of the prompt and of the answer so far.
        tokens: usize,
        /// What the engine may use, in bytes.
        limit: usize,
    },
    /// The model's chat template does not take this conversation.
    #[error("the model's chat template refuses the conversation: {reason}")]
    Template {
        /// What the template says.
        reason: String,
    },
    /// The answer's format cannot be kept to.
    #[error("the answer's format is refused: {reason}")]
    Format {
        /// What is wrong with it.
        reason: String,
    },
    /// The calls of a tool cannot be held to its schema.
    #[error("a tool's schema is refused: {reason}")]
    ToolSchema {
        /// What is wrong with it.
        reason: String,
    },
    /// MLX or the tokeniser failed on this request; the worker lives on.
    #[error("the generation failed: {reason}")]
    Generation {
        /// What failed.
        reason: String,
    },
    /// The worker process ended in the middle of this answer.
    #[error("the inference worker was lost: {reason}")]
    WorkerLost {
        /// How it ended.
        reason: String,
    },
    /// No worker process runs, and none came up while the request waited.
    #[error("no inference worker is available")]
    WorkerUnavailable {
        /// When a new attempt is worthwhile.
        retry_after: Duration,
    },
    /// As many generations wait or run as may.
    #[error("too many requests wait for the model")]
    Busy {
        /// When a new attempt is worthwhile.
        retry_after: Duration,
    },
    /// The worker process could not be started, or is of another build.
    #[error("the inference worker did not start: {reason}")]
    WorkerStart {
        /// Why not.
        reason: String,
    },
    /// The model was not loaded in time.
    #[error("the inference worker loaded no model within {} s", timeout.as_secs())]
    StartTimeout {
        /// How long the engine waited.
        timeout: Duration,
    },
}

impl EngineError {
    /// Whether the same request can succeed later, unchanged.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::WorkerLost { .. }
            | Self::WorkerUnavailable { .. }
            | Self::Busy { .. }
            | Self::ModelNotFetched { .. }
            | Self::ModelOnItsWay { .. }
            | Self::ModelsInUse { .. }
            | Self::StartTimeout { .. } => true,
            Self::ModelNotFound { .. }
            | Self::ModelBroken { .. }
            | Self::UnsupportedModel { .. }
            | Self::ModelTooLarge { .. }
            | Self::ContextExceeded { .. }
            | Self::InputTooLong { .. }
            | Self::Input { .. }
            | Self::Dimensions { .. }
            | Self::OutOfMemory { .. }
            | Self::Template { .. }
            | Self::Format { .. }
            | Self::ToolSchema { .. }
            | Self::Generation { .. }
            | Self::WorkerStart { .. } => false,
        }
    }
}

impl From<mlx_rs::error::Exception> for EngineError {
    fn from(exception: mlx_rs::error::Exception) -> Self {
        Self::Generation {
            reason: exception.what().to_owned(),
        }
    }
}
