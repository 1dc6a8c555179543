//! What the chunks of every stream share.

use serde::Serialize;
use serde_json::{Value, json};

use super::{STREAM_END, json as written};
use crate::{
    Failure, FinishReason, FrameKind, Fresh, Usage,
    encoded::{Encoded, Slots},
    errors,
    slot::{Fill, Slot},
};

/// What all parts of one reply share. Each reply gets its own, so that a replayed answer does not
/// carry another's id.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    id: String,
    created: u64,
    model: String,
    /// A frame's text up to the choices.
    head: String,
    slots: Slots,
}

/// Token counts in this API's form.
#[derive(Serialize)]
struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u32,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached_tokens,
            },
        }
    }
}

impl Envelope {
    /// Returns one with a new id that begins with `prefix`, and the time now.
    pub(crate) fn fresh(prefix: &str, object: &str, model: &str) -> Self {
        let fresh = Fresh::new();
        let mut envelope = Self::new(prefix, &fresh.id(), fresh.created(), object, model);
        let id = "data: {\"id\":\"".len() + prefix.len();
        let created = envelope.head.find("\"created\":").unwrap_or_default();
        envelope.slots = Slots::Known([
            Slot {
                at: id,
                fill: Fill::Hex,
            },
            Slot {
                at: created + "\"created\":".len(),
                fill: Fill::Created,
            },
        ]);
        envelope
    }

    /// Returns one with the id that an upstream gave, without its own API's prefix.
    pub(crate) fn given(prefix: &str, id: &str, object: &str, model: &str) -> Self {
        Self::new(prefix, id, Fresh::new().created(), object, model)
    }

    fn new(prefix: &str, id: &str, created: u64, object: &str, model: &str) -> Self {
        let id = format!("{prefix}{id}");
        let head = format!(
            "data: {{\"id\":{},\"object\":\"{object}\",\"created\":{created},\"model\":{},\"choices\":",
            written(&id),
            written(&model)
        );
        Self {
            id,
            created,
            model: model.to_owned(),
            head,
            slots: Slots::Unknown,
        }
    }

    /// Returns the frame of a chunk with this choice.
    pub(crate) fn frame(&self, choice: &impl Serialize) -> Encoded {
        self.chunk(&format!("[{}]", written(choice)), "null")
    }

    /// Returns the frame of the token counts, and the one after which the stream is whole.
    pub(crate) fn end(&self, usage: Usage) -> [Encoded; 2] {
        let counts = self.chunk("[]", &written(&WireUsage::from(usage)));
        [
            counts.of_kind(FrameKind::Usage),
            Encoded::plain(STREAM_END).of_kind(FrameKind::End),
        ]
    }

    fn chunk(&self, choices: &str, usage: &str) -> Encoded {
        Encoded {
            text: format!("{}{choices},\"usage\":{usage}}}\n\n", self.head),
            kind: FrameKind::Content,
            slots: self.slots,
        }
    }

    /// Returns the document of a whole answer with these choices.
    pub(crate) fn document(&self, object: &str, choices: &[Value], usage: Usage) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": WireUsage::from(usage),
        })
    }
}

/// Returns the comment that shows how much of a prompt was read.
pub(crate) fn progress(processed: u32, total: u32) -> Encoded {
    Encoded::plain(format!(": prompt {processed}/{total}\n\n")).of_kind(FrameKind::Quiet)
}

/// Returns the frame that ends a stream with an error.
pub(crate) fn failed(failure: &Failure) -> Encoded {
    let payload = errors::openai(failure.status, &failure.message);
    Encoded::plain(format!("data: {payload}\n\n")).of_kind(FrameKind::Error)
}

/// Returns the API's name for why a model stopped.
pub(crate) fn finish_reason(finish: &FinishReason) -> &str {
    match finish {
        FinishReason::Stop | FinishReason::StopString(_) => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Refusal => "content_filter",
        FinishReason::Other(reason) => reason,
    }
}

/// Returns the stop string that was met, which other servers show beside the API's own fields.
pub(crate) fn stop_reason(finish: &FinishReason) -> Option<&str> {
    match finish {
        FinishReason::StopString(stop) => Some(stop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_an_id_of_its_own() {
        let fresh = || Envelope::fresh("cmpl-", "text_completion", "m").id;
        assert!(fresh().starts_with("cmpl-"));
        assert_ne!(fresh(), fresh());
    }
}
