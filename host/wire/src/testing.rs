//! What the property tests of the wire formats draw from.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Names that the decoders look at, so that a drawn document leads deep into them.
const NAMES: [&str; 40] = [
    "messages",
    "role",
    "content",
    "type",
    "text",
    "source",
    "data",
    "url",
    "media_type",
    "id",
    "input",
    "name",
    "tool_use_id",
    "tool_call_id",
    "tool_calls",
    "function",
    "arguments",
    "tools",
    "parameters",
    "input_schema",
    "tool_choice",
    "stop",
    "usage",
    "choices",
    "delta",
    "index",
    "finish_reason",
    "message",
    "content_block",
    "thinking",
    "partial_json",
    "error",
    "system",
    "response_format",
    "json_schema",
    "reasoning_effort",
    "max_tokens",
    "image_url",
    "file",
    "user",
];

/// Strings that mean something to them.
const WORDS: [&str; 28] = [
    "user",
    "assistant",
    "system",
    "tool",
    "text",
    "image",
    "image_url",
    "document",
    "base64",
    "tool_use",
    "tool_result",
    "thinking",
    "function",
    "custom",
    "auto",
    "any",
    "json_schema",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "text_delta",
    "input_json_delta",
    "stop",
    "error",
    "{}",
];

/// Any JSON, with the names and words of both APIs in it.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(&WORDS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let field = (select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            prop::collection::vec(field, 0..8).prop_map(|fields| {
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::from(fields.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// One thing that a model says in one chunk.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A piece of its thoughts.
    Thought(String),
    /// A piece of its text.
    Text(String),
    /// A piece of the arguments of the call with this index.
    Arguments(usize, String),
}

/// What a model says in one answer; calls may interleave.
pub(crate) fn sayings() -> impl Strategy<Value = Vec<Said>> {
    let piece = "[a-z ]{0,3}";
    let said = prop_oneof![
        piece.prop_map(Said::Thought),
        piece.prop_map(Said::Text),
        (0..3_usize, piece).prop_map(|(call, piece)| Said::Arguments(call, piece)),
    ];
    prop::collection::vec(said, 0..12)
}

/// The chunks of the answer that says this, up to its end.
pub(crate) fn chunks(sayings: &[Said]) -> Vec<Value> {
    let mut called = Vec::new();
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    for said in sayings {
        deltas.push(match said {
            Said::Thought(piece) => json!({"reasoning_content": piece}),
            Said::Text(piece) => json!({"content": piece}),
            Said::Arguments(call, piece) if called.contains(call) => {
                let function = json!({"arguments": piece});
                json!({"tool_calls": [{"index": call, "function": function}]})
            }
            Said::Arguments(call, piece) => {
                called.push(*call);
                let function = json!({"name": "f", "arguments": piece});
                json!({"tool_calls": [
                    {"index": call, "id": format!("call_{call}"), "function": function},
                ]})
            }
        });
    }
    let chunk = |delta| json!({"id": "chatcmpl-1", "model": "m", "choices": [{"delta": delta}]});
    let mut chunks: Vec<_> = deltas.into_iter().map(chunk).collect();
    chunks.push(json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}));
    chunks
}

/// Any document as a stream may bring it: of a type that is known, or with a choice in it.
pub(crate) fn any_payload() -> impl Strategy<Value = Value> {
    (any_json(), select(&WORDS[..]), any_json()).prop_map(|(mut payload, kind, inner)| {
        if let Some(fields) = payload.as_object_mut() {
            fields.insert("type".to_owned(), json!(kind));
            fields.insert("delta".to_owned(), inner.clone());
            fields.insert("choices".to_owned(), json!([{"delta": inner}]));
        }
        payload
    })
}

/// Any body of a request, with messages in it.
pub(crate) fn any_body() -> impl Strategy<Value = Value> {
    let message = (select(&WORDS[..4]), any_json(), any_json());
    let message = message.prop_map(
        |(role, content, calls)| json!({"role": role, "content": content, "tool_calls": calls}),
    );
    (any_json(), prop::collection::vec(message, 0..4)).prop_map(|(mut body, messages)| {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("messages".to_owned(), json!(messages));
        }
        body
    })
}

/// All that a client reads in an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    thoughts: String,
    text: String,
    /// The arguments of each call, by its id.
    calls: BTreeMap<String, String>,
}

/// What these chunks say, put together as a client does it.
pub(crate) fn heard(chunks: &[Value]) -> Heard {
    let mut heard = Heard::default();
    let mut ids = BTreeMap::new();
    for delta in chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]) {
        heard.thoughts += delta["reasoning_content"].as_str().unwrap_or_default();
        heard.text += delta["content"].as_str().unwrap_or_default();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let number = call["index"].as_u64();
            if let Some(id) = call["id"].as_str() {
                ids.insert(number, id.to_owned());
            }
            let arguments = heard.calls.entry(ids[&number].clone()).or_default();
            *arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    heard
}

/// Checks that these events are one whole answer in the order that Anthropic's clients rely on.
pub(crate) fn assert_well_formed(events: &[Value]) {
    let [start, blocks @ .., last_delta, stop] = events else {
        panic!("an answer has a start and an end: {events:?}");
    };
    assert_eq!(start["type"], "message_start");
    assert_eq!(last_delta["type"], "message_delta");
    assert_eq!(stop["type"], "message_stop");
    let (mut index, mut open) = (0, None);
    for event in blocks {
        assert_eq!(event["index"], index, "{event}");
        match event["type"].as_str() {
            Some("content_block_start") => {
                assert_eq!(
                    open.replace(&event["content_block"]["type"]),
                    None,
                    "{event}"
                );
            }
            Some("content_block_delta") => {
                let delta = match open.and_then(Value::as_str) {
                    Some("thinking") => "thinking_delta",
                    Some("text") => "text_delta",
                    Some("tool_use") => "input_json_delta",
                    other => panic!("{event} in a block of type {other:?}"),
                };
                assert_eq!(event["delta"]["type"], delta);
            }
            Some("content_block_stop") => {
                assert!(open.take().is_some(), "{event}");
                index += 1;
            }
            other => panic!("{other:?} among the blocks"),
        }
    }
    assert_eq!(open, None, "a block stays open");
}
