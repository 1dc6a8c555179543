//! Anthropic's dialect: messages and the counting of their tokens.

mod blocks;
mod decode_events;
mod decode_request;
mod encode_answer;
mod encode_events;
mod encode_request;
mod error;
mod fold;
mod request;
mod spots;
mod unfold;

pub use decode_request::decode_request;
pub use encode_request::encode_request;
pub use error::{error, error_frame};
pub use request::{delivery, texts};

pub(crate) use decode_events::EventDecoder;
pub(crate) use encode_events::EventEncoder;
pub(crate) use fold::Fold;
pub(crate) use spots::spots;
pub(crate) use unfold::unfold;

/// How the API's answer ids begin.
const ID: &str = "msg_";

/// The frame after which a stream is whole.
pub const STREAM_END: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// The frame that says nothing but that the answer is still in the making. A comment would not do:
/// Claude Code counts events only.
pub const SIGN_OF_LIFE: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
