//! The conversation of a chat request.

use serde::Deserialize;
use serde_json::Value;

use crate::{BadRequest, Message, Role, ToolCall, field::Field};

/// The turns, of which there is at least one.
pub(crate) fn messages(body: &Field<'_>) -> Result<Vec<Message>, BadRequest> {
    let messages = body.need("messages")?;
    let items = messages.items()?;
    if items.is_empty() {
        return Err(messages.wrong("must hold at least one message"));
    }
    items.iter().map(message).collect()
}

fn message(message: &Field<'_>) -> Result<Message, BadRequest> {
    let role = message.need("role")?;
    let role = Role::deserialize(role.value)
        .map_err(|_| role.wrong("must be `system`, `developer`, `user`, `assistant` or `tool`"))?;
    let text = |name| -> Result<Option<String>, BadRequest> {
        let text = message.get(name).map(|field| field.string()).transpose()?;
        Ok(text.map(str::to_owned))
    };
    // Servers differ in the name.
    let reasoning = match text("reasoning_content")? {
        None => text("reasoning")?,
        reasoning => reasoning,
    };
    Ok(Message {
        role,
        content: content(message, role)?,
        reasoning,
        tool_calls: match message.get("tool_calls") {
            Some(calls) => calls
                .items()?
                .iter()
                .map(tool_call)
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
        tool_call_id: text("tool_call_id")?,
        name: text("name")?,
    })
}

/// What is said. Only the model may say nothing: it may think or call tools.
fn content(message: &Field<'_>, role: Role) -> Result<String, BadRequest> {
    let content = match message.get("content") {
        None if role == Role::Assistant => return Ok(String::new()),
        content => content.map_or_else(|| message.need("content"), Ok)?,
    };
    match content.value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) => content.items()?.iter().map(part).collect(),
        _ => Err(content.wrong("must be a string or a list of parts")),
    }
}

fn part<'a>(part: &Field<'a>) -> Result<&'a str, BadRequest> {
    match part.text("type")? {
        "text" => part.text("text"),
        other => Err(BadRequest {
            code: Some("unsupported_content"),
            message: format!("this model does not read parts of type `{other}`"),
            ..part.unknown_type()
        }),
    }
}

fn tool_call(call: &Field<'_>) -> Result<ToolCall, BadRequest> {
    let function = call.need("function")?;
    Ok(ToolCall {
        id: call.text("id")?.to_owned(),
        name: function.text("name")?.to_owned(),
        arguments: function.text("arguments")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(list: &Value) -> Result<Vec<Message>, BadRequest> {
        messages(&Field::body(&json!({ "messages": list })))
    }

    #[test]
    fn a_conversation_with_tools_is_read() {
        let call = json!({"id": "c", "type": "function", "function": {
            "name": "ls", "arguments": "{}",
        }});
        let conversation = json!([
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "name": "ls", "content": "src"},
        ]);
        let expected = [
            Message::new(Role::System, "be brief"),
            Message::new(Role::User, "ab"),
            Message {
                reasoning: Some("hm".to_owned()),
                tool_calls: vec![ToolCall {
                    id: "c".to_owned(),
                    name: "ls".to_owned(),
                    arguments: "{}".to_owned(),
                }],
                ..Message::new(Role::Assistant, "")
            },
            Message {
                tool_call_id: Some("c".to_owned()),
                name: Some("ls".to_owned()),
                ..Message::new(Role::Tool, "src")
            },
        ];
        assert_eq!(read(&conversation), Ok(expected.to_vec()));
    }

    #[test]
    fn names_the_field_at_fault() {
        let user = |content: Value| json!([{"role": "user", "content": content}]);
        let call = |call: Value| json!([{"role": "assistant", "tool_calls": [call]}]);
        for (list, field) in [
            (json!(null), "messages"),
            (json!([]), "messages"),
            (json!("hi"), "messages"),
            (json!([{"content": "hi"}]), "messages[0].role"),
            (
                json!([{"role": "wizard", "content": "hi"}]),
                "messages[0].role",
            ),
            (json!([{"role": "user"}]), "messages[0].content"),
            (json!([{"role": "tool"}]), "messages[0].content"),
            (user(json!(7)), "messages[0].content"),
            (
                user(json!([{"type": "image_url"}])),
                "messages[0].content[0].type",
            ),
            (
                user(json!([{"type": "text"}])),
                "messages[0].content[0].text",
            ),
            (user(json!(["hi"])), "messages[0].content[0].type"),
            (
                call(json!({"id": "c"})),
                "messages[0].tool_calls[0].function",
            ),
            (
                call(json!({"id": "c", "function": {"name": "f", "arguments": {}}})),
                "messages[0].tool_calls[0].function.arguments",
            ),
        ] {
            let error = read(&list).expect_err("the conversation is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{list}");
        }
    }
}
