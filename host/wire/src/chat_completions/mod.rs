//! `OpenAI`'s chat completions.

mod chat_request;
mod conversation;
mod encode_events;
mod tools;

pub use chat_request::chat_request;
pub use encode_events::ChatStream;
