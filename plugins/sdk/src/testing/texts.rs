//! The strings of a body that a model reads, as the host finds them.

use serde_json::Value;

use crate::keyer::{Endpoint, Role, Text};
use crate::pointer::join;

/// The texts of a body, in order.
pub(super) fn of(endpoint: Endpoint, body: &Value) -> Vec<Text> {
    let mut texts = Texts(Vec::new());
    match endpoint {
        Endpoint::ChatCompletions => texts.messages(body, Texts::parts),
        Endpoint::Messages | Endpoint::CountTokens => {
            texts.blocks(body.get("system"), "/system", Role::System);
            texts.messages(body, Texts::blocks);
        }
        Endpoint::Completions => texts.strings(body.get("prompt"), "/prompt"),
        Endpoint::Embeddings => texts.strings(body.get("input"), "/input"),
        Endpoint::Responses => {
            texts.parts(body.get("instructions"), "/instructions", Role::System);
            texts.items(body.get("input"));
        }
        Endpoint::Other => {}
    }
    texts.0
}

struct Texts(Vec<Text>);

/// Finds the texts of a content, which stands at a pointer.
type Find = fn(&mut Texts, Option<&Value>, &str, Role);

impl Texts {
    fn messages(&mut self, body: &Value, find: Find) {
        let messages = body.get("messages").and_then(Value::as_array);
        for (index, message) in messages.into_iter().flatten().enumerate() {
            let role = message.get("role").and_then(Value::as_str);
            if let Some(role) = role.and_then(named) {
                let place = join(&join("/messages", index), "content");
                find(self, message.get("content"), &place, role);
            }
        }
    }

    /// `OpenAI`'s content: one string, or a list of parts of which some have a text.
    fn parts(&mut self, content: Option<&Value>, pointer: &str, role: Role) {
        self.string(content, pointer, role);
        for (index, part) in items(content) {
            self.string(part.get("text"), &join(&join(pointer, index), "text"), role);
        }
    }

    /// Anthropic's content: one string, or a list of blocks.
    fn blocks(&mut self, content: Option<&Value>, pointer: &str, role: Role) {
        self.string(content, pointer, role);
        for (index, block) in items(content) {
            let (field, role) = match block.get("type").and_then(Value::as_str) {
                Some("text") => ("text", role),
                Some("tool_result") => ("content", Role::Tool),
                _ => continue,
            };
            let place = join(&join(pointer, index), field);
            self.blocks(block.get(field), &place, role);
        }
    }

    /// The input of the Responses API: one string, or a list of items.
    fn items(&mut self, input: Option<&Value>) {
        self.string(input, "/input", Role::User);
        for (index, item) in items(input) {
            let (field, role) = match item.get("type").and_then(Value::as_str) {
                Some("message") | None => ("content", item.get("role").and_then(Value::as_str)),
                Some("function_call_output" | "custom_tool_call_output") => {
                    ("output", Some("tool"))
                }
                Some(_) => continue,
            };
            if let Some(role) = role.and_then(named) {
                let place = join(&join("/input", index), field);
                self.parts(item.get(field), &place, role);
            }
        }
    }

    /// One string, or a list of them.
    fn strings(&mut self, value: Option<&Value>, pointer: &str) {
        self.string(value, pointer, Role::User);
        for (index, item) in items(value) {
            self.string(Some(item), &join(pointer, index), Role::User);
        }
    }

    fn string(&mut self, value: Option<&Value>, pointer: &str, role: Role) {
        if let Some(Value::String(content)) = value {
            self.0.push(Text {
                pointer: pointer.to_owned(),
                role,
                content: content.clone(),
            });
        }
    }
}

/// The items of a list, with their numbers; none of what is no list.
fn items(value: Option<&Value>) -> impl Iterator<Item = (usize, &Value)> {
    let items = value.and_then(Value::as_array);
    items.into_iter().flatten().enumerate()
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
    fn items_of_a_response_say_texts() {
        let hi = json!([{"type": "input_text", "text": "hi"}]);
        let body = json!({"instructions": "rules", "input": [
            {"role": "user", "content": hi},
            {"type": "function_call_output", "output": "found"},
            {"type": "reasoning", "content": "unread"},
        ]});
        let texts = of(Endpoint::Responses, &body);
        for text in &texts {
            assert_eq!(body.pointer(&text.pointer), Some(&json!(text.content)));
        }
        let roles: Vec<_> = texts.iter().map(|text| text.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Tool]);
        assert_eq!(of(Endpoint::Responses, &json!({"input": "hi"})).len(), 1);
    }

    #[test]
    fn a_list_of_prompts_is_a_list_of_texts() {
        let texts = of(Endpoint::Completions, &json!({"prompt": ["one", "two"]}));
        assert_eq!(texts.len(), 2);
        assert_eq!(texts[1].pointer, "/prompt/1");
    }
}
