//! The model that a body names, as far as its start shows it.

use hyper::{HeaderMap, header::CONTENT_TYPE};
use memchr::memmem;
use serde::Deserialize;

/// Returns the model that a body names in JSON or in a form, if its start shows one.
pub(super) fn named(headers: &HeaderMap, start: &[u8]) -> Option<String> {
    let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if media_type.starts_with("multipart/form-data") {
        in_form(start)
    } else {
        in_json(start)
    }
}

fn in_json(start: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        model: String,
    }
    if let Ok(body) = serde_json::from_slice::<Body>(start) {
        return Some(body.model);
    }
    // The start of a longer text: the first field of this name is the outermost, but for bodies
    // that put another object before it.
    let (_, rest) = split(start, b"\"model\"")?;
    let value = rest.trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter();
    values.next()?.ok()
}

/// RFC 7578: a part's headers end with an empty line, its value before the next boundary.
fn in_form(start: &[u8]) -> Option<String> {
    let (_, part) = split(start, b"name=\"model\"")?;
    let (_, value) = split(part, b"\r\n\r\n")?;
    let (value, _) = split(value, b"\r\n")?;
    String::from_utf8(value.to_owned()).ok()
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = memmem::find(text, at)?;
    Some((&text[..start], &text[start + at.len()..]))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn found(media_type: &'static str, start: &str) -> Option<String> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(media_type))];
        named(&headers.into_iter().collect(), start.as_bytes())
    }

    #[test]
    fn a_model_is_found_in_json_and_in_forms() {
        let json = r#"{"prompt": "a cat", "model": "dall-e"}"#;
        assert_eq!(found("application/json", json).as_deref(), Some("dall-e"));
        let cut = r#"{"model" : "whisper", "file": "UklGR"#;
        assert_eq!(found("application/json", cut).as_deref(), Some("whisper"));
        let form =
            "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--x\r\n";
        let found_in_form = found("multipart/form-data; boundary=x", form);
        assert_eq!(found_in_form.as_deref(), Some("whisper"));
    }

    #[test]
    fn what_names_no_model_has_none() {
        for start in ["", "{", r#"{"model": 7}"#, r#"{"model": "cut o"#, "model"] {
            assert_eq!(found("application/json", start), None, "{start}");
            assert_eq!(found("multipart/form-data", start), None, "{start}");
        }
        assert_eq!(named(&HeaderMap::new(), br#"{"model": "m"}"#), None);
    }
}
