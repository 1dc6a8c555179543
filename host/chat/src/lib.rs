//! Requests, answers and the wire formats that clients speak.
//!
//! [`ChatRequest`] and [`Answer`] know no wire format; [`openai`] reads and writes one.

#![forbid(unsafe_code)]

mod answer;
pub mod openai;
mod request;
mod text;
pub mod translate;

pub use answer::{Answer, Event, FinishReason, Usage};
pub use request::{BadRequest, ChatRequest, Delivery, Message, Prompt, Role, Sampling};
pub use text::Text;
