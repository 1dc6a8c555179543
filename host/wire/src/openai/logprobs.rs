//! The probabilities of tokens, in the forms of the two APIs.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use crate::{Candidate, TokenLogprob};

/// A chat choice's `logprobs`.
#[derive(Serialize)]
pub(crate) struct ChatLogprobs<'a> {
    content: Vec<ChatToken<'a>>,
    refusal: (),
}

#[derive(Serialize)]
struct ChatToken<'a> {
    #[serde(flatten)]
    token: ChatCandidate<'a>,
    top_logprobs: Vec<ChatCandidate<'a>>,
}

#[derive(Serialize)]
struct ChatCandidate<'a> {
    token: Cow<'a, str>,
    logprob: Option<f32>,
    bytes: &'a [u8],
}

impl<'a> From<&'a Candidate> for ChatCandidate<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self {
            token: String::from_utf8_lossy(&candidate.bytes),
            logprob: candidate.logprob,
            bytes: &candidate.bytes,
        }
    }
}

/// These tokens for chat; nothing if there are none.
pub(crate) fn chat_logprobs(tokens: &[TokenLogprob]) -> Option<ChatLogprobs<'_>> {
    let content = tokens.iter().map(|token| ChatToken {
        token: (&token.token).into(),
        top_logprobs: token.top.iter().map(Into::into).collect(),
    });
    (!tokens.is_empty()).then(|| ChatLogprobs {
        content: content.collect(),
        refusal: (),
    })
}

/// A completion choice's `logprobs`.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CompletionLogprobs {
    text_offset: Vec<usize>,
    token_logprobs: Vec<Option<f32>>,
    tokens: Vec<String>,
    top_logprobs: Vec<Option<BTreeMap<String, Option<f32>>>>,
}

impl CompletionLogprobs {
    /// Adds the tokens that follow.
    pub(crate) fn extend(&mut self, next: &Self) {
        self.text_offset.extend_from_slice(&next.text_offset);
        self.token_logprobs.extend_from_slice(&next.token_logprobs);
        self.tokens.extend_from_slice(&next.tokens);
        self.top_logprobs.extend_from_slice(&next.top_logprobs);
    }
}

/// These tokens for a completion whose text had `offset` characters before them, which is moved
/// on; nothing if there are none.
pub(crate) fn completion_logprobs(
    tokens: &[TokenLogprob],
    offset: &mut usize,
) -> Option<CompletionLogprobs> {
    let mut logprobs = CompletionLogprobs::default();
    for TokenLogprob { token, top } in tokens {
        logprobs.text_offset.push(*offset);
        logprobs.token_logprobs.push(token.logprob);
        logprobs.tokens.push(text(token));
        let is_known = token.logprob.is_some();
        logprobs.top_logprobs.push(is_known.then(|| by_text(top)));
        *offset += characters(&token.bytes);
    }
    (!tokens.is_empty()).then_some(logprobs)
}

fn text(candidate: &Candidate) -> String {
    String::from_utf8_lossy(&candidate.bytes).into_owned()
}

/// Different parts of characters have the same text: the likeliest counts.
fn by_text(top: &[Candidate]) -> BTreeMap<String, Option<f32>> {
    let mut candidates = BTreeMap::new();
    for candidate in top {
        candidates
            .entry(text(candidate))
            .or_insert(candidate.logprob);
    }
    candidates
}

/// Characters that begin in these bytes.
fn characters(bytes: &[u8]) -> usize {
    let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    bytes.len() - bytes.iter().filter(continues).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn candidate(bytes: &[u8], logprob: Option<f32>) -> Candidate {
        Candidate {
            bytes: bytes.to_vec(),
            logprob,
        }
    }

    /// `é` in two tokens, and the likeliest in the place of the second.
    fn tokens() -> Vec<TokenLogprob> {
        let first = TokenLogprob {
            token: candidate(&[0xC3], None),
            top: Vec::new(),
        };
        let second = TokenLogprob {
            token: candidate(&[0xA9], Some(-1.5)),
            top: vec![
                candidate(&[0xA8], Some(-0.5)),
                candidate(&[0xA9], Some(-1.5)),
            ],
        };
        vec![first, second]
    }

    #[test]
    fn chat_tells_bytes_too() {
        let json = serde_json::to_value(chat_logprobs(&tokens())).expect("is JSON");
        let expected = json!({
            "token": "\u{FFFD}", "logprob": -1.5, "bytes": [0xA9], "top_logprobs": [
                {"token": "\u{FFFD}", "logprob": -0.5, "bytes": [0xA8]},
                {"token": "\u{FFFD}", "logprob": -1.5, "bytes": [0xA9]},
            ],
        });
        assert_eq!(json["content"][1], expected);
        assert!(chat_logprobs(&[]).is_none());
    }

    #[test]
    fn completions_tell_where_tokens_begin() {
        let mut offset = 3;
        let logprobs = completion_logprobs(&tokens(), &mut offset);
        let expected = json!({
            "text_offset": [3, 4],
            "token_logprobs": [null, -1.5],
            "tokens": ["\u{FFFD}", "\u{FFFD}"],
            "top_logprobs": [null, {"\u{FFFD}": -0.5}],
        });
        assert_eq!(serde_json::to_value(logprobs).expect("is JSON"), expected);
        assert_eq!(offset, 4);
    }
}
