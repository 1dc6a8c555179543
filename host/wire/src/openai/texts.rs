//! The texts in requests' bodies, for those who look into them.

use serde::Deserialize;
use serde_json::Value;

use crate::{Role, Text};

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

/// The strings of this field of a request that has no conversation, which is one string or a list of them. Prompts given as token
/// numbers are no text.
#[must_use]
pub fn input_texts(body: &Value, field: &str) -> Vec<Text> {
    let text = |pointer, content: &str| Text {
        pointer,
        role: Role::User,
        content: content.to_owned(),
    };
    match body.get(field) {
        Some(Value::String(content)) => vec![text(format!("/{field}"), content)],
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some(text(format!("/{field}/{at}"), item.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

    #[test]
    fn inputs_point_at_what_they_quote() {
        for (body, count) in [
            (json!({"input": "one"}), 1),
            (json!({"input": ["one", [1, 2], "three"]}), 2),
            (json!({"input": [1, 2]}), 0),
            (json!({"prompt": "not asked for"}), 0),
        ] {
            let texts = input_texts(&body, "input");
            assert_eq!(texts.len(), count, "{body}");
            for text in texts {
                assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
            }
        }
    }
}
