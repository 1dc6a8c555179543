//! Tools for models whose template knows none: the system prompt teaches them, in the form that
//! most other models are trained on.

use deja_wire::{Conversation, Message, Role};
use serde_json::json;

use super::{messages::arguments, tools};
use crate::output::offers_tools;

/// The same conversation, with its tools, calls and results as texts.
pub(super) fn taught(conversation: &Conversation) -> Conversation {
    let mut messages: Vec<Message> = Vec::new();
    if offers_tools(conversation) {
        messages.push(Message::new(Role::System, lesson(conversation)));
    }
    for message in &conversation.messages {
        let said = as_text(message);
        match messages.last_mut() {
            // Templates want one system prompt first, and then turns that alternate.
            Some(last) if last.role == said.role && said.role != Role::Assistant => {
                last.content = format!("{}\n\n{}", last.content, said.content);
            }
            _ => messages.push(said),
        }
    }
    Conversation {
        messages,
        ..conversation.clone()
    }
}

fn lesson(conversation: &Conversation) -> String {
    let tools = tools(&conversation.tools);
    let tools = tools.as_array().into_iter().flatten();
    let list: Vec<_> = tools.map(ToString::to_string).collect();
    let list = list.join("\n");
    format!(
        "You may call these functions, each given by its JSON schema:\n<tools>\n{list}\n</tools>\n\n\
         To call one, write its name and its arguments as JSON between these tags:\n\
         <tool_call>\n{{\"name\": <name>, \"arguments\": <object>}}\n</tool_call>"
    )
}

/// A turn without calls and results.
fn as_text(message: &Message) -> Message {
    let calls = message.tool_calls.iter().map(|call| {
        let call = json!({"name": call.name, "arguments": arguments(call)});
        format!("<tool_call>\n{call}\n</tool_call>")
    });
    let said = Some(message.content.clone()).filter(|content| !content.is_empty());
    let parts: Vec<_> = said.into_iter().chain(calls).collect();
    let content = parts.join("\n");
    match message.role {
        Role::Tool => {
            let result = format!("<tool_response>\n{content}\n</tool_response>");
            Message::new(Role::User, result)
        }
        role => Message {
            reasoning: message.reasoning.clone(),
            ..Message::new(role, content)
        },
    }
}
