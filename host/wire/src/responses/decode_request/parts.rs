//! The parts of messages and of the outputs of tools.

use crate::{BadRequest, Content, Media, Part, field::Field};

/// Decodes one string, or a list of parts.
pub(super) fn content(content: &Field<'_>) -> Result<Vec<Part>, BadRequest> {
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
        "input_text" | "output_text" | "text" => Content::Text(part.text("text")?.to_owned()),
        "refusal" => Content::Refusal(part.text("refusal")?.to_owned()),
        "input_image" => image(part)?,
        "input_file" => document(part)?,
        _ => Content::Other(part.value.clone()),
    };
    Ok(part.part(content))
}

fn image(image: &Field<'_>) -> Result<Content, BadRequest> {
    let source = match image.optional_text("file_id")? {
        Some(id) => Media::File(id),
        None => media(&image.need("image_url")?)?,
    };
    Ok(Content::Image {
        source,
        detail: image.optional_text("detail")?,
    })
}

fn document(file: &Field<'_>) -> Result<Content, BadRequest> {
    let source = match (file.optional_text("file_id")?, file.get("file_url")) {
        (Some(id), _) => Media::File(id),
        (None, Some(url)) => media(&url)?,
        (None, None) => media(&file.need("file_data")?)?,
    };
    Ok(Content::Document {
        source,
        name: file.optional_text("filename")?,
    })
}

fn media(url: &Field<'_>) -> Result<Media, BadRequest> {
    let source = Media::of_url(url.string()?);
    source.ok_or_else(|| url.wrong("must be a URL, or data in base64"))
}
