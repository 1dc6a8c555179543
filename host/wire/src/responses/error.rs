//! Errors in mid-stream. Those of documents have the shape of all of `OpenAI`'s.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{Api, frame};

/// Returns the frame that ends a stream with this error, which has `OpenAI`'s shape.
#[must_use]
pub fn error_frame(error: &str) -> Bytes {
    let body: Value = serde_json::from_str(error).unwrap_or_default();
    let field = |name: &str| body["error"][name].clone();
    let mut event = Map::new();
    event.insert("type".to_owned(), "error".into());
    for name in ["code", "message", "param"] {
        event.insert(name.to_owned(), field(name));
    }
    frame(Api::Responses, &event.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::{ErrorKind, error};

    #[test]
    fn an_error_is_an_event_of_its_own() {
        let body = error(ErrorKind::Server, "no", Some("input"), None);
        let json = r#"{"type":"error","code":null,"message":"no","param":"input"}"#;
        assert_eq!(
            error_frame(&body),
            format!("event: error\ndata: {json}\n\n")
        );
    }
}
