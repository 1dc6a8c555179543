//! The conversation: items of the input, put together to turns.

use serde::Deserialize;

use super::parts::content;
use crate::{BadRequest, Content, Part, Role, ToolCall, Turn, field::Field, responses::namespace};

/// Decodes the instructions and the input. Items of one speaker in a row that are no messages of
/// others are one turn: a model's reasoning, what it says and what it calls.
pub(super) fn turns(body: &Field<'_>, left_out: &mut Vec<String>) -> Result<Vec<Turn>, BadRequest> {
    let mut turns = Vec::new();
    if let Some(instructions) = body.get("instructions") {
        let parts = content(&instructions)?;
        turns.push(Turn::new(Role::System, parts, instructions.place()));
    }
    let input = body.need("input")?;
    if input.value.is_string() {
        turns.push(Turn::new(Role::User, content(&input)?, input.place()));
        return Ok(turns);
    }
    if !input.value.is_array() {
        return Err(input.wrong("must be a string or a list of items"));
    }
    for item in input.items()? {
        match turn(&item)? {
            Some(turn) => push(&mut turns, turn),
            None => left_out.push(item.place()),
        }
    }
    Ok(turns)
}

fn push(turns: &mut Vec<Turn>, turn: Turn) {
    match turns.last_mut() {
        Some(last) if last.role == turn.role && is_joined(turn.role) => {
            last.parts.extend(turn.parts);
        }
        _ => turns.push(turn),
    }
}

fn is_joined(role: Role) -> bool {
    matches!(role, Role::Assistant | Role::Tool)
}

/// Returns an item as a turn of its own; none if it is of a kind that only `OpenAI` has.
fn turn(item: &Field<'_>) -> Result<Option<Turn>, BadRequest> {
    item.object()?;
    let (role, parts) = match item.optional_text("type")?.as_deref() {
        None | Some("message") => (role(item)?, content(&item.need("content")?)?),
        Some("reasoning") => (Role::Assistant, reasoning(item)?.into_iter().collect()),
        Some("function_call") => (Role::Assistant, vec![call(item, "arguments")?]),
        Some("custom_tool_call") => (Role::Assistant, vec![call(item, "input")?]),
        Some("function_call_output" | "custom_tool_call_output") => {
            (Role::Tool, vec![output(item)?])
        }
        Some("item_reference") => {
            let id = item.need("id")?;
            return Err(id.wrong("is the id of an item that is not kept here"));
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(Turn::new(role, parts, item.place())))
}

fn role(message: &Field<'_>) -> Result<Role, BadRequest> {
    let role = message.need("role")?;
    match Role::deserialize(role.value) {
        Ok(Role::Tool) | Err(_) => {
            Err(role.wrong("must be `system`, `developer`, `user` or `assistant`"))
        }
        Ok(role) => Ok(role),
    }
}

/// Decodes reasoning: its own text, or else its summary, and what its vendor wants back.
fn reasoning(item: &Field<'_>) -> Result<Option<Part>, BadRequest> {
    let encrypted = item.optional_text("encrypted_content")?;
    let text = match texts(item, "content")? {
        text if text.is_empty() => texts(item, "summary")?,
        text => text,
    };
    Ok(match (text.is_empty(), encrypted) {
        (true, None) => None,
        (true, Some(data)) => Some(item.part(Content::EncryptedReasoning(data))),
        (false, signature) => Some(item.part(Content::Reasoning { text, signature })),
    })
}

/// Returns the texts in the list under this name, one below the other.
fn texts(item: &Field<'_>, name: &str) -> Result<String, BadRequest> {
    let Some(parts) = item.get(name) else {
        return Ok(String::new());
    };
    let parts = parts.items()?;
    let texts: Result<Vec<_>, _> = parts.iter().map(|part| part.text("text")).collect();
    Ok(texts?.join("\n\n"))
}

fn call(item: &Field<'_>, arguments: &str) -> Result<Part, BadRequest> {
    let name = item.text("name")?;
    let name = match item.optional_text("namespace")? {
        Some(space) => namespace::flat(&space, name),
        None => name.to_owned(),
    };
    Ok(item.part(Content::ToolCall(ToolCall {
        id: item.text("call_id")?.to_owned(),
        name,
        arguments: item.text(arguments)?.to_owned(),
    })))
}

fn output(item: &Field<'_>) -> Result<Part, BadRequest> {
    Ok(item.part(Content::ToolResult {
        id: item.text("call_id")?.to_owned(),
        parts: content(&item.need("output")?)?,
        is_error: false,
    }))
}
