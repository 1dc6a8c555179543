//! For plugins that say what counts as the same question.

use std::ops::Range;

#[cfg(target_family = "wasm")]
pub use crate::bindings::keyer::deja::policy::http_request::Request;
pub use crate::bindings::keyer::deja::policy::http_request::{Endpoint, Role, Text};
pub use crate::bindings::keyer::exports::deja::policy::keyer::{
    Assignment, Change, Decision, Edit, Recipe, Splice,
};
#[cfg(not(target_family = "wasm"))]
pub use crate::testing::Request;

/// Says what in a request does not matter.
pub trait Keyer {
    /// Decides about one request. An error leaves the cache out.
    fn decide(request: &Request) -> Result<Decision, String>;
}

impl Edit {
    /// Takes the value at a pointer out.
    #[must_use]
    pub fn remove(rule: &str, pointer: &str) -> Self {
        Self::new(rule, Change::Remove(pointer.to_owned()))
    }

    /// Puts JSON in the place of the value at a pointer.
    #[must_use]
    pub fn replace(rule: &str, pointer: &str, json: &str) -> Self {
        let (pointer, json) = (pointer.to_owned(), json.to_owned());
        Self::new(rule, Change::Replace(Assignment { pointer, json }))
    }

    /// Puts a replacement where these bytes of the string at a pointer stand.
    #[must_use]
    pub fn splice(rule: &str, pointer: &str, bytes: Range<usize>, replacement: &str) -> Self {
        let splice = Splice {
            pointer: pointer.to_owned(),
            start: offset(bytes.start),
            end: offset(bytes.end),
            replacement: replacement.to_owned(),
        };
        Self::new(rule, Change::Rewrite(splice))
    }

    fn new(rule: &str, change: Change) -> Self {
        let rule = rule.to_owned();
        Self { rule, change }
    }
}

/// No string that fits into a component is longer than an offset can say.
fn offset(byte: usize) -> u32 {
    u32::try_from(byte).unwrap_or(u32::MAX)
}

impl Text {
    /// The edit that makes this text another one, if it is: from the first character that differs
    /// to the last.
    #[must_use]
    pub fn becomes(&self, rule: &str, wanted: &str) -> Option<Edit> {
        if self.content == wanted {
            return None;
        }
        let start = same_length(self.content.chars(), wanted.chars());
        let (old, new) = (&self.content[start..], &wanted[start..]);
        let tail = same_length(old.chars().rev(), new.chars().rev());
        let bytes = start..self.content.len() - tail;
        let replacement = &new[..new.len() - tail];
        Some(Edit::splice(rule, &self.pointer, bytes, replacement))
    }
}

/// Bytes of the characters that two texts have in common before the first that differs.
fn same_length(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    let pairs = one.zip(other);
    let same = pairs.take_while(|(one, other)| one == other);
    same.map(|(character, _)| character.len_utf8()).sum()
}

impl From<Vec<Edit>> for Recipe {
    fn from(edits: Vec<Edit>) -> Self {
        Self {
            edits,
            partition: None,
            ttl_seconds: None,
            tags: Vec::new(),
        }
    }
}

impl From<Vec<Edit>> for Decision {
    /// Cache it; these edits are what does not matter.
    fn from(edits: Vec<Edit>) -> Self {
        Self::Cache(Recipe::from(edits))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::canonical;

    fn text(content: &str) -> Text {
        Text {
            pointer: "/messages/0/content".to_owned(),
            role: Role::User,
            content: content.to_owned(),
        }
    }

    #[test]
    fn an_edit_reaches_from_the_first_difference_to_the_last() {
        let edit = text("What is Ü, then?").becomes("case", "what is ü, then?");
        assert_eq!(
            edit,
            Some(Edit::splice(
                "case",
                "/messages/0/content",
                0..10,
                "what is ü"
            ))
        );
        assert_eq!(text("same").becomes("case", "same"), None);
    }

    proptest! {
        #[test]
        fn a_text_becomes_what_is_wanted(content in "[abä東]{0,8}", wanted in "[abä東]{0,8}") {
            let body = json!({"messages": [{"role": "user", "content": content}]});
            let edits = Vec::from_iter(text(&content).becomes("rule", &wanted));
            let body = canonical(&body, &edits);
            prop_assert_eq!(&body["messages"][0]["content"], &json!(wanted));
        }
    }
}
