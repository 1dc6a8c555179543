//! A conversation's turns under the names that templates use.

use deja_wire::{Message, ToolCall};
use serde_json::{Map, Value, json};

use crate::output::Style;

/// Characters of a call's id in Mistral's templates, which refuse all others.
const MISTRAL_ID: usize = 9;

/// The turns as `transformers` gives them to a template.
pub(super) fn messages(messages: &[Message], style: Style) -> Value {
    messages
        .iter()
        .map(|turn| Value::Object(message(turn, style)))
        .collect()
}

fn message(message: &Message, style: Style) -> Map<String, Value> {
    let id = |id: &str| {
        if style.is_mistral() {
            shortened(id)
        } else {
            id.to_owned()
        }
    };
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("role", json!(message.role));
    set("content", json!(message.content));
    if let Some(reasoning) = &message.reasoning {
        set("reasoning_content", json!(reasoning));
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            let function = json!({"name": call.name, "arguments": arguments(call)});
            json!({"id": id(&call.id), "type": "function", "function": function})
        });
        set("tool_calls", calls.collect());
    }
    if let Some(call) = &message.tool_call_id {
        set("tool_call_id", json!(id(call)));
    }
    if let Some(name) = &message.name {
        set("name", json!(name));
    }
    fields
}

/// Templates want an object; what is none stays as it is.
pub(super) fn arguments(call: &ToolCall) -> Value {
    let parsed = serde_json::from_str(&call.arguments);
    parsed.map_or_else(|_| json!(call.arguments), Value::Object)
}

/// The last letters and digits of an id, where ids differ.
fn shortened(id: &str) -> String {
    let mut letters: Vec<_> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.drain(..letters.len().saturating_sub(MISTRAL_ID));
    let id: String = letters.into_iter().collect();
    format!("{id:0>MISTRAL_ID$}")
}
