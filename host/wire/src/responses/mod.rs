//! `OpenAI`'s Responses API.

mod claims;
mod decode_events;
mod decode_request;
mod encode_events;
mod encode_request;
mod error;
mod fold;
mod items;
mod namespace;
mod request;
mod said;
mod spots;
mod unfold;
mod whole;

pub use decode_request::decode_request;
pub use encode_request::encode_request;
pub use error::error_frame;
pub use request::{delivery, texts};

pub(crate) use decode_events::EventDecoder;
pub(crate) use encode_events::EventEncoder;
pub(crate) use fold::Fold;
pub(crate) use request::is_request;
pub(crate) use spots::spots;
pub(crate) use unfold::unfold;
pub(crate) use whole::check;

/// The beginning of the ids of responses that Deja encoded, and no upstream.
pub const OWN_ID: &str = "resp_deja";
