//! The blocks that turns are made of.

use crate::{BadRequest, Content, Media, Part, ToolCall, field::Field};

/// Decodes a content: one string, or a list of blocks.
pub(super) fn blocks(content: &Field<'_>) -> Result<Vec<Part>, BadRequest> {
    match content.value.as_str() {
        Some(text) => Ok(vec![content.part(Content::Text(text.to_owned()))]),
        None => content.items()?.iter().map(block).collect(),
    }
}

/// Decodes a block of any turn.
pub(super) fn block(block: &Field<'_>) -> Result<Part, BadRequest> {
    let content = match block.text("type")? {
        "text" => Content::Text(block.text("text")?.to_owned()),
        "image" => image(&block.need("source")?)?,
        "document" => document(block)?,
        "thinking" => reasoning(block)?,
        "redacted_thinking" => Content::EncryptedReasoning(block.text("data")?.to_owned()),
        "tool_use" => tool_call(block)?,
        _ => Content::Other(block.value.clone()),
    };
    Ok(block.part(content))
}

/// Decodes what a tool answered.
pub(super) fn tool_result(block: &Field<'_>) -> Result<Part, BadRequest> {
    let content = block.get("content");
    let is_error = block.optional_boolean("is_error")?;
    Ok(block.part(Content::ToolResult {
        id: block.text("tool_use_id")?.to_owned(),
        parts: content.map_or(Ok(Vec::new()), |content| blocks(&content))?,
        is_error: is_error.unwrap_or_default(),
    }))
}

fn image(source: &Field<'_>) -> Result<Content, BadRequest> {
    let (source, detail) = (media(source)?, None);
    Ok(Content::Image { source, detail })
}

/// A document that is a text is no more than that text.
fn document(block: &Field<'_>) -> Result<Content, BadRequest> {
    let source = block.need("source")?;
    if source.text("type")? == "text" {
        return Ok(Content::Text(source.text("data")?.to_owned()));
    }
    Ok(Content::Document {
        source: media(&source)?,
        name: block.optional_text("title")?,
    })
}

fn media(source: &Field<'_>) -> Result<Media, BadRequest> {
    let text = |name| source.text(name).map(str::to_owned);
    match source.text("type")? {
        "base64" => Ok(Media::Base64 {
            media_type: text("media_type")?,
            data: text("data")?,
        }),
        "url" => Ok(Media::Url(text("url")?)),
        "file" => Ok(Media::File(text("file_id")?)),
        _ => Err(source.unknown_type()),
    }
}

/// Servers that sign no thoughts leave the signature empty.
fn reasoning(block: &Field<'_>) -> Result<Content, BadRequest> {
    let signature = block.optional_text("signature")?;
    Ok(Content::Reasoning {
        text: block.text("thinking")?.to_owned(),
        signature: signature.filter(|signature| !signature.is_empty()),
    })
}

fn tool_call(block: &Field<'_>) -> Result<Content, BadRequest> {
    Ok(Content::ToolCall(ToolCall {
        id: block.text("id")?.to_owned(),
        name: block.text("name")?.to_owned(),
        arguments: block.need("input")?.value.to_string(),
    }))
}
