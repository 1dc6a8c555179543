//! Requests, answers and the wire formats that clients speak.
//!
//! An [`Answer`] is kept in its endpoint's wire format, as it came, and can be replayed as a
//! document and as a stream. A [`Recorder`] makes one from a live stream, whose frames a
//! [`FrameReader`] finds. [`ChatRequest`] and [`Event`] are what the built-in model takes and
//! gives; they know no wire format.

#![forbid(unsafe_code)]

mod answer;
pub mod anthropic;
mod api;
mod complete;
mod embedding;
mod endpoint;
mod field;
mod fold;
mod fresh;
mod front_coding;
mod generation;
mod message;
pub mod openai;
mod recorder;
mod request;
mod sampling;
mod slot;
mod sse;
mod stream;
mod template;
mod text;
mod tool;
pub mod translate;

pub use answer::Answer;
pub use api::{Api, frame};
pub use complete::Incomplete;
pub use embedding::{Embedding, EmbeddingInput, EmbeddingRequest};
pub use endpoint::Endpoint;
pub use fold::{FrameKind, unfold};
pub use fresh::Fresh;
pub use generation::{Candidate, Delta, Event, FinishReason, TokenLogprob, Usage};
pub use message::{Conversation, Message, Role, ToolCall};
pub use recorder::{Fragment, Recorder};
pub use request::{BadRequest, ChatRequest, Delivery, Format, Prompt};
pub use sampling::Sampling;
pub use sse::{BodyForm, FrameReader, FrameTooLong, body_form, payload};
pub use text::Text;
pub use tool::{Tool, ToolChoice};
