//! What a request's body says of its delivery and of the texts in it.

use serde::Deserialize;
use serde_json::Value;

use crate::{BadRequest, Delivery, Role, Text};

/// Reads in which form the answer is wanted. A stream always tells its token counts.
///
/// # Errors
/// Names `stream` when it is not a boolean.
pub fn delivery(body: &Value) -> Result<Delivery, BadRequest> {
    match body.get("stream") {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Delivery::Whole),
        Some(Value::Bool(true)) => Ok(Delivery::Stream { usage: true }),
        Some(_) => Err(BadRequest::field("stream", "must be true or false")),
    }
}

/// The strings of a request's body that a model reads, in order.
#[must_use]
pub fn texts(body: &Value) -> Vec<Text> {
    let mut texts = Vec::new();
    if let Some(system) = body.get("system") {
        content_texts(system, "/system", Role::System, &mut texts);
    }
    let messages = body.get("messages").and_then(Value::as_array);
    for (index, message) in messages.into_iter().flatten().enumerate() {
        let role = message.get("role").map(Role::deserialize);
        if let (Some(Ok(role)), Some(content)) = (role, message.get("content")) {
            let pointer = format!("/messages/{index}/content");
            content_texts(content, &pointer, role, &mut texts);
        }
    }
    texts
}

/// The texts of a content: one string, or a list of blocks.
fn content_texts(content: &Value, pointer: &str, role: Role, texts: &mut Vec<Text>) {
    match content {
        Value::String(content) => texts.push(Text {
            pointer: pointer.to_owned(),
            role,
            content: content.clone(),
        }),
        Value::Array(blocks) => {
            for (index, block) in blocks.iter().enumerate() {
                block_texts(block, &format!("{pointer}/{index}"), role, texts);
            }
        }
        _ => {}
    }
}

fn block_texts(block: &Value, pointer: &str, role: Role, texts: &mut Vec<Text>) {
    let (field, role) = match block.get("type").and_then(Value::as_str) {
        Some("text") => ("text", role),
        Some("tool_result") => ("content", Role::Tool),
        _ => return,
    };
    if let Some(content) = block.get(field) {
        content_texts(content, &format!("{pointer}/{field}"), role, texts);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn delivery_is_whole_unless_a_stream_is_asked_for() {
        assert_eq!(delivery(&json!({})), Ok(Delivery::Whole));
        assert_eq!(delivery(&json!({"stream": false})), Ok(Delivery::Whole));
        assert_eq!(
            delivery(&json!({"stream": true})),
            Ok(Delivery::Stream { usage: true })
        );
        let error = delivery(&json!({"stream": "yes"})).expect_err("a string is no boolean");
        assert_eq!(error.field.as_deref(), Some("stream"));
    }

    #[test]
    fn texts_point_at_what_they_quote() {
        let result = json!([{"type": "text", "text": "found"}, {"type": "image"}]);
        let body = json!({
            "system": [{"type": "text", "text": "rules"}],
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": result},
                    {"type": "tool_result", "tool_use_id": "t", "content": "done"},
                    {"type": "text", "text": "go on"},
                ]},
                {"role": "system", "content": "reminder"},
                {"role": "wizard", "content": "unread"},
            ],
        });
        let texts = texts(&body);
        for text in &texts {
            assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
        }
        let roles: Vec<_> = texts.iter().map(|text| text.role).collect();
        let expected = [
            Role::System,
            Role::User,
            Role::Tool,
            Role::Tool,
            Role::User,
            Role::System,
        ];
        assert_eq!(roles, expected);
    }

    #[test]
    fn a_system_prompt_may_be_one_string() {
        let body = json!({"system": "rules", "messages": []});
        assert_eq!(texts(&body)[0].pointer, "/system");
    }
}
