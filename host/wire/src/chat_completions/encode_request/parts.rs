//! The parts that turns are made of.

use serde_json::{Value, json};

use crate::{
    BadRequest, Content, Media, Part, Request, ToolCall,
    encode_request::{Omissions, object, unsupported_part},
};

/// How a document without a name is called.
const UNNAMED_DOCUMENT: &str = "document.pdf";

/// Encodes what the user or a tool shows the model, unless it has no form here and may be left out.
pub(super) fn part(part: &Part, omissions: &mut Omissions) -> Result<Option<Value>, BadRequest> {
    let encoded = match &part.content {
        Content::Text(text) => Some(json!({"type": "text", "text": text})),
        Content::Image { source, detail } => image(source, detail.as_deref()),
        Content::Document { source, name } => document(source, name.as_deref()),
        _ => None,
    };
    if encoded.is_none() {
        omissions.refuse(unsupported_part(part))?;
    }
    Ok(encoded)
}

fn image(source: &Media, detail: Option<&str>) -> Option<Value> {
    let image = object([("url", json!(source.url()?)), ("detail", json!(detail))]);
    Some(json!({"type": "image_url", "image_url": image}))
}

/// Only bytes have a form here: a file is known to the vendor to which it was uploaded.
fn document(source: &Media, name: Option<&str>) -> Option<Value> {
    let data @ Media::Base64 { .. } = source else {
        return None;
    };
    let name = name.unwrap_or(UNNAMED_DOCUMENT);
    let file = json!({"filename": name, "file_data": data.url()});
    Some(json!({"type": "file", "file": file}))
}

/// Returns parts as a message's content. Many servers take only a string, so lists are kept for
/// what is not text.
pub(super) fn string_or_parts(parts: Vec<Value>, request: &Request) -> Value {
    let texts: Option<Vec<_>> = parts.iter().map(|part| part["text"].as_str()).collect();
    match texts {
        Some(texts) => request.join(texts).into(),
        None => Value::Array(parts),
    }
}

/// The text of a part, if it is of one kind.
pub(super) type Pick = fn(&Part) -> Option<&str>;

/// Returns what is said.
pub(super) fn text(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Text(text) => Some(text),
        _ => None,
    }
}

/// Returns what is refused.
pub(super) fn refusal(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Refusal(text) => Some(text),
        _ => None,
    }
}

/// Returns what is thought.
pub(super) fn reasoning(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Reasoning { text, .. } => Some(text),
        _ => None,
    }
}

/// Returns what is called.
pub(super) fn tool_call(part: &Part) -> Option<&ToolCall> {
    match &part.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    }
}
