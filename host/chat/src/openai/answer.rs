//! From an answer to the bytes that a client reads.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use uuid::Uuid;

use crate::{Answer, Event, FinishReason, Usage};

/// The frame after which a stream is whole.
pub const STREAM_END: &str = "data: [DONE]\n\n";

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
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            id: format!("{prefix}-{}", Uuid::new_v4().simple()),
            created: since_epoch.as_secs(),
            model: model.to_owned(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Document<'a, C: Serialize> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: C,
    #[serde(skip_serializing_if = "Counts::are_unwanted")]
    usage: Counts,
}

/// What a document says of its tokens.
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
    /// What the chunks before the last one say.
    pub(super) fn until_the_last(wanted: bool) -> Self {
        if wanted { Self::Later } else { Self::Unwanted }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn are_unwanted(&self) -> bool {
        matches!(self, Self::Unwanted)
    }
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: AssistantMessage<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct AssistantMessage<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
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

/// Token counts under their names on the wire.
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

/// How an answer ended, in the format's word for it.
pub(super) fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

/// The answer as one JSON document.
#[must_use]
pub fn completion(envelope: &Envelope, answer: &Answer) -> String {
    let text = answer.text();
    let choice = Choice {
        index: 0,
        message: AssistantMessage {
            role: "assistant",
            content: &text,
            refusal: (),
        },
        logprobs: (),
        finish_reason: finish_reason(answer.finish),
    };
    let usage = Counts::Now(answer.usage.into());
    json(&envelope.document("chat.completion", [choice], usage))
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

/// The list of models, each with its id and the time of its creation in seconds since the epoch.
#[must_use]
pub fn models<'a>(models: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    #[derive(Serialize)]
    struct Model<'a> {
        id: &'a str,
        object: &'static str,
        created: u64,
        owned_by: &'static str,
    }
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Model<'a>>,
    }
    let model = |(id, created)| Model {
        id,
        object: "model",
        created,
        owned_by: "deja",
    };
    json(&List {
        object: "list",
        data: models.into_iter().map(model).collect(),
    })
}

impl Envelope {
    /// A document of the kind that `object` names.
    pub(super) fn document<C: Serialize>(
        &self,
        object: &'static str,
        choices: C,
        usage: Counts,
    ) -> Document<'_, C> {
        Document {
            id: &self.id,
            object,
            created: self.created,
            model: &self.model,
            choices,
            usage,
        }
    }

    /// The same as one frame of a stream.
    pub(super) fn chunk<C: Serialize>(
        &self,
        object: &'static str,
        choices: C,
        usage: Counts,
    ) -> String {
        let document = self.document(object, choices, usage);
        format!("data: {}\n\n", json(&document))
    }
}

/// A document as text.
pub(super) fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("strings and numbers always have a JSON form")
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

    fn answer() -> Answer {
        Answer {
            model: "m".into(),
            pieces: vec!["Par".into(), "is.\n\n".into()],
            finish: FinishReason::Stop,
            usage: USAGE,
        }
    }

    fn chunks(frames: &str) -> Vec<Value> {
        frames
            .split_terminator("\n\n")
            .filter(|frame| *frame != "data: [DONE]")
            .map(|frame| frame.strip_prefix("data: ").expect("each frame is data"))
            .map(|json| serde_json::from_str(json).expect("each frame holds JSON"))
            .collect()
    }

    #[test]
    fn a_whole_answer_carries_text_reason_and_counts() {
        let document: Value = serde_json::from_str(&completion(&Envelope::fresh("m"), &answer()))
            .expect("it is JSON");
        assert_eq!(document["object"], "chat.completion");
        assert_eq!(document["choices"][0]["message"]["content"], "Paris.\n\n");
        assert_eq!(document["choices"][0]["finish_reason"], "stop");
        assert_eq!(document["usage"]["total_tokens"], 5);
    }

    proptest! {
        #[test]
        fn a_stream_says_the_same_as_the_whole(pieces in prop::collection::vec(".+", 0..6)) {
            let answer = Answer { pieces, ..answer() };
            let envelope = Envelope::fresh("m");
            let frames: String = answer
                .events()
                .enumerate()
                .map(|(index, step)| event(&envelope, &step, index == 0, false))
                .collect();
            prop_assert!(frames.ends_with(STREAM_END));
            let chunks = chunks(&frames);
            let choice = |chunk: &Value| chunk["choices"][0].clone();
            let delta = |chunk| choice(chunk)["delta"]["content"].as_str().map(str::to_owned);
            prop_assert_eq!(chunks.iter().filter_map(delta).collect::<String>(), answer.text());
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
