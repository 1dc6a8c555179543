//! What `OpenAI`'s endpoints share.

mod delivery;
pub(crate) mod envelope;
mod error;
mod fold;
pub(crate) mod logprobs;
mod models;
pub(crate) mod parameters;
mod spots;
mod texts;
mod unfold;

use serde::Serialize;

pub use delivery::delivery;
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

pub(crate) fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("strings and numbers always have a JSON form")
}
