//! Changes single fields of a JSON text and leaves every other byte as it came: a client's numbers,
//! spaces and order of fields are its own.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json, value::RawValue};

/// The fields that are changed, where they stand.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    model: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stream_options: Option<&'a RawValue>,
}

/// A field that is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

/// The body with another model in it. A body without a model stays without.
pub(super) fn with_model(body: &Bytes, model: &str) -> serde_json::Result<Bytes> {
    let text = text(body)?;
    let fields: Fields<'_> = serde_json::from_str(text)?;
    Ok(match fields.model {
        Some(value) if !is_string(value, model) => {
            replaced(text, range(text, value.get()), &json!(model).to_string())
        }
        _ => body.clone(),
    })
}

/// The body with the wish for a stream's token counts in it.
pub(super) fn with_usage(body: &Bytes) -> serde_json::Result<Bytes> {
    let text = text(body)?;
    let fields: Fields<'_> = serde_json::from_str(text)?;
    let Some(value) = fields.stream_options else {
        let wish = "\"stream_options\":{\"include_usage\":true},";
        let start = text.find('{').map_or(0, |brace| brace + 1);
        return Ok(replaced(text, start..start, wish));
    };
    let options: Option<Map<String, Value>> = serde_json::from_str(value.get())?;
    let mut options = options.unwrap_or_default();
    let wished = options.insert("include_usage".to_owned(), true.into());
    if wished == Some(true.into()) {
        return Ok(body.clone());
    }
    let options = Value::Object(options).to_string();
    Ok(replaced(text, range(text, value.get()), &options))
}

fn text(body: &Bytes) -> serde_json::Result<&str> {
    std::str::from_utf8(body).map_err(serde::de::Error::custom)
}

fn is_string(value: &RawValue, text: &str) -> bool {
    serde_json::from_str::<String>(value.get()).is_ok_and(|value| value == text)
}

/// Where a part of a text stands in it.
fn range(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> Bytes {
    [&text[..range.start], with, &text[range.end..]]
        .concat()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn only_the_model_changes() {
        let asked = body(r#"{ "seed":12345678901234567890123, "model" : "a\u0062", "t":0.10 }"#);
        let renamed = with_model(&asked, "qwen/3").expect("it is JSON");
        assert_eq!(
            renamed,
            r#"{ "seed":12345678901234567890123, "model" : "qwen/3", "t":0.10 }"#
        );
        assert_eq!(with_model(&asked, "ab").expect("it is JSON"), asked);
        let nameless = body("{}");
        assert_eq!(with_model(&nameless, "x").expect("it is JSON"), nameless);
    }

    #[test]
    fn the_wish_for_counts_is_added_to_others() {
        let wish = |text| with_usage(&body(text)).expect("it is JSON");
        assert_eq!(
            wish(r#"{"stream":true}"#),
            r#"{"stream_options":{"include_usage":true},"stream":true}"#
        );
        assert_eq!(
            wish(r#"{"stream_options":{"include_obfuscation":false},"stream":true}"#),
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true}"#
        );
        assert_eq!(
            wish(r#"{"stream":true,"stream_options":null}"#),
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#
        );
        let wished = r#"{"stream_options": {"include_usage": true}}"#;
        assert_eq!(wish(wished), wished);
        assert!(with_usage(&body(r#"{"stream_options": [null]}"#)).is_err());
    }
}
