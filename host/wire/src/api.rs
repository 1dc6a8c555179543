//! The dialects that clients speak.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::{messages, openai};

/// A client's API dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// `OpenAI`'s, which most model servers speak.
    OpenAi,
    /// That of `OpenAI`'s Responses API.
    Responses,
    /// Anthropic's.
    Anthropic,
}

impl Api {
    /// Returns the frame after which a stream is whole; none where that is the one with the whole
    /// answer in it.
    #[must_use]
    pub fn stream_end(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some(openai::STREAM_END),
            Self::Responses => None,
            Self::Anthropic => Some(messages::STREAM_END),
        }
    }

    /// The frame that says nothing but that the answer is still in the making.
    #[must_use]
    pub fn sign_of_life(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => openai::SIGN_OF_LIFE,
            Self::Anthropic => messages::SIGN_OF_LIFE,
        }
    }
}

/// The frame that carries this payload in a stream of this dialect.
#[must_use]
pub fn frame(api: Api, payload: &Value) -> Bytes {
    let event = match api {
        Api::OpenAi => Cow::Borrowed(""),
        Api::Responses | Api::Anthropic => Cow::Owned(format!("event: {}\n", event_type(payload))),
    };
    format!("{event}data: {payload}\n\n").into()
}

/// The payload's type. One with a line break would end the line and forge another.
fn event_type(payload: &Value) -> &str {
    let kind = payload.get("type").and_then(Value::as_str);
    kind.filter(|kind| !kind.contains(['\n', '\r']))
        .unwrap_or("message")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_dialect_frames_in_its_own_way() {
        let payload = json!({"type": "ping", "text": "a\n\nb"});
        let json = r#"{"type":"ping","text":"a\n\nb"}"#;
        assert_eq!(frame(Api::OpenAi, &payload), format!("data: {json}\n\n"));
        for api in [Api::Responses, Api::Anthropic] {
            let expected = format!("event: ping\ndata: {json}\n\n");
            assert_eq!(frame(api, &payload), expected);
        }
    }

    #[test]
    fn a_type_cannot_forge_a_line() {
        let frame = frame(Api::Anthropic, &json!({"type": "x\ndata: 1"}));
        assert!(frame.starts_with(b"event: message\ndata: {"), "{frame:?}");
    }
}
