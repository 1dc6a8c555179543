//! What the chunks of every stream share.

use serde::Serialize;

use super::json;
use crate::{FinishReason, Fresh, Usage};

/// What all parts of one reply share. Each reply gets its own, so that a replayed answer does not
/// carry another's id.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    id: String,
    /// What each chunk says that it is.
    object: &'static str,
    created: u64,
    model: String,
    /// Whether the counts are wanted.
    usage: bool,
}

#[derive(Serialize)]
struct Chunk<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Counts::are_unwanted")]
    usage: Counts,
}

/// What a chunk says of the tokens.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Counts {
    /// Nothing: nobody asked.
    Unwanted,
    /// `null`: they come with the last chunk.
    Later,
    /// The counts.
    Now(WireUsage),
}

impl Counts {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn are_unwanted(&self) -> bool {
        matches!(self, Self::Unwanted)
    }
}

#[derive(Clone, Copy, Serialize)]
struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
}

#[derive(Clone, Copy, Serialize)]
struct PromptDetails {
    cached_tokens: u32,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached_tokens,
            },
        }
    }
}

impl Envelope {
    /// A new id that begins with `prefix`, and the time now.
    pub(crate) fn fresh(prefix: &str, object: &'static str, model: &str, usage: bool) -> Self {
        let fresh = Fresh::new();
        let hex = fresh.hex();
        let hex = str::from_utf8(&hex).expect("digits are text");
        Self {
            id: format!("{prefix}-{hex}"),
            object,
            created: fresh.created(),
            model: model.to_owned(),
            usage,
        }
    }

    /// A frame with these choices.
    pub(crate) fn frame<C: Serialize>(&self, choices: &[C]) -> String {
        let counts = if self.usage {
            Counts::Later
        } else {
            Counts::Unwanted
        };
        self.frame_with(choices, counts)
    }

    /// The frame with the counts, if they are wanted.
    pub(crate) fn usage_frame(&self, usage: Usage) -> String {
        let none: [(); 0] = [];
        if self.usage {
            self.frame_with(&none, Counts::Now(usage.into()))
        } else {
            String::new()
        }
    }

    fn frame_with<C: Serialize>(&self, choices: &[C], usage: Counts) -> String {
        let chunk = Chunk {
            id: &self.id,
            object: self.object,
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        format!("data: {}\n\n", json(&chunk))
    }
}

/// A comment that tells how much of a prompt was read.
pub(crate) fn progress(processed: u32, total: u32) -> String {
    format!(": prompt {processed}/{total}\n\n")
}

/// The API's name for why a model stopped.
pub(crate) fn finish_reason(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::Stop | FinishReason::StopString(_) => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Refusal => "content_filter",
        FinishReason::Other(reason) => reason,
    }
}

/// The stop string that was met, which other servers tell beside the API's own fields, and of which
/// translators make Anthropic's `stop_sequence`.
pub(crate) fn stop_reason(finish: &FinishReason) -> Option<&str> {
    match finish {
        FinishReason::StopString(stop) => Some(stop),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use serde_json::Value;

    use super::super::STREAM_END;

    /// The payloads of a whole stream.
    pub(crate) fn chunks(frames: &str) -> Vec<Value> {
        frames
            .strip_suffix(STREAM_END)
            .expect("the stream is whole")
            .split_terminator("\n\n")
            .filter(|frame| !frame.starts_with(':'))
            .map(|frame| frame.strip_prefix("data: ").expect("each frame is data"))
            .map(|json| serde_json::from_str(json).expect("each frame holds JSON"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_an_id_of_its_own() {
        let fresh = || Envelope::fresh("cmpl", "text_completion", "m", true).id;
        assert!(fresh().starts_with("cmpl-"));
        assert_ne!(fresh(), fresh());
    }
}
