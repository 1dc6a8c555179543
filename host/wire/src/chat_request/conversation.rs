//! The conversation that the built-in model continues.

use crate::{BadRequest, Content, Message, Part, Request, Role, Turn};

/// The turns, of which there is at least one.
pub(super) fn messages(request: &Request) -> Result<Vec<Message>, BadRequest> {
    if request.turns.is_empty() {
        let problem = "must hold at least one message";
        return Err(BadRequest::field(request.places.turns, problem));
    }
    let mut messages = Vec::new();
    for turn in &request.turns {
        match turn.role {
            Role::Tool => messages.extend(tool_results(turn, request)?),
            _ => messages.push(message(turn, request)?),
        }
    }
    Ok(messages)
}

fn message(turn: &Turn, request: &Request) -> Result<Message, BadRequest> {
    let (mut said, mut reasoning, mut tool_calls) = (Vec::new(), Vec::new(), Vec::new());
    for part in &turn.parts {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => said.push(text.as_str()),
            Content::Reasoning { text, .. } => reasoning.push(text.as_str()),
            // Only its vendor can read it.
            Content::EncryptedReasoning(_) => {}
            Content::ToolCall(call) if turn.role == Role::Assistant => {
                tool_calls.push(call.clone());
            }
            _ => return Err(unreadable(part)),
        }
    }
    let reasoning = request.join(reasoning);
    Ok(Message {
        reasoning: Some(reasoning).filter(|reasoning| !reasoning.is_empty()),
        tool_calls,
        name: turn.name.clone(),
        ..Message::new(turn.role, request.join(said))
    })
}

fn tool_results(turn: &Turn, request: &Request) -> Result<Vec<Message>, BadRequest> {
    let results = turn.parts.iter();
    results
        .map(|part| tool_result(part, turn, request))
        .collect()
}

fn tool_result(part: &Part, turn: &Turn, request: &Request) -> Result<Message, BadRequest> {
    let Content::ToolResult { id, parts, .. } = &part.content else {
        return Err(unreadable(part));
    };
    let texts: Vec<_> = parts.iter().map(text).collect::<Result<_, _>>()?;
    Ok(Message {
        tool_call_id: Some(id.clone()),
        name: turn.name.clone(),
        ..Message::new(Role::Tool, request.join(texts))
    })
}

fn text(part: &Part) -> Result<&str, BadRequest> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => Ok(text),
        _ => Err(unreadable(part)),
    }
}

fn unreadable(part: &Part) -> BadRequest {
    let kind = match &part.content {
        Content::Image { .. } => "image",
        Content::Document { .. } => "document",
        Content::ToolCall(_) => "tool call",
        Content::ToolResult { .. } => "tool result",
        Content::Reasoning { .. } | Content::EncryptedReasoning(_) => "reasoning",
        Content::Text(_) | Content::Refusal(_) => "text",
        Content::Other(value) => value["type"].as_str().unwrap_or_default(),
    };
    BadRequest {
        message: format!("this model does not read parts of type `{kind}`"),
        field: Some(format!("{}.type", part.place)),
        code: Some("unsupported_content"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{ToolCall, chat_completions, messages};

    fn read(list: &Value) -> Result<Vec<Message>, BadRequest> {
        super::messages(&chat_completions::decode_request(
            &json!({ "messages": list }),
        )?)
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
                user(
                    json!([{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]),
                ),
                "messages[0].content[0].type",
            ),
            (
                user(json!([{"type": "input_audio"}])),
                "messages[0].content[0].type",
            ),
            (
                call(json!({"type": "custom", "id": "c"})),
                "messages[0].tool_calls[0].type",
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

    #[test]
    fn texts_are_joined_as_the_clients_api_means_it() {
        let said = |text: &str| json!({"type": "text", "text": text});
        let image = json!({"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": "AA",
        }});
        let read = |content: Value| {
            let body = json!({"messages": [{"role": "user", "content": content}]});
            let request = messages::decode_request(&body).expect("the request is good");
            super::messages(&request)
        };
        let expected = Message::new(Role::User, "a\n\nb");
        assert_eq!(
            read(json!([said("a"), said(""), said("b")])),
            Ok(vec![expected])
        );
        let result = json!({"type": "tool_result", "tool_use_id": "c", "content": [image]});
        let error = read(json!([result])).expect_err("the image is refused");
        let place = "messages[0].content[0].content[0].type";
        assert_eq!(error.field.as_deref(), Some(place));
    }

    #[test]
    fn what_a_model_thought_is_no_part_of_what_it_said() {
        let body = json!({"messages": [{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "secret"},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "text", "text": "Yes."},
        ]}]});
        let request = messages::decode_request(&body).expect("the request is good");
        let expected = Message {
            reasoning: Some("hm".to_owned()),
            ..Message::new(Role::Assistant, "Yes.")
        };
        assert_eq!(super::messages(&request), Ok(vec![expected]));
    }
}
