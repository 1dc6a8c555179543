//! `OpenAI`'s dialect: chat completions, the older completions of a text, and embeddings.

mod chat_request;
mod chat_stream;
mod completion_request;
mod completion_stream;
mod delivery;
mod embedding_request;
mod embeddings;
mod envelope;
mod error;
mod fold;
mod logprobs;
mod messages;
mod models;
mod parameters;
mod spots;
mod texts;
mod tools;
mod unfold;

use serde::Serialize;

pub use chat_request::chat_request;
pub use chat_stream::ChatStream;
pub use completion_request::completion_request;
pub use completion_stream::CompletionStream;
pub use delivery::delivery;
pub use embedding_request::{embedding_request, encoding};
pub use embeddings::{Encoding, embeddings};
pub use error::{ErrorKind, error, error_frame};
pub use models::{Offer, model, models};
pub use texts::{input_texts, texts};

pub(crate) use fold::Fold;
pub(crate) use spots::spots;
pub(crate) use unfold::unfold;

/// The frame after which a stream is whole.
pub const STREAM_END: &str = "data: [DONE]\n\n";

/// The payload of [`STREAM_END`].
pub(crate) const DONE: &[u8] = b"[DONE]";

/// The frame that says nothing but that the answer is still in the making.
pub const SIGN_OF_LIFE: &str = ": keep-alive\n\n";

fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("strings and numbers always have a JSON form")
}
