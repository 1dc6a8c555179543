//! What the property tests of this module draw from.

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Names that the translators look at, so that a drawn document leads deep into them.
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
pub(super) fn any_json() -> impl Strategy<Value = Value> {
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

/// Any body of a request, with messages in it.
pub(super) fn any_body() -> impl Strategy<Value = Value> {
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
