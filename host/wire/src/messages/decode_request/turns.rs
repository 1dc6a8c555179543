//! The conversation: the system prompt and the turns.

use super::blocks::{block, blocks, tool_result};
use crate::{BadRequest, Content, Role, Turn, field::Field};

/// How a line begins that Claude Code puts at the head of its system prompt for Anthropic's
/// billing. It changes with every request; sent on, it would spoil the prefix cache of any server.
const BILLING: &str = "x-anthropic-billing-header:";

/// Decodes the turns of this conversation, its system prompt first.
pub(super) fn turns(body: &Field<'_>) -> Result<Vec<Turn>, BadRequest> {
    let mut turns = Vec::new();
    if let Some(system) = body.get("system") {
        turns.extend(instruction(&system, system.place())?);
    }
    for message in body.need("messages")?.items()? {
        let (role, content) = (message.need("role")?, message.need("content")?);
        let place = message.place();
        match role.string()? {
            "user" => turns.extend(user(&content, &place)?),
            "assistant" => turns.push(Turn::new(Role::Assistant, blocks(&content)?, place)),
            "system" => turns.extend(instruction(&content, place)?),
            _ => return Err(role.wrong("must be `user`, `assistant` or `system`")),
        }
    }
    Ok(turns)
}

/// A system prompt, unless it would say nothing.
fn instruction(content: &Field<'_>, place: String) -> Result<Option<Turn>, BadRequest> {
    let mut parts = blocks(content)?;
    parts.retain(|part| match &part.content {
        Content::Text(text) => says_something(text),
        _ => true,
    });
    Ok((!parts.is_empty()).then(|| Turn::new(Role::System, parts, place)))
}

fn says_something(text: &str) -> bool {
    let is_billing = text.starts_with(BILLING) && !text.trim_end().contains('\n');
    !text.is_empty() && !is_billing
}

/// The results of tools as a turn of their own, then what the user says.
fn user(content: &Field<'_>, place: &str) -> Result<Vec<Turn>, BadRequest> {
    let is_result = |block: &Field<'_>| block.value["type"] == "tool_result";
    if content.value.is_string() {
        let said = Turn::new(Role::User, blocks(content)?, place.to_owned());
        return Ok(vec![said]);
    }
    let (results, said): (Vec<_>, Vec<_>) = content.items()?.into_iter().partition(is_result);
    let results: Result<_, _> = results.iter().map(tool_result).collect();
    let said: Result<_, _> = said.iter().map(block).collect();
    let turns = [(Role::Tool, results?), (Role::User, said?)];
    let turns = turns.into_iter().filter(|(_, parts)| !Vec::is_empty(parts));
    Ok(turns
        .map(|(role, parts)| Turn::new(role, parts, place.to_owned()))
        .collect())
}
