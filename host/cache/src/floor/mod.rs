//! The floor: what of a request stays in its key whatever a keyer asks for. It is checked on the
//! body as all keyers together leave it, not edit by edit, so it does not matter by which edits
//! something would go.
//!
//! It stops keyers that leave out what was asked. It does not stop one that takes two different
//! questions for one by a word: how often a keyer does that is what replays measure.

#[cfg(test)]
mod tests;
mod tools;
mod turns;
mod words;

use std::fmt;

use serde_json::Value;

use crate::{Endpoint, edited::Edited, patch::Patch};

/// Whether the floor holds for a keyer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Floor {
    /// Its edits are checked.
    #[default]
    Held,
    /// They are not: for experiments.
    Open,
}

impl Floor {
    /// Returns its name in the configuration and in `/health`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Open => "open",
        }
    }
}

/// A part of the body that the floor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    path: &'static [&'static str],
    how: How,
}

/// How much of a part is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The turns of users and tools, in their order.
    Turns,
    /// The same, among the items of the Responses API; or one text.
    Items,
    /// A text, or a list of them.
    Texts,
    /// The tools, in any order.
    Tools,
    /// All of it, and that it is absent where it is.
    Whole,
}

const fn held(how: How, path: &'static [&'static str]) -> Held {
    Held { path, how }
}

const CHAT_COMPLETIONS: &[Held] = &[
    held(How::Turns, &["messages"]),
    held(How::Tools, &["tools"]),
    held(How::Tools, &["functions"]),
    held(How::Whole, &["n"]),
    held(How::Whole, &["response_format"]),
    held(How::Whole, &["logprobs"]),
    held(How::Whole, &["top_logprobs"]),
    held(How::Whole, &["modalities"]),
    held(How::Whole, &["audio"]),
];

const MESSAGES: &[Held] = &[
    held(How::Turns, &["messages"]),
    held(How::Tools, &["tools"]),
    held(How::Whole, &["output"]),
    held(How::Whole, &["output_config"]),
    held(How::Whole, &["output_format"]),
];

const COMPLETIONS: &[Held] = &[
    held(How::Texts, &["prompt"]),
    held(How::Texts, &["suffix"]),
    held(How::Whole, &["n"]),
    held(How::Whole, &["best_of"]),
    held(How::Whole, &["echo"]),
    held(How::Whole, &["response_format"]),
    held(How::Whole, &["logprobs"]),
];

const EMBEDDINGS: &[Held] = &[
    held(How::Texts, &["input"]),
    held(How::Whole, &["dimensions"]),
    held(How::Whole, &["encoding_format"]),
];

const RESPONSES: &[Held] = &[
    held(How::Items, &["input"]),
    held(How::Tools, &["tools"]),
    held(How::Whole, &["previous_response_id"]),
    held(How::Whole, &["conversation"]),
    held(How::Whole, &["prompt"]),
    held(How::Whole, &["include"]),
    held(How::Whole, &["text"]),
    held(How::Whole, &["top_logprobs"]),
];

/// Returns what the floor holds of a request to this endpoint.
fn parts(endpoint: Endpoint) -> &'static [Held] {
    match endpoint {
        Endpoint::ChatCompletions => CHAT_COMPLETIONS,
        Endpoint::Messages | Endpoint::CountTokens => MESSAGES,
        Endpoint::Completions => COMPLETIONS,
        Endpoint::Embeddings => EMBEDDINGS,
        Endpoint::Responses => RESPONSES,
    }
}

/// Returns the first part that is not kept between a body as it came and another one with a patch
/// to it, if there is one.
pub(crate) fn broken(
    endpoint: Endpoint,
    came: &Value,
    body: &Value,
    patch: &Patch,
) -> Option<Held> {
    let (came, left) = (Edited::whole(came), Edited::new(body, patch));
    if left.is_untouched(came) {
        return None;
    }
    let is_broken = |held: &&Held| match (came.at(held.path), left.at(held.path)) {
        (Some(came), Some(left)) => !held.how.is_kept(came, left),
        (came, left) => came.is_some() || left.is_some(),
    };
    parts(endpoint).iter().find(is_broken).copied()
}

impl How {
    fn is_kept(self, came: Edited<'_>, left: Edited<'_>) -> bool {
        left.is_untouched(came)
            || match self {
                Self::Turns => turns::are_kept(came, left),
                Self::Items => turns::items_are_kept(came, left),
                Self::Texts => turns::texts_are_kept(came, left),
                Self::Tools => tools::are_kept(came, left),
                Self::Whole => left.equals(came),
            }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.path.join(".");
        match self.how {
            How::Turns | How::Items => write!(
                f,
                "users' and tools' turns in `{place}` keep their parts, and half of the words of each text"
            ),
            How::Texts => write!(f, "`{place}` keeps half of the words of each text"),
            How::Tools => write!(f, "`{place}` can be sorted, and stays as it is"),
            How::Whole => write!(f, "`{place}` stays as it is"),
        }
    }
}
