//! What a request's body says of its delivery and of the texts in it.

use serde::Deserialize;
use serde_json::Value;

use crate::{BadRequest, Delivery, Role, Text, field::Field};

/// Fields that a request for a response has, and none for embeddings.
const OWN_FIELDS: [&str; 12] = [
    "include",
    "instructions",
    "max_output_tokens",
    "previous_response_id",
    "reasoning",
    "store",
    "stream",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// Returns whether a body with an `input` asks for a response rather than for embeddings.
pub(crate) fn is_request(body: &Value) -> bool {
    let Some(input) = body.get("input") else {
        return false;
    };
    let is_item = |value: &Value| value.get("role").is_some() || value.get("type").is_some();
    let has_items = input
        .as_array()
        .is_some_and(|items| items.iter().any(is_item));
    has_items || OWN_FIELDS.iter().any(|field| body.get(field).is_some())
}

/// Reads in which form the answer is wanted. A stream always carries its token counts.
///
/// # Errors
/// Names `stream` when it is not a boolean.
pub fn delivery(body: &Value) -> Result<Delivery, BadRequest> {
    let stream = Field::body(body).get("stream");
    Ok(match stream.map(|stream| stream.boolean()).transpose()? {
        Some(true) => Delivery::Stream { usage: true },
        Some(false) | None => Delivery::Whole,
    })
}

/// Returns the strings of a request's body that a model reads, in order. Reasoning is left out: it
/// is the model's own.
#[must_use]
pub fn texts(body: &Value) -> Vec<Text> {
    let mut texts = Vec::new();
    push_content(
        &body["instructions"],
        "/instructions",
        Role::System,
        &mut texts,
    );
    match &body["input"] {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                push_item(item, &format!("/input/{index}"), &mut texts);
            }
        }
        input => push_content(input, "/input", Role::User, &mut texts),
    }
    texts
}

fn push_item(item: &Value, pointer: &str, texts: &mut Vec<Text>) {
    let (field, role) = match item["type"].as_str() {
        Some("message") | None => ("content", Role::deserialize(&item["role"])),
        Some("function_call_output" | "custom_tool_call_output") => ("output", Ok(Role::Tool)),
        Some(_) => return,
    };
    if let Ok(role) = role {
        push_content(&item[field], &format!("{pointer}/{field}"), role, texts);
    }
}

/// Adds the texts of a content: one string, or a list of parts.
fn push_content(content: &Value, pointer: &str, role: Role, texts: &mut Vec<Text>) {
    let mut push = |pointer, content: &str| {
        texts.push(Text {
            pointer,
            role,
            content: content.to_owned(),
        });
    };
    match content {
        Value::String(content) => push(pointer.to_owned(), content),
        Value::Array(parts) => {
            for (index, part) in parts.iter().enumerate() {
                let is_text = matches!(
                    part["type"].as_str(),
                    Some("input_text" | "output_text" | "text")
                );
                if let Some(content) = part["text"].as_str().filter(|_| is_text) {
                    push(format!("{pointer}/{index}/text"), content);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_whole_unless_a_stream_is_asked_for() {
        assert_eq!(delivery(&json!({})), Ok(Delivery::Whole));
        assert_eq!(delivery(&json!({"stream": false})), Ok(Delivery::Whole));
        let stream = Ok(Delivery::Stream { usage: true });
        assert_eq!(delivery(&json!({"stream": true})), stream);
        let error = delivery(&json!({"stream": 1})).expect_err("a number is no boolean");
        assert_eq!(error.field.as_deref(), Some("stream"));
    }

    #[test]
    fn texts_point_at_what_they_quote() {
        let body = json!({"instructions": "rules", "input": [
            {"role": "developer", "content": "more rules"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "https://a.example"},
            ]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "unread"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "hello"},
            ]},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "found"},
            {"type": "custom_tool_call_output", "call_id": "2", "output": [
                {"type": "input_text", "text": "done"},
            ]},
            {"role": "wizard", "content": "unread"},
            "unread",
        ]});
        let texts = texts(&body);
        for text in &texts {
            assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
        }
        let roles: Vec<_> = texts.iter().map(|text| text.role).collect();
        let expected = [
            Role::System,
            Role::System,
            Role::User,
            Role::Assistant,
            Role::Tool,
            Role::Tool,
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn an_input_may_be_one_string() {
        let texts = texts(&json!({"input": "hi", "instructions": null}));
        assert_eq!((&*texts[0].pointer, texts[0].role), ("/input", Role::User));
        assert_eq!(texts.len(), 1);
    }
}
