//! The blocks that turns are made of.

use serde_json::{Map, Value, json};

use crate::{
    BadRequest, Content, Media, Part, Role, ToolCall, Turn,
    encode_request::{Omissions, object, unsupported_part},
};

/// Encodes the parts of a turn.
pub(super) fn blocks(turn: &Turn, omissions: &mut Omissions) -> Result<Vec<Value>, BadRequest> {
    let mut blocks = Vec::new();
    for part in &turn.parts {
        blocks.extend(match turn.role {
            Role::Assistant => said_by_model(part, omissions)?,
            Role::Tool => tool_result(part, omissions)?,
            Role::System | Role::User => shown(part, omissions)?,
        });
    }
    Ok(blocks)
}

/// Returns the texts of a turn that holds nothing else.
pub(super) fn texts<'a>(
    parts: &'a [Part],
    omissions: &mut Omissions,
) -> Result<Vec<&'a str>, BadRequest> {
    let mut texts = Vec::new();
    for part in parts {
        match &part.content {
            Content::Text(text) => texts.extend(nonempty(text)),
            _ => omissions.refuse(unsupported_part(part))?,
        }
    }
    Ok(texts)
}

/// Encodes what the user or a tool shows the model.
fn shown(part: &Part, omissions: &mut Omissions) -> Result<Option<Value>, BadRequest> {
    let block = match &part.content {
        Content::Text(text) => return Ok(nonempty(text).map(text_block)),
        Content::Image { source, .. } => {
            source_of(source).map(|source| json!({"type": "image", "source": source}))
        }
        Content::Document { source, name } => document(source, name.as_deref()),
        _ => None,
    };
    if block.is_none() {
        omissions.refuse(unsupported_part(part))?;
    }
    Ok(block)
}

/// Encodes what the model thought, said or called. Anthropic takes back only thoughts that it has
/// signed.
fn said_by_model(part: &Part, omissions: &mut Omissions) -> Result<Option<Value>, BadRequest> {
    Ok(match &part.content {
        Content::Text(text) | Content::Refusal(text) => nonempty(text).map(text_block),
        Content::ToolCall(call) => Some(tool_use(call, &part.place)?),
        Content::Reasoning {
            text,
            signature: Some(signature),
        } => Some(json!({"type": "thinking", "thinking": text, "signature": signature})),
        Content::EncryptedReasoning(data) => {
            Some(json!({"type": "redacted_thinking", "data": data}))
        }
        Content::Reasoning { .. } => {
            omissions.leave_out(&part.place);
            None
        }
        _ => {
            omissions.refuse(unsupported_part(part))?;
            None
        }
    })
}

fn tool_use(call: &ToolCall, place: &str) -> Result<Value, BadRequest> {
    let input = input(&call.arguments).ok_or_else(|| {
        BadRequest::field(format!("{place}.arguments"), "must hold a JSON object")
    })?;
    Ok(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}))
}

/// Models write nothing at all for a function without parameters.
fn input(arguments: &str) -> Option<Map<String, Value>> {
    if arguments.trim().is_empty() {
        return Some(Map::new());
    }
    serde_json::from_str(arguments).ok()
}

fn tool_result(part: &Part, omissions: &mut Omissions) -> Result<Option<Value>, BadRequest> {
    let Content::ToolResult {
        id,
        parts,
        is_error,
    } = &part.content
    else {
        omissions.refuse(unsupported_part(part))?;
        return Ok(None);
    };
    Ok(Some(Value::Object(object([
        ("type", json!("tool_result")),
        ("tool_use_id", json!(id)),
        ("content", result_content(parts, omissions)?),
        ("is_error", json!(is_error.then_some(true))),
    ]))))
}

/// A single text stands as a string.
fn result_content(parts: &[Part], omissions: &mut Omissions) -> Result<Value, BadRequest> {
    if let [
        Part {
            content: Content::Text(text),
            ..
        },
    ] = parts
    {
        return Ok(json!(text));
    }
    let mut blocks = Vec::new();
    for part in parts {
        blocks.extend(shown(part, omissions)?);
    }
    Ok(blocks.into())
}

/// Anthropic refuses empty texts.
fn nonempty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Encodes a text.
pub(super) fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// Only a PDF has a form here as a document.
fn document(source: &Media, name: Option<&str>) -> Option<Value> {
    let source = match source {
        Media::Base64 { media_type, .. } if media_type != "application/pdf" => return None,
        source => source_of(source)?,
    };
    let document = [
        ("type", json!("document")),
        ("source", source),
        ("title", json!(name)),
    ];
    Some(object(document).into())
}

/// A file is known only to the vendor to which it was uploaded.
fn source_of(media: &Media) -> Option<Value> {
    match media {
        Media::Url(url) => Some(json!({"type": "url", "url": url})),
        Media::Base64 { media_type, data } => {
            Some(json!({"type": "base64", "media_type": media_type, "data": data}))
        }
        Media::File(_) => None,
    }
}
