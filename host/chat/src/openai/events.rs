//! From what the built-in model says to the frames that a client reads.

use serde::Serialize;

use super::{STREAM_END, json};
use crate::{Event, FinishReason, Fresh, Usage};

/// What `object` says of a chunk.
const CHUNK: &str = "chat.completion.chunk";

/// What all parts of one reply share. Each reply gets its own, so that a replayed answer does not
/// carry another's id.
#[derive(Clone, Debug)]
pub struct Envelope {
    id: String,
    created: u64,
    model: String,
}

impl Envelope {
    /// A new id, and the time now.
    #[must_use]
    pub fn fresh(model: &str) -> Self {
        Self::with_prefix("chatcmpl", model)
    }

    /// The same for a reply to `POST /v1/completions`, whose ids begin otherwise.
    #[must_use]
    pub fn fresh_completion(model: &str) -> Self {
        Self::with_prefix("cmpl", model)
    }

    fn with_prefix(prefix: &str, model: &str) -> Self {
        let fresh = Fresh::new();
        let hex = fresh.hex();
        let hex = str::from_utf8(&hex).expect("digits are text");
        Self {
            id: format!("{prefix}-{hex}"),
            created: fresh.created(),
            model: model.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct Chunk<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: C,
    #[serde(skip_serializing_if = "Counts::are_unwanted")]
    usage: Counts,
}

/// What a chunk says of the tokens.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Counts {
    /// Nothing: nobody asked.
    Unwanted,
    /// `null`: they come with the last chunk.
    Later,
    /// The counts.
    Now(WireUsage),
}

impl Counts {
    /// What every chunk but the last says.
    pub(super) fn until_the_last(wanted: bool) -> Self {
        if wanted { Self::Later } else { Self::Unwanted }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn are_unwanted(&self) -> bool {
        matches!(self, Self::Unwanted)
    }
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct WireUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
        }
    }
}

pub(super) fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

/// The frames of one event of a streamed answer. `first` is true for the answer's first event,
/// which introduces the speaker; `usage` says whether the counts are wanted.
#[must_use]
pub fn event(envelope: &Envelope, event: &Event, first: bool, usage: bool) -> String {
    let mut frames = String::new();
    let mut delta = |delta: Delta<'_>, finish: Option<FinishReason>| {
        let finish_reason = finish.map(finish_reason);
        let choice = ChunkChoice {
            index: 0,
            delta,
            logprobs: (),
            finish_reason,
        };
        frames.push_str(&envelope.chunk(CHUNK, [choice], Counts::until_the_last(usage)));
    };
    if first {
        delta(
            Delta {
                role: Some("assistant"),
                content: Some(""),
            },
            None,
        );
    }
    match event {
        Event::Text(text) => delta(
            Delta {
                content: Some(text),
                role: None,
            },
            None,
        ),
        Event::End {
            finish,
            usage: counts,
        } => {
            delta(Delta::default(), Some(*finish));
            if usage {
                let none: [ChunkChoice<'_>; 0] = [];
                frames.push_str(&envelope.chunk(CHUNK, none, Counts::Now((*counts).into())));
            }
            frames.push_str(STREAM_END);
        }
    }
    frames
}

impl Envelope {
    /// One frame of a stream, of the kind that `object` names.
    pub(super) fn chunk<C: Serialize>(
        &self,
        object: &'static str,
        choices: C,
        usage: Counts,
    ) -> String {
        let chunk = Chunk {
            id: &self.id,
            object,
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        format!("data: {}\n\n", json(&chunk))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const USAGE: Usage = Usage {
        prompt_tokens: 3,
        completion_tokens: 2,
    };
    const END: Event = Event::End {
        finish: FinishReason::Stop,
        usage: USAGE,
    };

    fn chunks(frames: &str) -> Vec<Value> {
        frames
            .split_terminator("\n\n")
            .filter(|frame| *frame != "data: [DONE]")
            .map(|frame| frame.strip_prefix("data: ").expect("each frame is data"))
            .map(|json| serde_json::from_str(json).expect("each frame holds JSON"))
            .collect()
    }

    proptest! {
        #[test]
        fn a_stream_says_what_the_model_said(pieces in prop::collection::vec(".+", 0..6)) {
            let envelope = Envelope::fresh("m");
            let said = pieces.concat();
            let frames: String = pieces
                .into_iter()
                .map(Event::Text)
                .chain([END])
                .enumerate()
                .map(|(index, step)| event(&envelope, &step, index == 0, false))
                .collect();
            prop_assert!(frames.ends_with(STREAM_END));
            let chunks = chunks(&frames);
            let choice = |chunk: &Value| chunk["choices"][0].clone();
            let delta = |chunk| choice(chunk)["delta"]["content"].as_str().map(str::to_owned);
            prop_assert_eq!(chunks.iter().filter_map(delta).collect::<String>(), said);
            prop_assert_eq!(&choice(&chunks[0])["delta"]["role"], "assistant");
            prop_assert_eq!(&choice(&chunks[chunks.len() - 1])["finish_reason"], "stop");
            prop_assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
            prop_assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
        }
    }

    #[test]
    fn counts_come_last_and_only_when_wanted() {
        let chunks = chunks(&event(&Envelope::fresh("m"), &END, true, true));
        assert_eq!(chunks.len(), 3);
        assert!(chunks[..2].iter().all(|chunk| chunk["usage"].is_null()));
        assert_eq!(chunks[2]["choices"], serde_json::json!([]));
        assert_eq!(chunks[2]["usage"]["completion_tokens"], 2);
    }

    #[test]
    fn every_reply_has_an_id_of_its_own() {
        assert_ne!(Envelope::fresh("m").id, Envelope::fresh("m").id);
    }
}
