//! Errors in `OpenAI`'s shape.

use bytes::Bytes;
use serde::Serialize;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The client's: the request cannot be answered as it stands.
    InvalidRequest,
    /// Ours, or the model's: the same request may work later.
    Server,
}

impl ErrorKind {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request_error",
            Self::Server => "server_error",
        }
    }
}

/// The body of an error reply, and the payload of an error in mid-stream. `field` is the request's
/// field at fault, `code` a short name for programs.
#[must_use]
pub fn error(kind: ErrorKind, message: &str, field: Option<&str>, code: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Error<'a>,
    }
    #[derive(Serialize)]
    struct Error<'a> {
        message: &'a str,
        r#type: &'static str,
        param: Option<&'a str>,
        code: Option<&'a str>,
    }
    let error = Error {
        message,
        r#type: kind.name(),
        param: field,
        code,
    };
    super::json(&Body { error })
}

/// The frame that ends a stream with this error.
#[must_use]
pub fn error_frame(error: &str) -> Bytes {
    format!("data: {error}\n\n").into()
}
