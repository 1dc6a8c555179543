//! `OpenAI`'s chat completions.

mod chat_request;
mod conversation;
mod decode_events;
mod encode_answer;
mod encode_events;
mod tool_calls;
mod tools;

pub use chat_request::chat_request;

pub(crate) use decode_events::EventDecoder;
pub(crate) use encode_events::EventEncoder;
