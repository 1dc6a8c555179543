//! The conversation, turn by turn.

use std::mem;

use serde_json::{Value, json};

use super::{
    parts::{self, Pick, reasoning, refusal, text, tool_call},
    tools,
};
use crate::{
    BadRequest, Content, Part, Request, Role, ToolCall, Turn,
    encode_request::{Omissions, unsupported_part},
};

/// Encodes the turns, each result of a tool as a message of its own.
pub(super) fn messages(
    request: &Request,
    omissions: &mut Omissions,
) -> Result<Vec<Value>, BadRequest> {
    let mut encoder = Encoder {
        request,
        omissions,
        messages: Vec::new(),
        shown: Vec::new(),
    };
    for turn in &request.turns {
        encoder.turn(turn)?;
    }
    encoder.end_results();
    Ok(encoder.messages)
}

struct Encoder<'a> {
    request: &'a Request,
    omissions: &'a mut Omissions,
    messages: Vec<Value>,
    /// What tools answered that is no text: their messages take only text, so the user's next
    /// message holds the rest.
    shown: Vec<Value>,
}

impl Encoder<'_> {
    fn turn(&mut self, turn: &Turn) -> Result<(), BadRequest> {
        if matches!(turn.role, Role::System | Role::Assistant) {
            self.end_results();
        }
        match turn.role {
            Role::System => self.system(turn),
            Role::User => self.user(turn),
            Role::Assistant => self.assistant(turn),
            Role::Tool => turn.parts.iter().try_for_each(|part| self.tool(part, turn)),
        }
    }

    /// Ends a row of tools' results, after which the user says nothing.
    fn end_results(&mut self) {
        if !self.shown.is_empty() {
            let content = Value::Array(mem::take(&mut self.shown));
            let message = json!({"role": "user", "content": content});
            self.messages.push(message);
        }
    }

    fn system(&mut self, turn: &Turn) -> Result<(), BadRequest> {
        for part in turn.parts.iter().filter(|part| text(part).is_none()) {
            self.omissions.refuse(unsupported_part(part))?;
        }
        let content = self.join(turn, text);
        self.push(json!({"role": "system", "content": content}), turn);
        Ok(())
    }

    fn user(&mut self, turn: &Turn) -> Result<(), BadRequest> {
        let mut said = mem::take(&mut self.shown);
        for part in &turn.parts {
            said.extend(parts::part(part, self.omissions)?);
        }
        let content = parts::string_or_parts(said, self.request);
        self.push(json!({"role": "user", "content": content}), turn);
        Ok(())
    }

    fn assistant(&mut self, turn: &Turn) -> Result<(), BadRequest> {
        for part in &turn.parts {
            self.omit_from_assistant(part)?;
        }
        let calls = turn.parts.iter().filter_map(tool_call);
        let calls: Vec<_> = calls.map(|call| self.call(call)).collect();
        let content = match self.join(turn, text) {
            said if said.is_empty() && !calls.is_empty() => Value::Null,
            said => said.into(),
        };
        let mut message = json!({"role": "assistant", "content": content});
        let others: [(_, Pick); 2] = [("refusal", refusal), ("reasoning_content", reasoning)];
        for (name, pick) in others {
            let text = self.join(turn, pick);
            if !text.is_empty() {
                message[name] = text.into();
            }
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        self.push(message, turn);
        Ok(())
    }

    /// Omits what only the model's own vendor can read, and what no model says.
    fn omit_from_assistant(&mut self, part: &Part) -> Result<(), BadRequest> {
        match &part.content {
            Content::Text(_) | Content::Refusal(_) | Content::ToolCall(_) => {}
            Content::Reasoning { signature, .. } => {
                if signature.is_some() {
                    let place = format!("{}.signature", part.place);
                    self.omissions.leave_out(place);
                }
            }
            Content::EncryptedReasoning(_) => self.omissions.leave_out(&part.place),
            _ => self.omissions.refuse(unsupported_part(part))?,
        }
        Ok(())
    }

    fn call(&self, call: &ToolCall) -> Value {
        let (kind, arguments) = if tools::is_custom(&call.name, self.request) {
            ("custom", "input")
        } else {
            ("function", "arguments")
        };
        let called = json!({"name": call.name, arguments: call.arguments});
        json!({"id": call.id, "type": kind, kind: called})
    }

    fn tool(&mut self, part: &Part, turn: &Turn) -> Result<(), BadRequest> {
        let Content::ToolResult {
            id,
            parts,
            is_error,
        } = &part.content
        else {
            return self.omissions.refuse(unsupported_part(part));
        };
        if *is_error {
            self.omissions.leave_out(format!("{}.is_error", part.place));
        }
        for part in parts.iter().filter(|part| text(part).is_none()) {
            self.shown.extend(parts::part(part, self.omissions)?);
        }
        let content = self.request.join(parts.iter().filter_map(text));
        let message = json!({"role": "tool", "tool_call_id": id, "content": content});
        self.push(message, turn);
        Ok(())
    }

    fn join(&self, turn: &Turn, pick: Pick) -> String {
        self.request.join(turn.parts.iter().filter_map(pick))
    }

    fn push(&mut self, mut message: Value, turn: &Turn) {
        if let Some(name) = &turn.name {
            message["name"] = name.as_str().into();
        }
        self.messages.push(message);
    }
}
