//! What a stored answer answers, kept for people: to list, to purge by model, to explain a miss.

use std::borrow::Cow;

use deja_wire::{Endpoint, Role};
use serde::Deserialize;
use serde_json::Value;

/// Characters of a question that are shown in a list.
const SUMMARY_CHARACTERS: usize = 80;

/// A part of a request besides its body that keeps answers apart, such as a header. Its value is
/// kept as a digest: it may be a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePart {
    name: Box<str>,
    digest: [u8; 32],
}

impl ScopePart {
    /// The part of this name, like `header x-team`.
    #[must_use]
    pub fn new(name: &str, value: &[u8]) -> Self {
        Self {
            name: name.into(),
            digest: blake3::hash(value).into(),
        }
    }
}

/// What a stored answer answers.
#[derive(Clone, Debug)]
pub struct Question {
    /// What was called.
    pub endpoint: Endpoint,
    /// The model that was asked for; empty if none was.
    pub model: Box<str>,
    /// The first words of what was said last; empty where they are not to be kept.
    pub summary: Box<str>,
    /// The canonical body, compressed; none where it is not to be kept.
    body: Option<Box<[u8]>>,
    /// What else kept it apart; empty where it is not to be kept.
    scope: Box<[ScopePart]>,
}

/// What is kept of a question besides its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Its body.
    Body,
    /// Its body and its first words, which takes parsing all of it.
    All,
}

/// What is read of every question.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
}

impl Question {
    /// The question that a canonical body asks.
    #[must_use]
    pub fn new(endpoint: Endpoint, canonical: &[u8], keep: Keep) -> Self {
        let Asked { model } = serde_json::from_slice(canonical).unwrap_or_default();
        let summary = match keep {
            Keep::Nothing | Keep::Body => String::new(),
            Keep::All => {
                let body = serde_json::from_slice(canonical).unwrap_or_default();
                summary(endpoint, &body)
            }
        };
        Self {
            endpoint,
            model: model.unwrap_or_default().into(),
            summary: summary.into(),
            body: (keep != Keep::Nothing)
                .then(|| lz4_flex::compress_prepend_size(canonical).into()),
            scope: Box::default(),
        }
    }

    /// The same with the parts of its scope.
    #[must_use]
    pub fn in_scope(self, scope: Box<[ScopePart]>) -> Self {
        Self { scope, ..self }
    }

    /// The names of the parts in which another scope differs, each once.
    #[must_use]
    pub fn scope_differences(&self, other: &[ScopePart]) -> Vec<String> {
        let only = |one: &[ScopePart], other: &[ScopePart]| {
            let missing = one.iter().filter(|part| !other.contains(part));
            missing
                .map(|part| part.name.to_string())
                .collect::<Vec<_>>()
        };
        let mut names = only(&self.scope, other);
        names.extend(only(other, &self.scope));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The body as it was hashed, if it was kept.
    #[must_use]
    pub fn body(&self) -> Option<Value> {
        let bytes = lz4_flex::decompress_size_prepended(self.body.as_ref()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Bytes of memory behind its pointers.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.len());
        let scope = self.scope.iter();
        let scope = scope.map(|part| size_of::<ScopePart>() + part.name.len());
        self.model.len() + self.summary.len() + body + scope.sum::<usize>()
    }
}

fn summary(endpoint: Endpoint, body: &Value) -> String {
    let texts = endpoint.texts(body);
    let last = texts
        .iter()
        .rfind(|text| text.role == Role::User)
        .or(texts.last());
    let words = last.map_or("", |text| text.content.trim_start());
    words
        .chars()
        .take(SUMMARY_CHARACTERS)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_question_is_summed_up_by_the_users_last_words() {
        let body = json!({"model": "m", "messages": [
            {"role": "user", "content": "First."},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": format!("\nWhy\tnot? {}", "x".repeat(100))},
        ]});
        let canonical = body.to_string();
        let question = Question::new(Endpoint::ChatCompletions, canonical.as_bytes(), Keep::All);
        assert!(question.summary.starts_with("Why not? xxx"));
        assert_eq!(question.summary.chars().count(), SUMMARY_CHARACTERS);
        assert_eq!(&*question.model, "m");
        assert_eq!(question.body(), Some(body));
        let part = |name: &str, value: &str| ScopePart::new(name, value.as_bytes());
        let question = question.in_scope([part("a", "1"), part("b", "1")].into());
        let differences = question.scope_differences(&[part("a", "2"), part("c", "1")]);
        assert_eq!(differences, ["a", "b", "c"]);
        let unkept = Question::new(
            Endpoint::ChatCompletions,
            canonical.as_bytes(),
            Keep::Nothing,
        );
        assert_eq!(unkept.body(), None);
        assert!(unkept.heap_bytes() < question.heap_bytes());
    }
}
