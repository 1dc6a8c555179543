//! Whether each call has its output, and each output its call.

use std::collections::HashSet;

use crate::{BadRequest, Content, Turn};

/// Refuses a conversation as `OpenAI` does.
pub(super) fn check(turns: &[Turn]) -> Result<(), BadRequest> {
    let contents = || {
        let parts = turns.iter().flat_map(|turn| &turn.parts);
        parts.map(|part| &part.content)
    };
    let calls: HashSet<_> = contents().filter_map(called).collect();
    let answered: HashSet<_> = contents().filter_map(answered).collect();
    for content in contents() {
        if let Some(id) = called(content).filter(|id| !answered.contains(id)) {
            return Err(wrong(format!(
                "No tool output found for function call {id}."
            )));
        }
        if let Some(id) = self::answered(content).filter(|id| !calls.contains(id)) {
            let message = "No tool call found for function call output with call_id";
            return Err(wrong(format!("{message} {id}.")));
        }
    }
    Ok(())
}

fn called(content: &Content) -> Option<&str> {
    match content {
        Content::ToolCall(call) => Some(&call.id),
        _ => None,
    }
}

fn answered(content: &Content) -> Option<&str> {
    match content {
        Content::ToolResult { id, .. } => Some(id),
        _ => None,
    }
}

fn wrong(message: String) -> BadRequest {
    BadRequest {
        message,
        field: Some("input".to_owned()),
        code: None,
    }
}
