//! The conversation: system prompt, turns, and the blocks that they are made of.

use serde_json::{Value, json};

use crate::BadRequest;
use crate::field::Field;

/// What stands between two texts that become one. Many servers take only strings for content, so
/// lists of parts are kept for what is not text.
const BETWEEN_TEXTS: &str = "\n\n";

/// How a line begins that Claude Code puts at the head of its system prompt for Anthropic's
/// billing. It changes with every request; sent on, it would spoil the prefix cache of any server.
const BILLING: &str = "x-anthropic-billing-header:";

/// The messages that hold this conversation, its system prompt first.
pub(super) fn turns(body: &Field<'_>) -> Result<Vec<Value>, BadRequest> {
    let mut turns = Vec::new();
    if let Some(system) = body.get("system") {
        turns.extend(instruction(&system)?);
    }
    for message in body.need("messages")?.items()? {
        let role = message.need("role")?;
        let content = message.need("content")?;
        match role.string()? {
            "user" => turns.extend(user(&content)?),
            "assistant" => turns.push(assistant(&content)?),
            "system" => turns.extend(instruction(&content)?),
            _ => return Err(role.wrong("must be `user`, `assistant` or `system`")),
        }
    }
    Ok(turns)
}

/// A system message, unless it would say nothing.
fn instruction(content: &Field<'_>) -> Result<Option<Value>, BadRequest> {
    let mut texts = Vec::new();
    for part in parts(content)? {
        match part["text"].as_str() {
            Some(text) => texts.push(text.to_owned()),
            None => return Err(content.wrong("must be text")),
        }
    }
    texts.retain(|text| !text.starts_with(BILLING) || text.trim_end().contains('\n'));
    let text = joined(&texts);
    Ok((!text.is_empty()).then(|| json!({"role": "system", "content": text})))
}

/// The results of tools as messages of their own, then what the user says.
fn user(content: &Field<'_>) -> Result<Vec<Value>, BadRequest> {
    if let Some(text) = content.value.as_str() {
        return Ok(vec![json!({"role": "user", "content": text})]);
    }
    let (mut turns, mut said) = (Vec::new(), Vec::new());
    for block in content.items()? {
        if block.value["type"] == "tool_result" {
            let (result, others) = tool_result(&block)?;
            turns.push(result);
            said.extend(others);
        } else {
            said.push(part(&block)?);
        }
    }
    if !said.is_empty() {
        turns.push(json!({"role": "user", "content": string_or_parts(said)}));
    }
    Ok(turns)
}

/// A tool's message, which takes only text, and the parts of the result that are none.
fn tool_result(block: &Field<'_>) -> Result<(Value, Vec<Value>), BadRequest> {
    let id = block.text("tool_use_id")?;
    let parts = match block.get("content") {
        Some(content) => parts(&content)?,
        None => Vec::new(),
    };
    let (texts, others): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| part["type"] == "text");
    let texts: Vec<_> = texts
        .iter()
        .filter_map(|part| part["text"].as_str())
        .collect();
    let result = json!({"role": "tool", "tool_call_id": id, "content": joined(&texts)});
    Ok((result, others))
}

/// Signatures of thoughts, and thoughts that only Anthropic can read, are left out.
fn assistant(content: &Field<'_>) -> Result<Value, BadRequest> {
    if let Some(text) = content.value.as_str() {
        return Ok(json!({"role": "assistant", "content": text}));
    }
    let (mut said, mut thoughts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for block in content.items()? {
        match block.text("type")? {
            "text" => said.push(block.text("text")?),
            "thinking" => thoughts.push(block.text("thinking")?),
            "redacted_thinking" => {}
            "tool_use" => calls.push(call(&block)?),
            _ => return Err(block.unknown_type()),
        }
    }
    let content = match joined(&said) {
        said if said.is_empty() && !calls.is_empty() => Value::Null,
        said => said.into(),
    };
    let mut turn = json!({"role": "assistant", "content": content});
    if thoughts.iter().any(|thought| !thought.is_empty()) {
        turn["reasoning_content"] = joined(&thoughts).into();
    }
    if !calls.is_empty() {
        turn["tool_calls"] = calls.into();
    }
    Ok(turn)
}

fn call(block: &Field<'_>) -> Result<Value, BadRequest> {
    let function = json!({
        "name": block.text("name")?,
        "arguments": block.need("input")?.value.to_string(),
    });
    Ok(json!({"id": block.text("id")?, "type": "function", "function": function}))
}

/// The parts that stand for this content's blocks, or for its string.
fn parts(content: &Field<'_>) -> Result<Vec<Value>, BadRequest> {
    match content.value.as_str() {
        Some(text) => Ok(vec![text_part(text)]),
        None => content.items()?.iter().map(part).collect(),
    }
}

fn part(block: &Field<'_>) -> Result<Value, BadRequest> {
    match block.text("type")? {
        "text" => Ok(text_part(block.text("text")?)),
        "image" => image(&block.need("source")?),
        "document" => document(block),
        _ => Err(block.unknown_type()),
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn image(source: &Field<'_>) -> Result<Value, BadRequest> {
    let url = match source.text("type")? {
        "base64" => data_url(source)?,
        "url" => source.text("url")?.to_owned(),
        _ => return Err(source.unknown_type()),
    };
    Ok(json!({"type": "image_url", "image_url": {"url": url}}))
}

fn document(block: &Field<'_>) -> Result<Value, BadRequest> {
    let source = block.need("source")?;
    match source.text("type")? {
        "text" => Ok(text_part(source.text("data")?)),
        "base64" => {
            let name = block.value["title"].as_str().unwrap_or("document.pdf");
            let file = json!({"filename": name, "file_data": data_url(&source)?});
            Ok(json!({"type": "file", "file": file}))
        }
        _ => Err(source.unknown_type()),
    }
}

/// RFC 2397.
fn data_url(source: &Field<'_>) -> Result<String, BadRequest> {
    let (media_type, data) = (source.text("media_type")?, source.text("data")?);
    Ok(format!("data:{media_type};base64,{data}"))
}

fn string_or_parts(parts: Vec<Value>) -> Value {
    let texts: Option<Vec<_>> = parts.iter().map(|part| part["text"].as_str()).collect();
    match texts {
        Some(texts) => json!(joined(&texts)),
        None => Value::Array(parts),
    }
}

fn joined<S: AsRef<str>>(texts: &[S]) -> String {
    let texts = texts.iter().map(AsRef::as_ref);
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    texts.join(BETWEEN_TEXTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(messages: &Value) -> Value {
        let body = json!({"messages": messages});
        turns(&Field::body(&body))
            .expect("the conversation is good")
            .into()
    }

    fn image_block(data: &str) -> Value {
        let source = json!({"type": "base64", "media_type": "image/png", "data": data});
        json!({"type": "image", "source": source})
    }

    fn image_part(data: &str) -> Value {
        let url = format!("data:image/png;base64,{data}");
        json!({"type": "image_url", "image_url": {"url": url}})
    }

    #[test]
    fn an_assistant_thinks_speaks_and_calls() {
        let messages = json!([{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "secret"},
            {"type": "redacted_thinking", "data": "secret"},
            {"type": "text", "text": "Looking."},
            {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
            {"type": "tool_use", "id": "toolu_2", "name": "pwd", "input": {}},
        ]}]);
        let expected = json!([{
            "role": "assistant", "content": "Looking.", "reasoning_content": "hm",
            "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {
                    "name": "ls", "arguments": "{\"path\":\".\"}",
                }},
                {"id": "toolu_2", "type": "function", "function": {"name": "pwd", "arguments": "{}"}},
            ],
        }]);
        assert_eq!(translated(&messages), expected);
    }

    #[test]
    fn an_assistant_that_only_calls_has_null_content() {
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let turns = translated(&json!([
            {"role": "assistant", "content": [call]},
            {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]},
        ]));
        assert_eq!(turns[0]["content"], Value::Null);
        assert_eq!(turns[1], json!({"role": "assistant", "content": ""}));
    }

    #[test]
    fn results_come_before_what_the_user_says_and_their_images_with_it() {
        let messages = json!([{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": [
                {"type": "text", "text": "one"}, image_block("AA"), {"type": "text", "text": "two"},
            ]},
            {"type": "tool_result", "tool_use_id": "b", "content": "failed", "is_error": true},
            {"type": "tool_result", "tool_use_id": "c"},
            {"type": "text", "text": "and now?"},
        ]}]);
        let expected = json!([
            {"role": "tool", "tool_call_id": "a", "content": "one\n\ntwo"},
            {"role": "tool", "tool_call_id": "b", "content": "failed"},
            {"role": "tool", "tool_call_id": "c", "content": ""},
            {"role": "user", "content": [image_part("AA"), {"type": "text", "text": "and now?"}]},
        ]);
        assert_eq!(translated(&messages), expected);
    }

    #[test]
    fn images_and_documents_keep_their_bytes() {
        let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"});
        let messages = json!([{"role": "user", "content": [
            image_block("AA"),
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            {"type": "document", "source": pdf, "title": "a.pdf"},
        ]}]);
        let expected = json!([
            image_part("AA"),
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
            {"type": "text", "text": "words"},
            {"type": "file", "file": {
                "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE",
            }},
        ]);
        assert_eq!(translated(&messages)[0]["content"], expected);
    }

    #[test]
    fn only_a_line_of_billing_is_left_out_of_the_system_prompt() {
        let line = format!("{BILLING} cch=36ee5;");
        let longer = format!("{line}\nrules");
        let body = json!({"system": [{"type": "text", "text": line}], "messages": []});
        assert_eq!(turns(&Field::body(&body)), Ok(Vec::new()));
        let body = json!({"system": longer, "messages": []});
        let kept = json!({"role": "system", "content": longer});
        assert_eq!(turns(&Field::body(&body)), Ok(vec![kept]));
    }

    #[test]
    fn names_the_block_at_fault() {
        for (role, block, field) in [
            ("user", json!({"type": "search_result"}), "type"),
            ("user", json!({"type": "text"}), "text"),
            ("user", json!({"text": "a"}), "type"),
            (
                "user",
                json!({"type": "image", "source": {"type": "file"}}),
                "source.type",
            ),
            ("user", json!({"type": "tool_result"}), "tool_use_id"),
            ("assistant", json!({"type": "server_tool_use"}), "type"),
            (
                "assistant",
                json!({"type": "tool_use", "name": "f"}),
                "input",
            ),
        ] {
            let body = json!({"messages": [{"role": role, "content": [block]}]});
            let error = turns(&Field::body(&body)).expect_err("the block is refused");
            let expected = format!("messages[0].content[0].{field}");
            assert_eq!(error.field, Some(expected), "{body}");
        }
    }

    #[test]
    fn names_the_message_at_fault() {
        for (message, field) in [
            (json!({"content": "a"}), "messages[0].role"),
            (
                json!({"role": "wizard", "content": "a"}),
                "messages[0].role",
            ),
            (json!({"role": "user"}), "messages[0].content"),
            (json!({"role": "user", "content": 7}), "messages[0].content"),
            (
                json!({"role": "system", "content": [image_block("AA")]}),
                "messages[0].content",
            ),
        ] {
            let body = json!({"messages": [message]});
            let error = turns(&Field::body(&body)).expect_err("the message is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }
}
