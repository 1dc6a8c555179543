//! From a request's body to what a model is asked.

use serde::Deserialize;
use serde_json::Value;

use crate::{BadRequest, ChatRequest, Delivery, Message, Prompt, Role, Sampling, Text};

/// The most stop strings that the API takes.
const MOST_STOP_STRINGS: usize = 4;

/// The fields that are understood. Those that would change the answer and are not among them are
/// refused by [`refuse_unsupported`]; the rest (`user`, `metadata`, …) changes nothing.
#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    messages: Option<Vec<WireMessage>>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    stop: Option<Value>,
}

#[derive(Deserialize)]
struct WireMessage {
    role: Option<Role>,
    #[serde(default)]
    content: Value,
}

/// Reads what is asked of the model, and refuses what it could not honour.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, out of range or not supported.
pub fn chat_request(body: &Value) -> Result<ChatRequest, BadRequest> {
    refuse_unsupported(body, &UNSUPPORTED)?;
    let body: Body = typed(body)?;
    Ok(ChatRequest {
        model: body.model,
        sampling: sampling(body.temperature, body.top_p, body.seed)?,
        max_tokens: token_limit(body.max_completion_tokens, body.max_tokens)?,
        stop: stop_strings(body.stop)?,
        ..ChatRequest::new(Prompt::Conversation(messages(body.messages)?.into()))
    })
}

/// Reads in which form the answer is wanted.
///
/// # Errors
/// Names `stream` or `stream_options` when it has the wrong type.
pub fn delivery(body: &Value) -> Result<Delivery, BadRequest> {
    #[derive(Deserialize)]
    struct Form {
        stream: Option<bool>,
        stream_options: Option<Options>,
    }
    #[derive(Deserialize)]
    struct Options {
        include_usage: Option<bool>,
    }
    // serde would take a list for it.
    if body.get("stream_options").is_some_and(Value::is_array) {
        return Err(BadRequest::field("stream_options", "must be an object"));
    }
    let form: Form = typed(body)?;
    let usage = form
        .stream_options
        .and_then(|options| options.include_usage)
        .unwrap_or(false);
    Ok(if form.stream.unwrap_or(false) {
        Delivery::Stream { usage }
    } else {
        Delivery::Whole
    })
}

/// The strings of a chat request's body that a model reads, in order.
#[must_use]
pub fn texts(body: &Value) -> Vec<Text> {
    let messages = body.get("messages").and_then(Value::as_array);
    messages
        .into_iter()
        .flatten()
        .enumerate()
        .flat_map(message_texts)
        .collect()
}

fn message_texts((index, message): (usize, &Value)) -> Vec<Text> {
    let Some(role) = message
        .get("role")
        .and_then(|role| Role::deserialize(role).ok())
    else {
        return Vec::new();
    };
    let text = |pointer: String, content: &str| Text {
        pointer,
        role,
        content: content.to_owned(),
    };
    match message.get("content") {
        Some(Value::String(content)) => vec![text(format!("/messages/{index}/content"), content)],
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| Some((at, part.get("text")?.as_str()?)))
            .map(|(at, content)| text(format!("/messages/{index}/content/{at}/text"), content))
            .collect(),
        _ => Vec::new(),
    }
}

/// A body's fields, or the name of the one that has the wrong type.
pub(super) fn typed<'a, T: Deserialize<'a>>(body: &'a Value) -> Result<T, BadRequest> {
    serde_path_to_error::deserialize(body).map_err(|error| {
        BadRequest::field(
            error.path().to_string(),
            &format!("is wrong: {}", error.inner()),
        )
    })
}

/// Whether a field's value leaves the answer as it would be without it.
pub(super) type IsNeutral = fn(&Value) -> bool;

/// Fields that change the answer, each with the values under which it does not.
const UNSUPPORTED: [(&str, IsNeutral); 11] = [
    ("tools", is_empty),
    ("functions", is_empty),
    ("n", |value| value == 1),
    ("logprobs", |value| value == false),
    ("top_logprobs", |value| value == 0),
    ("logit_bias", is_empty),
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
    ("response_format", |value| {
        value.get("type").is_some_and(|kind| kind == "text")
    }),
    ("audio", Value::is_null),
    ("prediction", Value::is_null),
];

pub(super) fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}

pub(super) fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

/// Refuses the first of these fields that would change the answer.
pub(super) fn refuse_unsupported(
    body: &Value,
    unsupported: &[(&str, IsNeutral)],
) -> Result<(), BadRequest> {
    let changes_answer = |(field, neutral): &&(&str, IsNeutral)| {
        body.get(field)
            .is_some_and(|value| !value.is_null() && !neutral(value))
    };
    match unsupported.iter().find(changes_answer) {
        Some((field, _)) => Err(BadRequest::unsupported(field)),
        None => Ok(()),
    }
}

/// How each token is chosen, each field within its range.
pub(super) fn sampling(
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
) -> Result<Sampling, BadRequest> {
    Ok(Sampling {
        temperature: within("temperature", temperature, 1.0, |t| {
            (0.0..=2.0).contains(&t)
        })?,
        top_p: within("top_p", top_p, 1.0, |p| p > 0.0 && p <= 1.0)?,
        seed: seed.map(i64::cast_unsigned),
        ..Sampling::default()
    })
}

fn within(
    field: &str,
    value: Option<f32>,
    default: f32,
    allowed: fn(f32) -> bool,
) -> Result<f32, BadRequest> {
    let value = value.unwrap_or(default);
    if allowed(value) {
        return Ok(value);
    }
    let range = if field == "temperature" {
        "from 0 to 2"
    } else {
        "above 0 and at most 1"
    };
    Err(BadRequest::field(
        field,
        &format!("is {value}, but must be {range}"),
    ))
}

/// `max_completion_tokens` wins over the older `max_tokens`.
pub(super) fn token_limit(
    newer: Option<u32>,
    older: Option<u32>,
) -> Result<Option<u32>, BadRequest> {
    let (field, limit) = match newer {
        Some(limit) => ("max_completion_tokens", Some(limit)),
        None => ("max_tokens", older),
    };
    match limit {
        Some(0) => Err(BadRequest::field(field, "must be at least 1")),
        limit => Ok(limit),
    }
}

/// One stop string, or a list of them.
pub(super) fn stop_strings(stop: Option<Value>) -> Result<Vec<String>, BadRequest> {
    let wrong = || {
        let message = format!("must be a string or a list of up to {MOST_STOP_STRINGS} strings");
        BadRequest::field("stop", &message)
    };
    let strings = match stop {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(one)) => vec![one],
        Some(list) => serde_json::from_value(list).map_err(|_| wrong())?,
    };
    let usable = strings.len() <= MOST_STOP_STRINGS && !strings.iter().any(String::is_empty);
    if usable { Ok(strings) } else { Err(wrong()) }
}

fn messages(messages: Option<Vec<WireMessage>>) -> Result<Vec<Message>, BadRequest> {
    let messages = messages.ok_or_else(|| BadRequest::field("messages", "is missing"))?;
    if messages.is_empty() {
        return Err(BadRequest::field(
            "messages",
            "must hold at least one message",
        ));
    }
    messages.into_iter().enumerate().map(message).collect()
}

fn message((index, wire): (usize, WireMessage)) -> Result<Message, BadRequest> {
    let field = |name: &str| format!("messages[{index}].{name}");
    let role = wire
        .role
        .ok_or_else(|| BadRequest::field(field("role"), "is missing"))?;
    let content = match wire.content {
        Value::String(text) => text,
        Value::Array(parts) => parts_text(&parts, &field("content"))?,
        Value::Null if role == Role::Assistant => String::new(),
        Value::Null => return Err(BadRequest::field(field("content"), "is missing")),
        _ => {
            let message = "must be a string or a list of parts";
            return Err(BadRequest::field(field("content"), message));
        }
    };
    Ok(Message::new(role, content))
}

fn parts_text(parts: &[Value], field: &str) -> Result<String, BadRequest> {
    let text = |(index, part): (usize, &Value)| {
        let field = format!("{field}[{index}]");
        match part.get("type").and_then(Value::as_str) {
            Some("text") => {
                let text = part.get("text").and_then(Value::as_str).map(str::to_owned);
                text.ok_or_else(|| BadRequest::field(field + ".text", "must be a string"))
            }
            Some(other) => Err(BadRequest {
                message: format!("this model does not read parts of type `{other}`"),
                field: Some(field + ".type"),
                code: Some("unsupported_content"),
            }),
            None => Err(BadRequest::field(field + ".type", "must be a string")),
        }
    };
    parts.iter().enumerate().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &Value) -> (String, String) {
        let error = chat_request(body).expect_err("the request is refused");
        (error.field.expect("the field is named"), error.message)
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        body[field] = value;
        body
    }

    #[test]
    fn reads_every_field_that_the_model_honours() {
        let request = chat_request(&json!({
            "model": "m",
            "messages": [
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": null},
            ],
            "temperature": 0, "top_p": 0.5, "seed": -1, "stop": "END",
            "max_tokens": 9, "max_completion_tokens": 7, "user": "somebody",
        }))
        .expect("the request is good");
        let Prompt::Conversation(conversation) = request.prompt else {
            panic!("{:?} is no conversation", request.prompt);
        };
        let said: Vec<_> = conversation
            .messages
            .iter()
            .map(|m| (m.role, m.content.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                (Role::System, "be brief"),
                (Role::User, "ab"),
                (Role::Assistant, "")
            ]
        );
        assert_eq!(
            request.sampling,
            Sampling {
                temperature: 0.0,
                top_p: 0.5,
                seed: Some(u64::MAX),
                ..Sampling::default()
            }
        );
        assert_eq!(
            (request.max_tokens, request.stop),
            (Some(7), vec!["END".to_owned()])
        );
    }

    #[test]
    fn names_the_field_at_fault() {
        for (body, field) in [
            (json!({}), "messages"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": "hi"}), "messages"),
            (json!({"messages": [{"content": "hi"}]}), "messages[0].role"),
            (
                json!({"messages": [{"role": "wizard", "content": "hi"}]}),
                "messages[0].role",
            ),
            (
                json!({"messages": [{"role": "user"}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": 7}]}),
                "messages[0].content",
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content[0].type",
            ),
            (with("model", json!(7)), "model"),
            (with("temperature", json!("hot")), "temperature"),
            (with("temperature", json!(2.1)), "temperature"),
            (with("top_p", json!(0)), "top_p"),
            (with("max_tokens", json!(0)), "max_tokens"),
            (with("max_tokens", json!(-1)), "max_tokens"),
            (with("stop", json!(["a", "b", "c", "d", "e"])), "stop"),
            (with("stop", json!([""])), "stop"),
            (with("n", json!(2)), "n"),
            (with("tools", json!([{"type": "function"}])), "tools"),
            (
                with("response_format", json!({"type": "json_object"})),
                "response_format",
            ),
        ] {
            assert_eq!(refused(&body).0, field, "{body}");
        }
    }

    #[test]
    fn neutral_values_of_unsupported_fields_pass() {
        let body = json!({
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [], "n": 1, "logprobs": false, "logit_bias": {}, "presence_penalty": 0.0,
            "response_format": {"type": "text"}, "audio": null,
        });
        assert!(chat_request(&body).is_ok());
    }

    #[test]
    fn delivery_is_whole_unless_a_stream_is_asked_for() {
        assert_eq!(delivery(&json!({})), Ok(Delivery::Whole));
        assert_eq!(
            delivery(&json!({"stream": true})),
            Ok(Delivery::Stream { usage: false })
        );
        let body = json!({"stream": true, "stream_options": {"include_usage": true}});
        assert_eq!(delivery(&body), Ok(Delivery::Stream { usage: true }));
        let error = delivery(&json!({"stream": "yes"})).expect_err("a string is no boolean");
        assert_eq!(error.field.as_deref(), Some("stream"));
    }

    #[test]
    fn texts_point_at_what_they_quote() {
        let body = json!({"messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "look"}]},
            {"role": "wizard", "content": "unread"},
        ]});
        let texts = texts(&body);
        for text in &texts {
            assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
        }
        let roles: Vec<_> = texts.iter().map(|text| text.role).collect();
        assert_eq!(roles, [Role::System, Role::User]);
    }
}
