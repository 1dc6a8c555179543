//! `OpenAI`'s chat completions, `POST /v1/chat/completions`, and the older completions of a text,
//! `POST /v1/completions`.

mod answer;
mod completion;
mod error;
mod request;

pub use answer::{Envelope, STREAM_END, completion, event, models};
pub use completion::{completion_event, completion_request, text_completion};
pub use error::{ErrorKind, error};
pub use request::{chat_request, delivery, texts};
