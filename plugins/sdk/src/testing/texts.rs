//! The strings of a body that a model reads, as the host finds them.

use serde_json::Value;

use crate::keyer::{Endpoint, Role, Text};
use crate::pointer::join;

/// The texts of a body, in order.
pub(super) fn of(endpoint: Endpoint, body: &Value) -> Vec<Text> {
    let mut texts = Texts(Vec::new());
    match endpoint {
        Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens => {
            texts.add(body.get("system"), "/system", Role::System);
            texts.messages(body);
        }
        Endpoint::Completions => texts.add(body.get("prompt"), "/prompt", Role::User),
        Endpoint::Embeddings => texts.add(body.get("input"), "/input", Role::User),
        Endpoint::Responses | Endpoint::Other => {}
    }
    texts.0
}

struct Texts(Vec<Text>);

impl Texts {
    fn messages(&mut self, body: &Value) {
        let messages = body.get("messages").and_then(Value::as_array);
        for (index, message) in messages.into_iter().flatten().enumerate() {
            let role = message.get("role").and_then(Value::as_str);
            if let Some(role) = role.and_then(named) {
                let place = join(&join("/messages", index), "content");
                self.add(message.get("content"), &place, role);
            }
        }
    }

    /// One string, or a list of strings and of blocks with texts in them.
    fn add(&mut self, content: Option<&Value>, pointer: &str, role: Role) {
        match content {
            Some(Value::String(content)) => self.0.push(Text {
                pointer: pointer.to_owned(),
                role,
                content: content.clone(),
            }),
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.item(item, &join(pointer, index), role);
                }
            }
            _ => {}
        }
    }

    fn item(&mut self, item: &Value, pointer: &str, role: Role) {
        let (field, role) = match item.get("type").and_then(Value::as_str) {
            _ if item.is_string() => return self.add(Some(item), pointer, role),
            Some("tool_result") => ("content", Role::Tool),
            _ => ("text", role),
        };
        self.add(item.get(field), &join(pointer, field), role);
    }
}

fn named(role: &str) -> Option<Role> {
    match role {
        "system" | "developer" => Some(Role::System),
        "user" => Some(Role::User),
        "assistant" => Some(Role::Assistant),
        "tool" => Some(Role::Tool),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_point_at_what_they_quote() {
        let result = json!([{"type": "text", "text": "found"}, {"type": "image"}]);
        let body = json!({
            "system": [{"type": "text", "text": "rules"}],
            "messages": [
                {"role": "developer", "content": "more rules"},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": result},
                    {"type": "text", "text": "go on"},
                ]},
                {"role": "assistant", "content": null},
                {"role": "wizard", "content": "unread"},
            ],
        });
        let texts = of(Endpoint::Messages, &body);
        for text in &texts {
            assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
        }
        let roles: Vec<_> = texts.iter().map(|text| text.role).collect();
        assert_eq!(roles, [Role::System, Role::System, Role::Tool, Role::User]);
    }

    #[test]
    fn a_list_of_prompts_is_a_list_of_texts() {
        let texts = of(Endpoint::Completions, &json!({"prompt": ["one", "two"]}));
        assert_eq!(texts.len(), 2);
        assert_eq!(texts[1].pointer, "/prompt/1");
    }
}
