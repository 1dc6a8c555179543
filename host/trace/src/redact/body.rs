//! Credentials inside the bodies of requests and answers: those of tool servers, and signed URLs.
//!
//! A body is scanned as text and changed only where a credential stands, so that numbers and
//! spacing stay as they came; also one that is no JSON is read so far as it looks like it.

use std::{borrow::Cow, ops::Range};

use deja_cache::HeaderRules;

use super::{REDACTED, redacted_query};

/// Fields whose text is a credential, in lower case with hyphens.
const SECRET_FIELDS: [&str; 20] = [
    "access-key",
    "access-token",
    "api-key",
    "apikey",
    "auth-token",
    "authorization",
    "authorization-token",
    "bearer-token",
    "client-secret",
    "id-token",
    "jwt",
    "passwd",
    "password",
    "private-key",
    "refresh-token",
    "secret",
    "secret-key",
    "session-token",
    "x-api-key",
    "xi-api-key",
];

/// How deep JSON may stand as text within JSON, as the arguments of a tool call do.
const DEEPEST: usize = 3;

/// A body in which credentials are replaced.
pub(crate) fn redacted_body(body: &str) -> Cow<'_, str> {
    redacted(body, 0)
}

fn redacted(body: &str, depth: usize) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut copied = 0;
    for (content, replacement) in Strings::of(body).filter_map(|string| {
        let replacement = replacement(&string, &body[string.content.clone()], depth)?;
        Some((string.content, replacement))
    }) {
        replaced.push_str(&body[copied..content.start]);
        replaced.push_str(&replacement);
        copied = content.end;
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    replaced.push_str(&body[copied..]);
    Cow::Owned(replaced)
}

/// What takes the place of a string's content, escaped as it stands in the body; none if it stays.
fn replacement(string: &JsonString<'_>, content: &str, depth: usize) -> Option<String> {
    if string.is_secret() {
        return Some(REDACTED.to_owned());
    }
    let may_be_json = content.contains("\\\"") && depth < DEEPEST;
    if !may_be_json && !content.contains("://") && !content.contains("\\/\\/") {
        return None;
    }
    let text: String = serde_json::from_str(&format!("\"{content}\"")).ok()?;
    let urls = redacted_urls(&text);
    let inner = if may_be_json {
        redacted(&urls, depth + 1)
    } else {
        Cow::Borrowed(&*urls)
    };
    if inner == text {
        return None;
    }
    let quoted = serde_json::to_string(&inner).ok()?;
    Some(quoted[1..quoted.len() - 1].to_owned())
}

/// A text in which the credentials of all URLs are replaced.
fn redacted_urls(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | ']');
        let (url, after) = url.split_at(url.find(is_end).unwrap_or(url.len()));
        replaced.push_str(before);
        replaced.push_str(&redacted_url(url));
        rest = after;
    }
    replaced.push_str(rest);
    if replaced == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(replaced)
}

/// A URL without its scheme, in which a password and the credentials of the query are replaced.
fn redacted_url(url: &str) -> String {
    let (url, fragment) = match url.find('#') {
        Some(at) => url.split_at(at),
        None => (url, ""),
    };
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let (authority, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    let mut redacted = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}{rest}"),
        None => path.to_owned(),
    };
    if url.contains('?') {
        redacted.push('?');
        redacted.push_str(&redacted_query(query));
    }
    redacted + fragment
}

/// A string that is a field's value, or stands in a list.
struct JsonString<'a> {
    /// The field's name, as it stands there; empty in a list.
    field: &'a str,
    /// The name of the field whose object the field is in.
    parent: &'a str,
    /// Where its content stands, without the quotation marks.
    content: Range<usize>,
}

impl JsonString<'_> {
    fn is_secret(&self) -> bool {
        let name = self.field.to_ascii_lowercase();
        if self.parent == "headers" {
            return !name.is_empty() && !HeaderRules::default().shows(&name);
        }
        SECRET_FIELDS.contains(&&*name.replace('_', "-"))
    }
}

/// The strings of a JSON text that are no names of fields, in their order.
struct Strings<'a> {
    text: &'a str,
    at: usize,
    /// The names of the fields whose objects and lists are open.
    open: Vec<&'a str>,
    /// The name of the field whose value comes next.
    field: &'a str,
}

impl<'a> Strings<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
            field: "",
        }
    }

    /// The content of the string that begins behind `at`, which is passed.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(bytes.len());
        self.at = (end + 1).min(bytes.len());
        start..end
    }

    fn is_name(&self) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = JsonString<'a>;

    fn next(&mut self) -> Option<JsonString<'a>> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => {
                    let content = self.string();
                    if self.is_name() {
                        self.field = self.text.get(content)?;
                        continue;
                    }
                    let field = std::mem::take(&mut self.field);
                    let parent = self.open.last().copied().unwrap_or_default();
                    return Some(JsonString {
                        field,
                        parent,
                        content,
                    });
                }
                b'{' | b'[' => self.open.push(std::mem::take(&mut self.field)),
                b'}' | b']' => drop(self.open.pop()),
                b',' => self.field = "",
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_of_tool_servers_are_replaced_and_nothing_else() {
        let body = r#"{"max_tokens": 1.50, "mcp_servers": [{"url": "https://x.example/sse",
            "authorization_token": "s3cret", "name": "a"}],
            "tools": [{"type": "mcp", "headers": {"X-Any": "s3cret", "User-Agent": "me"},
              "authorization": "s3cret"},
              {"name": "login", "input_schema": {"properties": {"password": {"type": "string"}}}}],
            "token": "stays", "prompt_cache_key": "stays"}"#;
        let redacted = redacted_body(body);
        assert!(!redacted.contains("s3cret"), "{redacted}");
        assert_eq!(redacted.replace("redacted", "s3cret"), body);
    }

    #[test]
    fn urls_are_without_signatures_and_passwords() {
        for (body, expected) in [
            (
                r#"["see https://s3.example/a?X-Amz-Signature=abc&x=1#top now"]"#,
                r#"["see https://s3.example/a?X-Amz-Signature=redacted&x=1#top now"]"#,
            ),
            (
                r#"{"url":"https:\/\/a:b@x.example\/?sig=1"}"#,
                r#"{"url":"https://redacted@x.example/?sig=redacted"}"#,
            ),
            (
                r#"{"arguments":"{\"password\":\"s3cret\",\"n\":1}"}"#,
                r#"{"arguments":"{\"password\":\"redacted\",\"n\":1}"}"#,
            ),
        ] {
            assert_eq!(redacted_body(body), expected);
        }
    }

    #[test]
    fn what_holds_no_credential_is_not_copied() {
        for body in [
            r#"{"a": "https://x.example/?page=2"}"#,
            "no \"json",
            "\"\\",
            "",
        ] {
            assert!(matches!(redacted_body(body), Cow::Borrowed(_)), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in r#"[{}\[\],:"\\ a/?=@é]{0,40}"#) {
            redacted_body(&text);
        }
    }
}
