//! The conversation: system prompt, turns, and the blocks that they are made of.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::without_nulls;
use crate::BadRequest;
use crate::field::Field;

/// A conversation as Anthropic's API holds it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Text blocks that set the rules.
    pub(super) system: Vec<Value>,
    /// What is said; the roles take turns.
    pub(super) turns: Vec<Turn>,
}

/// All that one side says at once.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    role: &'static str,
    content: Vec<Value>,
}

impl Turn {
    /// Whether a tool answers in it.
    pub(super) fn holds_result(&self) -> bool {
        self.content
            .iter()
            .any(|block| block["type"] == "tool_result")
    }
}

impl Conversation {
    /// Adds to the last turn or begins the next: messages in a row by one side are one turn, as
    /// the results of several tools must be.
    fn say(&mut self, role: &'static str, blocks: Vec<Value>) {
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ => self.turns.push(Turn {
                role,
                content: blocks,
            }),
        }
    }

    /// Rules that come late stay at their place, marked, in the user's turn. Few models take the
    /// role `system` within a conversation, and moved to the front they would change the meaning
    /// of what came before, and the prefix that the server has cached.
    fn instruct(&mut self, texts: Vec<&str>) {
        if self.turns.is_empty() {
            self.system.extend(texts.into_iter().map(text_block));
            return;
        }
        let marked = |text| text_block(&format!("<system>\n{text}\n</system>"));
        self.say("user", texts.into_iter().map(marked).collect());
    }
}

/// Reads the messages of a chat completion request.
pub(super) fn conversation(body: &Field<'_>) -> Result<Conversation, BadRequest> {
    let mut conversation = Conversation::default();
    let messages = body.need("messages")?;
    for message in messages.items()? {
        let role = message.need("role")?;
        match role.string()? {
            "system" | "developer" => conversation.instruct(texts(&message.need("content")?)?),
            "user" => conversation.say("user", user(&message.need("content")?)?),
            "assistant" => conversation.say("assistant", assistant(&message)?),
            "tool" => conversation.say("user", vec![tool_result(&message)?]),
            _ => return Err(role.wrong("must be `system`, `user`, `assistant` or `tool`")),
        }
    }
    if conversation.turns.is_empty() {
        return Err(messages.wrong("must hold at least one message of the user"));
    }
    Ok(conversation)
}

fn user(content: &Field<'_>) -> Result<Vec<Value>, BadRequest> {
    if content.value.is_string() {
        return Ok(texts(content)?.into_iter().map(text_block).collect());
    }
    let mut blocks = Vec::new();
    for part in content.items()? {
        match part.text("type")? {
            "text" => blocks.extend(nonempty(part.text("text")?).map(text_block)),
            "image_url" => blocks.push(image(&part.need("image_url")?)?),
            "file" => blocks.push(document(&part.need("file")?)?),
            _ => return Err(part.unknown_type()),
        }
    }
    Ok(blocks)
}

/// Thoughts are left out: Anthropic takes back only what it has signed.
fn assistant(message: &Field<'_>) -> Result<Vec<Value>, BadRequest> {
    let mut blocks: Vec<_> = match message.get("content") {
        Some(content) => texts(&content)?.into_iter().map(text_block).collect(),
        None => Vec::new(),
    };
    if let Some(refusal) = message.get("refusal") {
        blocks.extend(nonempty(refusal.string()?).map(text_block));
    }
    if let Some(calls) = message.get("tool_calls") {
        for call in calls.items()? {
            blocks.push(tool_use(&call)?);
        }
    }
    Ok(blocks)
}

fn tool_use(call: &Field<'_>) -> Result<Value, BadRequest> {
    if call
        .get("type")
        .is_some_and(|kind| kind.value != "function")
    {
        return Err(call.unknown_type());
    }
    let function = call.need("function")?;
    Ok(json!({
        "type": "tool_use",
        "id": call.text("id")?,
        "name": function.text("name")?,
        "input": input(&function.need("arguments")?)?,
    }))
}

/// Models write nothing at all for a function without parameters.
fn input(arguments: &Field<'_>) -> Result<Value, BadRequest> {
    let text = arguments.string()?;
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    let input: Option<Value> = serde_json::from_str(text).ok();
    let object = input.filter(Value::is_object);
    object.ok_or_else(|| arguments.wrong("must hold a JSON object"))
}

fn tool_result(message: &Field<'_>) -> Result<Value, BadRequest> {
    let id = message.text("tool_call_id")?;
    let content = message.need("content")?;
    let content = match content.value.as_str() {
        Some(text) => json!(text),
        None => texts(&content)?.into_iter().map(text_block).collect(),
    };
    Ok(json!({"type": "tool_result", "tool_use_id": id, "content": content}))
}

/// The texts of a content that holds nothing else. Anthropic refuses empty ones.
fn texts<'a>(content: &Field<'a>) -> Result<Vec<&'a str>, BadRequest> {
    if let Some(text) = content.value.as_str() {
        return Ok(nonempty(text).into_iter().collect());
    }
    let mut texts = Vec::new();
    for part in content.items()? {
        match part.text("type")? {
            kind @ ("text" | "refusal") => texts.extend(nonempty(part.text(kind)?)),
            _ => return Err(part.unknown_type()),
        }
    }
    Ok(texts)
}

fn nonempty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn image(image: &Field<'_>) -> Result<Value, BadRequest> {
    let url = image.need("url")?;
    let source = match base64(url.string()?) {
        Some(source) => source,
        None if url.string()?.starts_with("data:") => {
            return Err(url.wrong("must be a URL, or image data in base64"));
        }
        None => json!({"type": "url", "url": url.value}),
    };
    Ok(json!({"type": "image", "source": source}))
}

fn document(file: &Field<'_>) -> Result<Value, BadRequest> {
    let data = file.need("file_data")?;
    let source = base64(data.string()?);
    let pdf = source.filter(|source| source["media_type"] == "application/pdf");
    let pdf = pdf.ok_or_else(|| data.wrong("must be a data URL of a PDF in base64"))?;
    let title = file.get("filename").map(|name| name.value);
    let document = json!({"type": "document", "source": pdf, "title": title});
    Ok(without_nulls(document))
}

/// The source that a data URL (RFC 2397) in base64 is.
fn base64(url: &str) -> Option<Value> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(json!({"type": "base64", "media_type": media_type, "data": data}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(messages: &Value) -> Conversation {
        let body = json!({"messages": messages});
        conversation(&Field::body(&body)).expect("the conversation is good")
    }

    fn said(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn rules_at_the_front_are_the_system_prompt_and_later_ones_stay() {
        let conversation = translated(&json!([
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [said("b"), said("")]},
            {"role": "user", "content": "hi"},
            {"role": "system", "content": "c"},
        ]));
        assert_eq!(conversation.system, [said("a"), said("b")]);
        let expected = json!([
            {"role": "user", "content": [said("hi"), said("<system>\nc\n</system>")]},
        ]);
        assert_eq!(json!(conversation.turns), expected);
    }

    #[test]
    fn results_of_several_tools_are_one_turn() {
        let conversation = translated(&json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "Looking.", "reasoning_content": "hm", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{\"p\":1}"}},
                {"id": "call_2", "type": "function", "function": {"name": "pwd", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
            {"role": "tool", "tool_call_id": "call_2", "content": [said("y")]},
            {"role": "user", "content": "and?"},
        ]));
        let expected = json!([
            {"role": "user", "content": [said("go")]},
            {"role": "assistant", "content": [
                said("Looking."),
                {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"p": 1}},
                {"type": "tool_use", "id": "call_2", "name": "pwd", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "x"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": [said("y")]},
                said("and?"),
            ]},
        ]);
        assert_eq!(json!(conversation.turns), expected);
    }

    #[test]
    fn images_and_files_keep_their_bytes() {
        let conversation = translated(&json!([{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
            {"type": "file", "file": {
                "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE",
            }},
        ]}]));
        let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"});
        let png = json!({"type": "base64", "media_type": "image/png", "data": "AA"});
        let expected = json!([
            {"type": "image", "source": png},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
            {"type": "document", "source": pdf, "title": "a.pdf"},
        ]);
        assert_eq!(json!(conversation.turns[0].content), expected);
    }

    #[test]
    fn a_turn_that_says_nothing_is_left_out() {
        let conversation = translated(&json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": "b"},
        ]));
        let expected = json!([{"role": "user", "content": [said("a"), said("b")]}]);
        assert_eq!(json!(conversation.turns), expected);
    }

    #[test]
    fn names_the_field_at_fault() {
        let calling = |call: Value| json!({"role": "assistant", "tool_calls": [call]});
        let saying = |part: Value| json!({"role": "user", "content": [part]});
        for (message, field) in [
            (json!({"content": "a"}), "messages[0].role"),
            (
                json!({"role": "function", "content": "a"}),
                "messages[0].role",
            ),
            (json!({"role": "system", "content": "a"}), "messages"),
            (json!({"role": "user"}), "messages[0].content"),
            (
                json!({"role": "tool", "content": "a"}),
                "messages[0].tool_call_id",
            ),
            (
                saying(json!({"type": "input_audio"})),
                "messages[0].content[0].type",
            ),
            (
                saying(json!({"type": "image_url", "image_url": {"url": "data:image/png,A"}})),
                "messages[0].content[0].image_url.url",
            ),
            (
                saying(json!({"type": "file", "file": {"file_id": "f"}})),
                "messages[0].content[0].file.file_data",
            ),
            (
                calling(json!({"type": "custom"})),
                "messages[0].tool_calls[0].type",
            ),
            (
                calling(json!({"id": "c", "function": {"name": "f", "arguments": "[1]"}})),
                "messages[0].tool_calls[0].function.arguments",
            ),
            (
                calling(json!({"id": "c", "function": {"name": "f", "arguments": "{"}})),
                "messages[0].tool_calls[0].function.arguments",
            ),
        ] {
            let body = json!({"messages": [message]});
            let error = conversation(&Field::body(&body)).expect_err("the message is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }
}
