//! Errors in each API's shape, whatever shape they came in.

use serde_json::{Value, json};

use crate::{Event, Failure};

/// What each status means: to Anthropic, and to `OpenAI`. The first of a type is the status that
/// an error of that type has where none is given.
const TYPES: [(u16, &str, &str); 10] = [
    (400, "invalid_request_error", "invalid_request_error"),
    (401, "authentication_error", "authentication_error"),
    (402, "billing_error", "insufficient_quota"),
    (403, "permission_error", "permission_error"),
    (404, "not_found_error", "not_found_error"),
    (413, "request_too_large", "invalid_request_error"),
    (429, "rate_limit_error", "rate_limit_error"),
    (500, "api_error", "server_error"),
    (504, "timeout_error", "server_error"),
    (529, "overloaded_error", "server_error"),
];

/// How Claude Code learns that it has to compact the conversation.
const TOO_LONG: &str = "prompt is too long";

/// How servers of `OpenAI`'s API say it.
const TOO_LONG_CODE: &str = "context_length_exceeded";

/// What is said where the server says nothing.
const UNEXPLAINED: &str = "the model's server failed and did not say why";

/// Anthropic's error body for what a server answered with this status: in `OpenAI`'s shape, in one
/// of its own, as a web page, or with nothing at all.
#[must_use]
pub fn error_to_anthropic(status: u16, body: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    anthropic(&Failure {
        status,
        message: message(&document).unwrap_or_else(|| plain_message(status, body)),
        code: document["error"]["code"].as_str().map(str::to_owned),
    })
}

/// `OpenAI`'s error body for what a server answered with this status: in Anthropic's shape, in one
/// of its own, as a web page, or with nothing at all.
#[must_use]
pub fn error_to_openai(status: u16, body: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = message(&document).unwrap_or_else(|| plain_message(status, body));
    openai(status, &message)
}

/// Returns the error that a payload in mid-stream holds, where there is no status.
pub(crate) fn failure(payload: &Value) -> Failure {
    let error = &payload["error"];
    Failure {
        status: status(error),
        message: message(payload).unwrap_or_else(|| UNEXPLAINED.to_owned()),
        code: error["code"].as_str().map(str::to_owned),
    }
}

/// Returns the end of an answer that was cut off.
pub(crate) fn cut() -> Event {
    failed("the answer ended before it was whole".to_owned())
}

/// Returns the end of an answer of which a frame is no JSON.
pub(crate) fn malformed() -> Event {
    failed("the answer's stream is malformed".to_owned())
}

/// Returns the end of an answer with a part that no event can hold.
pub(crate) fn uncarried(part: &str) -> Event {
    failed(format!(
        "the answer has a part without a form in this API: {part}"
    ))
}

fn failed(message: String) -> Event {
    Event::Failed(Failure {
        status: 500,
        message,
        code: None,
    })
}

/// Returns an error body of Anthropic's, which is the payload of its error event too.
pub(crate) fn anthropic(failure: &Failure) -> Value {
    let (_, kind, _) = meaning(failure.status);
    let message = match &failure.code {
        Some(code) if code == TOO_LONG_CODE && !failure.message.starts_with(TOO_LONG) => {
            format!("{TOO_LONG}: {}", failure.message)
        }
        _ => failure.message.clone(),
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

/// Returns an error body of `OpenAI`'s, which is the payload of its error chunk too.
pub(crate) fn openai(status: u16, message: &str) -> Value {
    let (_, _, kind) = meaning(status);
    json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
}

/// A status that has no meaning of its own has that of its class. 503 is how others than Anthropic
/// say 529.
fn meaning(status: u16) -> (u16, &'static str, &'static str) {
    let status = if status == 503 { 529 } else { status };
    let general = if (400..500).contains(&status) {
        400
    } else {
        500
    };
    let found = |wanted: u16| TYPES.into_iter().find(|(status, ..)| *status == wanted);
    let meaning = found(status).or_else(|| found(general));
    meaning.expect("both general statuses are in the table")
}

/// The status that an error would have had, by its code, where that is a number, or its type.
fn status(error: &Value) -> u16 {
    if let Some(code) = error["code"].as_u64() {
        return u16::try_from(code).unwrap_or(500);
    }
    let kind = &error["type"];
    let named = |(_, anthropic, openai): &&(u16, &str, &str)| kind == anthropic || kind == openai;
    TYPES.iter().find(named).map_or(500, |(status, ..)| *status)
}

/// Where servers put what they have to say.
fn message(document: &Value) -> Option<String> {
    let places = ["/error/message", "/error", "/message", "/detail"];
    let mut texts = places
        .iter()
        .filter_map(|place| document.pointer(place)?.as_str());
    texts.find(|text| !text.is_empty()).map(str::to_owned)
}

/// What a body says that is no JSON; nobody wants to read the source of a web page.
fn plain_message(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.trim() {
        text if text.is_empty() || text.starts_with('<') => {
            format!("the model's server answered with status {status}")
        }
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_message_is_kept_wherever_it_stands() {
        for body in [
            r#"{"error": {"message": "no such model", "type": "x"}}"#,
            r#"{"type": "error", "error": {"type": "x", "message": "no such model"}}"#,
            r#"{"object": "error", "message": "no such model"}"#,
            r#"{"error": "no such model"}"#,
            r#"{"detail": "no such model"}"#,
            " no such model\n",
        ] {
            let anthropic = error_to_anthropic(404, body.as_bytes());
            let error = json!({"type": "not_found_error", "message": "no such model"});
            assert_eq!(
                anthropic,
                json!({"type": "error", "error": error}),
                "{body}"
            );
            let openai = error_to_openai(404, body.as_bytes());
            assert_eq!(openai["error"]["message"], "no such model", "{body}");
        }
    }

    #[test]
    fn where_there_is_no_message_the_status_is_told() {
        for body in ["", "<html><h1>Bad Gateway</h1></html>"] {
            let error = error_to_anthropic(502, body.as_bytes());
            let expected = "the model's server answered with status 502";
            assert_eq!(error["error"]["message"], expected);
            assert_eq!(
                error_to_openai(502, body.as_bytes())["error"]["message"],
                expected
            );
        }
    }

    #[test]
    fn the_status_says_the_type() {
        for (status, to_anthropic, to_openai) in [
            (400, "invalid_request_error", "invalid_request_error"),
            (401, "authentication_error", "authentication_error"),
            (413, "request_too_large", "invalid_request_error"),
            (422, "invalid_request_error", "invalid_request_error"),
            (429, "rate_limit_error", "rate_limit_error"),
            (500, "api_error", "server_error"),
            (502, "api_error", "server_error"),
            (503, "overloaded_error", "server_error"),
            (529, "overloaded_error", "server_error"),
        ] {
            assert_eq!(
                error_to_anthropic(status, b"")["error"]["type"],
                to_anthropic
            );
            assert_eq!(error_to_openai(status, b"")["error"]["type"], to_openai);
        }
    }

    #[test]
    fn in_mid_stream_the_error_says_its_type_itself() {
        let overloaded =
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}});
        assert_eq!(failure(&overloaded).status, 429);
        let numbered = json!({"error": {"message": "m", "type": "BadRequestError", "code": 400}});
        let error = anthropic(&failure(&numbered));
        assert_eq!(error["error"]["type"], "invalid_request_error");
        let silent = anthropic(&failure(&json!({"error": {}})));
        assert_eq!(
            silent["error"],
            json!({"type": "api_error", "message": UNEXPLAINED})
        );
    }

    #[test]
    fn a_prompt_that_is_too_long_is_called_so() {
        let body = br#"{"error": {"message": "at most 8192", "code": "context_length_exceeded"}}"#;
        let error = error_to_anthropic(400, body);
        assert_eq!(
            error["error"]["message"],
            "prompt is too long: at most 8192"
        );
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(status: u16, body: Vec<u8>) {
            prop_assert!(error_to_anthropic(status, &body)["error"]["message"].is_string());
            prop_assert!(error_to_openai(status, &body)["error"]["message"].is_string());
        }
    }
}
