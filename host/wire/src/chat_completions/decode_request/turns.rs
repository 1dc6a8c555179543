//! The conversation: messages, and the parts that they are made of.

use serde::Deserialize;

use crate::{BadRequest, Content, Media, Part, Role, ToolCall, Turn, field::Field};

/// Decodes the messages, each to a turn.
pub(super) fn turns(body: &Field<'_>) -> Result<Vec<Turn>, BadRequest> {
    let messages = body.need("messages")?.items()?;
    messages.iter().map(turn).collect()
}

fn turn(message: &Field<'_>) -> Result<Turn, BadRequest> {
    let role = role(&message.need("role")?)?;
    Ok(Turn {
        role,
        parts: match role {
            Role::System | Role::User => content(&message.need("content")?)?,
            Role::Assistant => assistant(message)?,
            Role::Tool => vec![tool_result(message)?],
        },
        name: message.optional_text("name")?,
        place: message.place(),
    })
}

fn role(role: &Field<'_>) -> Result<Role, BadRequest> {
    let problem = "must be `system`, `developer`, `user`, `assistant` or `tool`";
    Role::deserialize(role.value).map_err(|_| role.wrong(problem))
}

/// One string, or a list of parts.
fn content(content: &Field<'_>) -> Result<Vec<Part>, BadRequest> {
    if let Some(text) = content.value.as_str() {
        return Ok(vec![content.part(Content::Text(text.to_owned()))]);
    }
    if !content.value.is_array() {
        return Err(content.wrong("must be a string or a list of parts"));
    }
    content.items()?.iter().map(part).collect()
}

fn part(part: &Field<'_>) -> Result<Part, BadRequest> {
    let content = match part.text("type")? {
        "text" => Content::Text(part.text("text")?.to_owned()),
        "refusal" => Content::Refusal(part.text("refusal")?.to_owned()),
        "image_url" => image(&part.need("image_url")?)?,
        "file" => document(&part.need("file")?)?,
        _ => Content::Other(part.value.clone()),
    };
    Ok(part.part(content))
}

fn image(image: &Field<'_>) -> Result<Content, BadRequest> {
    let url = image.need("url")?;
    let source = Media::of_url(url.string()?);
    Ok(Content::Image {
        source: source.ok_or_else(|| url.wrong("must be a URL, or image data in base64"))?,
        detail: image.optional_text("detail")?,
    })
}

fn document(file: &Field<'_>) -> Result<Content, BadRequest> {
    let source = match file.optional_text("file_id")? {
        Some(id) => Media::File(id),
        None => file_data(&file.need("file_data")?)?,
    };
    Ok(Content::Document {
        source,
        name: file.optional_text("filename")?,
    })
}

fn file_data(data: &Field<'_>) -> Result<Media, BadRequest> {
    let source = Media::of_data_url(data.string()?);
    source.ok_or_else(|| data.wrong("must be a data URL in base64"))
}

/// What a model thought, said and called. It may have said nothing.
fn assistant(message: &Field<'_>) -> Result<Vec<Part>, BadRequest> {
    let mut parts = reasoning(message)?;
    if let Some(said) = message.get("content") {
        parts.extend(content(&said)?);
    }
    if let Some(refusal) = message.get("refusal") {
        parts.push(refusal.part(Content::Refusal(refusal.string()?.to_owned())));
    }
    if let Some(calls) = message.get("tool_calls") {
        for call in calls.items()? {
            parts.push(tool_call(&call)?);
        }
    }
    Ok(parts)
}

/// The details, which may be signed, or else the plain text.
fn reasoning(message: &Field<'_>) -> Result<Vec<Part>, BadRequest> {
    let mut parts = Vec::new();
    if let Some(details) = message.get("reasoning_details") {
        for detail in details.items()? {
            parts.extend(reasoning_detail(&detail)?);
        }
    }
    let is_readable = |part: &Part| matches!(part.content, Content::Reasoning { .. });
    if !parts.iter().any(is_readable) {
        parts.splice(0..0, plain_reasoning(message)?);
    }
    Ok(parts)
}

/// `OpenRouter`'s form of reasoning. Entries of other types, like summaries, are left out.
fn reasoning_detail(detail: &Field<'_>) -> Result<Option<Part>, BadRequest> {
    let content = match detail.text("type")? {
        "reasoning.text" => Content::Reasoning {
            text: detail.optional_text("text")?.unwrap_or_default(),
            signature: signature(detail)?,
        },
        "reasoning.encrypted" => Content::EncryptedReasoning(detail.text("data")?.to_owned()),
        _ => return Ok(None),
    };
    Ok(Some(detail.part(content)))
}

fn signature(detail: &Field<'_>) -> Result<Option<String>, BadRequest> {
    let signature = detail.optional_text("signature")?;
    Ok(signature.filter(|signature| !signature.is_empty()))
}

/// Servers differ in the name.
fn plain_reasoning(message: &Field<'_>) -> Result<Option<Part>, BadRequest> {
    let names = ["reasoning_content", "reasoning"];
    let Some(field) = names.iter().find_map(|name| message.get(name)) else {
        return Ok(None);
    };
    let text = field.string()?.to_owned();
    let signature = None;
    Ok(Some(field.part(Content::Reasoning { text, signature })))
}

fn tool_call(call: &Field<'_>) -> Result<Part, BadRequest> {
    match call.get("type") {
        Some(kind) if kind.string()? != "function" => {
            return Ok(call.part(Content::Other(call.value.clone())));
        }
        _ => {}
    }
    let function = call.need("function")?;
    Ok(function.part(Content::ToolCall(ToolCall {
        id: call.text("id")?.to_owned(),
        name: function.text("name")?.to_owned(),
        arguments: function.text("arguments")?.to_owned(),
    })))
}

fn tool_result(message: &Field<'_>) -> Result<Part, BadRequest> {
    let parts = content(&message.need("content")?)?;
    Ok(message.part(Content::ToolResult {
        id: message.text("tool_call_id")?.to_owned(),
        parts,
        is_error: false,
    }))
}
