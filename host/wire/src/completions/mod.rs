//! `OpenAI`'s older completions of a text.

mod encode_events;
mod request;

pub use request::completion_request;

pub(crate) use encode_events::EventEncoder;
