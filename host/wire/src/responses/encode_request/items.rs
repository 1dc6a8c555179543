//! The conversation as items of the input.

use serde_json::{Value, json};

use super::{parts::parts, tools};
use crate::{
    BadRequest, Content, Part, Request, Role, ToolCall, Turn,
    encode_request::{Omissions, unsupported_part},
};

/// Encodes the turns: each message, piece of reasoning, call and output as an item of its own.
pub(super) fn items(
    request: &Request,
    omissions: &mut Omissions,
) -> Result<Vec<Value>, BadRequest> {
    let mut encoder = Encoder {
        request,
        omissions,
        items: Vec::new(),
    };
    for turn in &request.turns {
        encoder.turn(turn)?;
    }
    Ok(encoder.items)
}

struct Encoder<'a> {
    request: &'a Request,
    omissions: &'a mut Omissions,
    items: Vec<Value>,
}

impl Encoder<'_> {
    /// Adds the items of a turn; what it says in a row is one message.
    fn turn(&mut self, turn: &Turn) -> Result<(), BadRequest> {
        let mut said = Vec::new();
        for part in &turn.parts {
            match &part.content {
                Content::Reasoning { .. }
                | Content::EncryptedReasoning(_)
                | Content::ToolCall(_)
                | Content::ToolResult { .. } => {
                    self.message(turn, &std::mem::take(&mut said))?;
                    self.item(part)?;
                }
                _ => said.push(part),
            }
        }
        self.message(turn, &said)
    }

    fn message(&mut self, turn: &Turn, said: &[&Part]) -> Result<(), BadRequest> {
        let content = parts(said.iter().copied(), turn.role, self.omissions)?;
        if content.is_empty() {
            return Ok(());
        }
        if turn.name.is_some() {
            self.omissions.leave_out(format!("{}.name", turn.place));
        }
        let role = match turn.role {
            Role::System => "system",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        };
        let message = json!({"type": "message", "role": role, "content": content});
        self.items.push(message);
        Ok(())
    }

    fn item(&mut self, part: &Part) -> Result<(), BadRequest> {
        match &part.content {
            Content::Reasoning { text, signature } => {
                self.reasoning(part, text, signature.as_ref());
            }
            Content::EncryptedReasoning(data) => self.items.push(reasoning(&[], data)),
            Content::ToolCall(call) => self.call(call),
            Content::ToolResult {
                id,
                parts,
                is_error,
            } => {
                if *is_error {
                    self.omissions.leave_out(format!("{}.is_error", part.place));
                }
                self.output(id, parts)?;
            }
            _ => self.omissions.refuse(unsupported_part(part))?,
        }
        Ok(())
    }

    /// Reasoning that no vendor has signed is the client's word only, and is left out.
    fn reasoning(&mut self, part: &Part, text: &str, signature: Option<&String>) {
        match signature {
            Some(signature) => {
                let summary = [json!({"type": "summary_text", "text": text})];
                self.items.push(reasoning(&summary, signature));
            }
            None => self.omissions.leave_out(&part.place),
        }
    }

    fn call(&mut self, call: &ToolCall) {
        let (kind, field) = if tools::is_custom(&call.name, self.request) {
            ("custom_tool_call", "input")
        } else {
            ("function_call", "arguments")
        };
        self.items.push(json!({
            "type": kind, "call_id": call.id, "name": call.name, field: call.arguments,
        }));
    }

    /// The output of a custom tool has a type of its own.
    fn output(&mut self, id: &str, said: &[Part]) -> Result<(), BadRequest> {
        let is_custom = self
            .items
            .iter()
            .any(|item| item["call_id"] == id && item["type"] == "custom_tool_call");
        let kind = if is_custom {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        let output = match said {
            [] => "".into(),
            [
                Part {
                    content: Content::Text(text),
                    ..
                },
            ] => text.as_str().into(),
            said => Value::Array(parts(said, Role::Tool, self.omissions)?),
        };
        let item = json!({"type": kind, "call_id": id, "output": output});
        self.items.push(item);
        Ok(())
    }
}

fn reasoning(summary: &[Value], encrypted: &str) -> Value {
    json!({"type": "reasoning", "summary": summary, "encrypted_content": encrypted})
}
