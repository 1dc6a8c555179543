//! `OpenAI`'s older completions of a text.

mod encode_events;
mod request;

pub use encode_events::CompletionStream;
pub use request::completion_request;
