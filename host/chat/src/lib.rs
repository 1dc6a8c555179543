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
mod endpoint;
mod fold;
mod fresh;
mod front_coding;
mod generation;
pub mod openai;
mod recorder;
mod request;
mod slot;
mod sse;
mod stream;
mod template;
mod text;
pub mod translate;

pub use answer::Answer;
pub use api::{Api, frame};
pub use complete::Incomplete;
pub use endpoint::Endpoint;
pub use fold::{FrameKind, unfold};
pub use fresh::Fresh;
pub use generation::{Event, FinishReason, Usage};
pub use recorder::Recorder;
pub use request::{BadRequest, ChatRequest, Delivery, Message, Prompt, Role, Sampling};
pub use sse::{FrameReader, FrameTooLong, payload};
pub use text::Text;
