//! Between a stream's payloads and the document that says the same.

use serde_json::Value;

use crate::{Api, Endpoint, Incomplete, messages, openai, responses};

/// What a frame of a stream is to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// It says something of the answer.
    Content,
    /// It tells the token counts and nothing else, for those who asked for them.
    Usage,
    /// A comment or a ping.
    Quiet,
    /// The answer is whole.
    End,
    /// The model, or what stands before it, failed in mid-stream.
    Error,
    /// It is not UTF-8, not JSON, not of this API, or not where it may stand.
    Broken,
}

/// A document in the making.
#[derive(Debug)]
pub(crate) enum Fold {
    OpenAi(openai::Fold),
    Responses(responses::Fold),
    Anthropic(messages::Fold),
}

impl Fold {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        match endpoint.api() {
            Api::OpenAi => Self::OpenAi(openai::Fold::new(endpoint)),
            Api::Responses => Self::Responses(responses::Fold::default()),
            Api::Anthropic => Self::Anthropic(messages::Fold::default()),
        }
    }

    /// Takes in the next payload.
    pub(crate) fn push(&mut self, payload: Value) -> FrameKind {
        match self {
            Self::OpenAi(fold) => fold.push(payload),
            Self::Responses(fold) => fold.push(payload),
            Self::Anthropic(fold) => fold.push(payload),
        }
    }

    /// The document, which may lack what makes it a whole answer.
    pub(crate) fn finish(self) -> Result<Value, Incomplete> {
        match self {
            Self::OpenAi(fold) => fold.finish(),
            Self::Responses(fold) => fold.finish(),
            Self::Anthropic(fold) => fold.finish(),
        }
    }
}

/// The payloads of a stream that says the same as this document; none where the endpoint does not
/// stream.
#[must_use]
pub fn unfold(endpoint: Endpoint, document: &Value) -> Vec<Value> {
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => openai::unfold(endpoint, document),
        Endpoint::Responses => responses::unfold(document),
        Endpoint::Messages => messages::unfold(document),
        Endpoint::Embeddings | Endpoint::CountTokens => Vec::new(),
    }
}
