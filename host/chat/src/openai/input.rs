//! The texts of requests that have no conversation: completions and embeddings.

use serde_json::Value;

use crate::{Role, Text};

/// The strings of this field, which is one string or a list of them. Prompts given as token
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
