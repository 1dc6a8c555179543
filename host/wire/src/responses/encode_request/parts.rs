//! The parts of messages and of the outputs of tools.

use serde_json::{Value, json};

use crate::{
    BadRequest, Content, Media, Part, Role,
    encode_request::{Omissions, object, unsupported_part},
};

/// Encodes the parts that a message of this role or a tool's output can hold.
pub(super) fn parts<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    role: Role,
    omissions: &mut Omissions,
) -> Result<Vec<Value>, BadRequest> {
    let mut encoded = Vec::new();
    for part in parts {
        match self::part(part, role) {
            Some(part) => encoded.push(part),
            None => omissions.refuse(unsupported_part(part))?,
        }
    }
    Ok(encoded)
}

fn part(part: &Part, role: Role) -> Option<Value> {
    match &part.content {
        Content::Text(text) if role == Role::Assistant => {
            Some(json!({"type": "output_text", "text": text}))
        }
        Content::Text(text) => Some(json!({"type": "input_text", "text": text})),
        Content::Refusal(refusal) => Some(json!({"type": "refusal", "refusal": refusal})),
        Content::Image { source, detail } => {
            let detail = detail.as_deref().unwrap_or("auto");
            let (name, value) = match source {
                Media::File(id) => ("file_id", Some(id.clone())),
                source => ("image_url", source.url()),
            };
            Some(json!({"type": "input_image", name: value, "detail": detail}))
        }
        Content::Document { source, name } => Some(document(source, name.as_deref())),
        _ => None,
    }
}

/// Data without a name is refused by `OpenAI`.
fn document(source: &Media, name: Option<&str>) -> Value {
    let (field, value, name) = match source {
        Media::File(id) => ("file_id", Some(id.clone()), None),
        Media::Url(url) => ("file_url", Some(url.clone()), None),
        data @ Media::Base64 { .. } => ("file_data", data.url(), Some(name.unwrap_or("document"))),
    };
    object([
        ("type", "input_file".into()),
        (field, json!(value)),
        ("filename", json!(name)),
    ])
    .into()
}
