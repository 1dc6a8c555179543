//! `OpenAI`'s chat completions.

mod decode_events;
mod decode_request;
mod encode_answer;
mod encode_events;
mod encode_request;
mod tool_calls;

pub use decode_request::decode_request;
pub use encode_request::encode_request;

pub(crate) use decode_events::EventDecoder;
pub(crate) use encode_events::EventEncoder;
