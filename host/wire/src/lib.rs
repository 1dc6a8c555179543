//! Requests, answers and the wire formats that clients speak.
//!
//! An [`Answer`] is kept in its endpoint's wire format, as it came, and can be replayed as a
//! document and as a stream. A [`Recorder`] makes one from a live stream, whose frames a
//! [`FrameReader`] finds. [`ChatRequest`] and [`Event`] are what the built-in model takes and
//! gives; they know no wire format.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod bad_request;
pub mod chat_completions;
mod chat_request;
mod complete;
pub mod completions;
mod decoder;
mod delivery;
mod effort;
mod embedding;
pub mod embeddings;
mod encode_request;
mod encoded;
mod endpoint;
pub mod errors;
mod event;
mod event_recorder;
mod field;
mod fold;
mod folded_answer;
mod fresh;
mod front_coding;
mod media;
mod message;
pub mod messages;
pub mod openai;
mod recorder;
mod request;
pub mod responses;
mod sampling;
mod slot;
mod sse;
mod stream;
mod template;
#[cfg(test)]
mod testing;
mod text;
mod tool;

pub use answer::Answer;
pub use api::{Api, frame};
pub use bad_request::BadRequest;
pub use chat_request::{ChatRequest, Format, Prompt};
pub use complete::Incomplete;
pub use decoder::EventDecoder;
pub use delivery::Delivery;
pub use embedding::{Embedding, EmbeddingInput, EmbeddingRequest};
pub use encode_request::{EncodedRequest, Unsupported};
pub use encoded::Frame;
pub use endpoint::Endpoint;
pub use event::{Candidate, Delta, Event, Failure, FinishReason, TokenLogprob, Usage};
pub use event_recorder::EventRecorder;
pub use fold::{FrameKind, unfold};
pub use fresh::Fresh;
pub use message::{Conversation, Message, Role, ToolCall};
pub use recorder::{Fragment, Recorder};
pub use request::{
    Content, Effort, Media, OutputFormat, Part, Places, Request, ToolKind, ToolSpec, Turn,
};
pub use sampling::Sampling;
pub use sse::{BodyForm, FrameReader, FrameTooLong, body_form, payload};
pub use text::Text;
pub use tool::{Tool, ToolChoice};
