//! Requests as other programs record them, each in one JSON value: an exchange with its request and
//! its response, as anyclaude writes it; a body alone; or a prompt with its output.

use std::borrow::Cow;

use deja_wire::{Answer, Endpoint, FrameReader, Fresh, Recorder};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::SkipReason;
use crate::{Record, redact};

/// The fields by which the forms are told apart, and those of an exchange.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Envelope<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(default)]
    headers: Value,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    status_code: Option<u16>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// The record that a JSON value tells.
pub(super) fn record(json: &[u8]) -> Result<Record, SkipReason> {
    let envelope: Envelope<'_> = serde_json::from_slice(json).map_err(SkipReason::BadJson)?;
    let mut record = match (envelope.request, envelope.input) {
        (Some(request), _) => exchange(&request, envelope.response.as_ref())?,
        (None, Some(input)) if envelope.output.is_some() || envelope.timestamp.is_some() => {
            listed(input, envelope.output, envelope.model)?
        }
        _ => bare(json)?,
    };
    record.at_ms = envelope.timestamp.map_or(0, at_ms);
    Ok(record)
}

fn exchange(request: &Request<'_>, response: Option<&Response<'_>>) -> Result<Record, SkipReason> {
    let url = request.url.as_deref().unwrap_or_default();
    let body = request.body.filter(|body| body.get() != "null");
    let Some(body) = body.map(document) else {
        let method = request.method.as_deref().unwrap_or("GET");
        return Err(SkipReason::OtherRequest(format!("{method} {url}")));
    };
    let endpoint = match url {
        "" => None,
        url => {
            let other = || SkipReason::OtherRequest(url.to_owned());
            Some(Endpoint::of_url(url).ok_or_else(other)?)
        }
    };
    let mut record = asked(endpoint, &body)?;
    let query = url.split_once('?').map(|(_, query)| query);
    let headers = headers(&request.headers);
    record.scope = Some(redact::scope(
        record.endpoint,
        query.unwrap_or_default(),
        &headers,
    ));
    record.query = query.map(redact::redacted_query);
    record.headers =
        redact::redacted_headers(headers.iter().map(|(name, value)| (&**name, &**value)));
    if let Some(response) = response {
        answered(&mut record, response);
    }
    Ok(record)
}

fn answered(record: &mut Record, response: &Response<'_>) {
    record.status = response.status_code;
    let Some(body) = response.body.map(document) else {
        return;
    };
    record.answer_bytes = Some(body.len() as u64);
    if record.status.is_some_and(|status| status >= 400) {
        record.error = Some(error(&body));
        return;
    }
    let is_stream = body.starts_with("event:") || body.starts_with("data:");
    match folded(record.endpoint, &body).filter(|_| is_stream) {
        Some(document) => record.set_answer(&document),
        None if is_stream => record.error = Some("the stream is not whole".to_owned()),
        None if body == "null" => {}
        None => record.set_answer(body.as_bytes()),
    }
}

/// What a document says went wrong.
fn error(body: &str) -> String {
    let document: Value = serde_json::from_str(body).unwrap_or_default();
    let message = document.pointer("/error/message").and_then(Value::as_str);
    message.unwrap_or("an error").to_owned()
}

/// The document that says the same as a whole stream.
fn folded(endpoint: Endpoint, stream: &str) -> Option<bytes::Bytes> {
    let mut frames = FrameReader::new(usize::MAX);
    frames.push(stream.to_owned().into());
    let mut recorder = Recorder::new(endpoint);
    while let Ok(Some(frame)) = frames.next_frame() {
        recorder.push(&frame);
    }
    let answer: Answer = recorder.finish().ok()?;
    Some(answer.document(&Fresh::blank()))
}

/// A body that stands alone.
fn bare(json: &[u8]) -> Result<Record, SkipReason> {
    asked(None, str::from_utf8(json).map_err(|_| SkipReason::NoBody)?)
}

/// A prompt, as a text or as messages, with its output.
fn listed(
    input: &RawValue,
    output: Option<&RawValue>,
    model: Option<&RawValue>,
) -> Result<Record, SkipReason> {
    let model = model.map_or("null", RawValue::get);
    let is_text = input.get().starts_with('"');
    let (endpoint, field) = match input.get().as_bytes() {
        [b'"', ..] => (Endpoint::Completions, "prompt"),
        [b'[', ..] => (Endpoint::ChatCompletions, "messages"),
        _ => return Err(SkipReason::NoRequest),
    };
    let body = format!("{{\"model\":{model},\"{field}\":{}}}", input.get());
    let mut record = asked(Some(endpoint), &body)?;
    if let Some(output) = output {
        let output: Value = serde_json::from_str(output.get()).map_err(SkipReason::BadJson)?;
        let choice = if is_text {
            json!({"text": output, "finish_reason": "stop"})
        } else {
            let message = json!({"role": "assistant", "content": output});
            json!({"message": message, "finish_reason": "stop"})
        };
        let document = json!({ "choices": [choice] }).to_string();
        record.answer_bytes = Some(document.len() as u64);
        record.set_answer(document.as_bytes());
    }
    Ok(record)
}

/// The record of a request, of which only the body is known.
fn asked(endpoint: Option<Endpoint>, body: &str) -> Result<Record, SkipReason> {
    if !body.trim_start().starts_with('{') {
        return Err(SkipReason::NoBody);
    }
    let endpoint = match endpoint {
        Some(endpoint) => endpoint,
        None => guessed(&serde_json::from_str(body).map_err(SkipReason::BadJson)?)?,
    };
    Ok(Record::new(endpoint, body.as_bytes()))
}

/// The endpoint of a body that stands there without its URL, if it can be a request at all.
fn guessed(body: &Value) -> Result<Endpoint, SkipReason> {
    let is_list = |field: &str| body.get(field).is_some_and(Value::is_array);
    let is_text = |field: &str| body.get(field).is_some_and(Value::is_string);
    let is_request = is_list("messages")
        || ["prompt", "input"]
            .into_iter()
            .any(|field| is_text(field) || is_list(field));
    if is_request {
        Ok(Endpoint::likely(body))
    } else {
        Err(SkipReason::NoRequest)
    }
}

/// A body stands there as JSON, or as a text with JSON or a stream in it.
fn document(recorded: &RawValue) -> Cow<'_, str> {
    match serde_json::from_str(recorded.get()) {
        Ok(text) if recorded.get().starts_with('"') => Cow::<str>::Owned(text),
        _ => Cow::Borrowed(recorded.get()),
    }
}

/// Headers stand there by name, each with its value or a list of values.
fn headers(recorded: &Value) -> Vec<(String, String)> {
    let fields = recorded.as_object().into_iter().flatten();
    let values = |(name, value): (&String, &Value)| {
        let values = match value {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        let name = name.clone();
        let texts = values.into_iter().filter_map(|value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        texts
            .map(move |text| (name.clone(), text))
            .collect::<Vec<_>>()
    };
    fields.flat_map(values).collect()
}

/// A time, as RFC 3339 or as a number of seconds, or of some part of them, since the epoch.
fn at_ms(timestamp: &RawValue) -> u64 {
    if let Ok(number) = serde_json::from_str::<f64>(timestamp.get()) {
        return milliseconds(number);
    }
    let text: String = serde_json::from_str(timestamp.get()).unwrap_or_default();
    let time = text.parse::<Timestamp>().ok();
    time.and_then(|time| u64::try_from(time.as_millisecond()).ok())
        .unwrap_or_default()
}

/// A number of this size can be seconds, milli-, micro- or nanoseconds since the epoch only.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time below zero is none, and a cast saturates"
)]
fn milliseconds(time: f64) -> u64 {
    let factor = match time {
        1e17.. => 1e-6,
        1e14.. => 1e-3,
        1e11.. => 1.0,
        _ => 1e3,
    };
    (time * factor) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &Value) -> Record {
        record(json.to_string().as_bytes()).expect("it is a request")
    }

    #[test]
    fn an_exchange_tells_request_and_answer() {
        let answer = json!({"content": [], "usage": {"input_tokens": 5, "output_tokens": 2}});
        let record = read(&json!({
            "timestamp": "2025-10-26T00:37:59.155Z", "mode": "claude",
            "request": {
                "method": "POST", "url": "https://api.example/v1/messages?beta=true&key=secret",
                "headers": {"Anthropic-Version": "1", "X-Api-Key": "[REDACTED]", "accept": ["b", 3]},
                "body": {"model": "m", "messages": []},
            },
            "response": {"statusCode": 200, "headers": {}, "body": answer},
        }));
        assert_eq!(record.at_ms, 1_761_439_079_155);
        assert_eq!((record.endpoint, &*record.model), (Endpoint::Messages, "m"));
        assert_eq!(record.query.as_deref(), Some("beta=true&key=redacted"));
        let names: Vec<_> = record.headers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["anthropic-version", "accept", "accept"]);
        assert_eq!((record.status, record.usage.prompt), (Some(200), Some(5)));
        assert_eq!(record.answer.expect("it has one").get(), answer.to_string());
    }

    #[test]
    fn bodies_may_stand_there_as_text_and_answers_as_streams() {
        let stream = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n",
        );
        let exchange = |stream: &str| {
            let body = json!({"messages": []}).to_string();
            read(&json!({
                "request": {"url": "/v1/chat/completions", "body": body},
                "response": {"statusCode": 200, "body": stream},
            }))
        };
        let record = exchange(stream);
        assert_eq!(record.body.expect("it has one").get(), "{\"messages\":[]}");
        let answer = record.answer.expect("it is whole");
        assert!(answer.get().contains("\"Hi\""), "{answer}");
        let cut = exchange(&stream[..70]);
        assert!(cut.answer.is_none() && cut.error.is_some());
    }

    #[test]
    fn an_error_is_no_answer() {
        let record = read(&json!({
            "request": {"body": {"messages": [], "system": "x"}},
            "response": {"statusCode": 529, "body": {"error": {"message": "Overloaded"}}},
        }));
        assert_eq!(record.endpoint, Endpoint::Messages);
        assert_eq!(record.error.as_deref(), Some("Overloaded"));
        assert!(record.answer.is_none());
    }

    #[test]
    fn a_list_tells_prompts_and_outputs() {
        let record =
            read(&json!({"timestamp": 1_760_428_258_635_837_u64, "input": "a", "output": "b"}));
        assert_eq!(record.endpoint, Endpoint::Completions);
        assert_eq!(record.at_ms, 1_760_428_258_635);
        assert!(
            record
                .answer
                .expect("it has one")
                .get()
                .contains("\"text\":\"b\"")
        );
        let record = read(&json!({"input": [{"role": "user", "content": "a"}], "output": "b"}));
        assert_eq!(record.endpoint, Endpoint::ChatCompletions);
    }

    #[test]
    fn a_body_may_stand_alone() {
        let record = read(&json!({"model": "m", "input": ["x"]}));
        assert_eq!(
            (record.endpoint, &*record.model),
            (Endpoint::Embeddings, "m")
        );
    }

    #[test]
    fn what_asks_nothing_of_a_model_is_named() {
        for (json, reason) in [
            (
                json!({"request": {"method": "GET", "url": "/v1/models"}}),
                "GET /v1/models",
            ),
            (
                json!({"request": {"url": "/v1/files", "body": {}}}),
                "/v1/files",
            ),
            (
                json!({"request": {"url": "/v1/messages", "body": []}}),
                "JSON object",
            ),
            (
                json!({"name": "package", "version": "1.0.0"}),
                "a request of no API",
            ),
            (
                json!({"request": {"body": {"model": "m"}}}),
                "a request of no API",
            ),
            (
                json!({"input": {"files": 3}, "output": {"files": 4}}),
                "a request of no API",
            ),
            (
                json!({"messages": {"hello": "Hallo"}}),
                "a request of no API",
            ),
            (json!([]), "no such JSON"),
            (json!({"request": 7}), "no such JSON"),
        ] {
            let error = record(json.to_string().as_bytes()).expect_err("it is none");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
