//! `OpenAI`'s chat completions: `POST /v1/chat/completions`.

mod answer;
mod error;
mod request;

pub use answer::{Envelope, STREAM_END, completion, event, models};
pub use error::{ErrorKind, error};
pub use request::{chat_request, delivery, texts};
