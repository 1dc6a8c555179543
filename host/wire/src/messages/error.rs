//! Errors in Anthropic's shape.

use bytes::Bytes;
use serde_json::json;

/// The body of an error reply with this HTTP status, and the payload of an error in mid-stream.
#[must_use]
pub fn error(status: u16, message: &str) -> String {
    let error = json!({"type": error_type(status), "message": message});
    json!({"type": "error", "error": error}).to_string()
}

/// The frame that ends a stream with this error.
#[must_use]
pub fn error_frame(error: &str) -> Bytes {
    format!("event: error\ndata: {error}\n\n").into()
}

fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_status_decides_the_type() {
        for (status, expected) in [
            (400, "invalid_request_error"),
            (404, "not_found_error"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (529, "overloaded_error"),
        ] {
            let body: Value = serde_json::from_str(&error(status, "no")).expect("it is JSON");
            assert_eq!(body["error"], json!({"type": expected, "message": "no"}));
            assert_eq!(body["type"], "error");
        }
    }
}
