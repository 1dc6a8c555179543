//! From the events of a continued text to the frames that a client of completions reads.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Delta, Event, TokenLogprob,
    encoded::Encoded,
    folded_answer::{FoldedAnswer, FoldedPart},
    openai::{
        envelope::{self, Envelope, finish_reason, progress, stop_reason},
        logprobs::{CompletionLogprobs, completion_logprobs},
    },
};

/// How the API's answer ids begin.
const ID: &str = "cmpl-";

/// What `object` says.
const OBJECT: &str = "text_completion";

/// Encodes a reply to `POST /v1/completions`. A text has neither reasoning nor tool calls.
#[derive(Debug)]
pub(crate) struct EventEncoder {
    envelope: Envelope,
    texts: BTreeMap<u32, Text>,
}

/// What is known of a choice's text.
#[derive(Debug, Default)]
struct Text {
    /// Its length so far, in characters.
    length: usize,
    logprobs: Option<CompletionLogprobs>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<&'a CompletionLogprobs>,
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
}

impl EventEncoder {
    /// Returns the encoder of a reply with a new id.
    pub(crate) fn new(model: &str) -> Self {
        Self {
            envelope: Envelope::fresh(ID, OBJECT, model),
            texts: BTreeMap::new(),
        }
    }

    /// Returns the frames of the next event.
    pub(crate) fn encode(&mut self, event: &Event) -> Vec<Encoded> {
        match event {
            Event::Progress { processed, total } => vec![progress(*processed, *total)],
            Event::Delta {
                choice,
                delta: Delta::Text { text, logprobs },
            } => vec![self.text(*choice, text, logprobs)],
            Event::Finished { choice, finish } => vec![self.envelope.frame(&Choice {
                text: "",
                index: *choice,
                logprobs: None,
                finish_reason: Some(finish_reason(finish)),
                stop_reason: stop_reason(finish),
            })],
            Event::End { usage } => self.envelope.end(*usage).into(),
            Event::Failed(failure) => vec![envelope::failed(failure)],
            Event::Start { .. } | Event::Delta { .. } | Event::Dropped { .. } => Vec::new(),
        }
    }

    /// Returns the document of the whole answer.
    pub(crate) fn document(&self, answer: &FoldedAnswer) -> Value {
        let choices = answer.choices.iter().map(|(index, choice)| {
            let finish = choice.finish.as_ref();
            let known = self.texts.get(index);
            let mut document = json!({
                "text": choice.parts.iter().map(text).collect::<String>(),
                "index": index,
                "logprobs": known.and_then(|text| text.logprobs.as_ref()),
                "finish_reason": finish.map(finish_reason),
            });
            if let Some(stop) = finish.and_then(stop_reason) {
                document["stop_reason"] = stop.into();
            }
            document
        });
        let choices: Vec<_> = choices.collect();
        self.envelope.document(OBJECT, &choices, answer.usage)
    }

    fn text(&mut self, choice: u32, text: &str, logprobs: &[TokenLogprob]) -> Encoded {
        let known = self.texts.entry(choice).or_default();
        if logprobs.is_empty() {
            known.length += text.chars().count();
        }
        let logprobs = completion_logprobs(logprobs, &mut known.length);
        if let Some(logprobs) = &logprobs {
            known.logprobs.get_or_insert_default().extend(logprobs);
        }
        self.envelope.frame(&Choice {
            text,
            index: choice,
            logprobs: logprobs.as_ref(),
            finish_reason: None,
            stop_reason: None,
        })
    }
}

fn text(part: &FoldedPart) -> &str {
    match part {
        FoldedPart::Text(text) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Candidate, FinishReason, FrameKind, Usage};

    const END: [Event; 2] = [
        Event::Finished {
            choice: 0,
            finish: FinishReason::Length,
        },
        Event::End {
            usage: Usage {
                prompt_tokens: 3,
                cached_tokens: 0,
                completion_tokens: 2,
            },
        },
    ];

    /// The payloads of a stream's chunks.
    fn chunks(deltas: impl IntoIterator<Item = Delta>) -> Vec<Value> {
        let mut encoder = EventEncoder::new("m");
        let events = deltas
            .into_iter()
            .map(|delta| Event::Delta { choice: 0, delta });
        let frames: Vec<_> = events
            .chain(END)
            .flat_map(|event| encoder.encode(&event))
            .collect();
        let is_chunk = |kind| matches!(kind, FrameKind::Content | FrameKind::Usage);
        let chunks = frames.iter().filter(|frame| is_chunk(frame.kind));
        chunks
            .map(|frame| frame.text.strip_prefix("data: ").expect("it is data"))
            .map(|json| serde_json::from_str(json).expect("it is JSON"))
            .collect()
    }

    proptest! {
        #[test]
        fn a_stream_says_what_the_model_said(pieces in prop::collection::vec(".+", 0..6)) {
            let said = pieces.concat();
            let chunks = chunks(pieces.into_iter().map(Delta::text));
            let (counts, texts) = chunks.split_last().expect("there are chunks");
            let text = texts.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str());
            prop_assert_eq!(said, text.collect::<String>());
            let last = &texts[texts.len() - 1]["choices"][0];
            prop_assert_eq!(&last["finish_reason"], "length");
            prop_assert_eq!(&counts["usage"]["total_tokens"], 5);
            for chunk in &chunks {
                prop_assert_eq!(&chunk["object"], "text_completion");
            }
        }
    }

    #[test]
    fn tokens_stand_after_a_text_that_was_given_back() {
        let token = TokenLogprob {
            token: Candidate {
                bytes: b" Paris".to_vec(),
                logprob: Some(-0.25),
            },
            top: Vec::new(),
        };
        let likely = Delta::Text {
            text: " Paris".to_owned(),
            logprobs: vec![token],
        };
        let chunks = chunks([Delta::text("é is"), likely]);
        let logprobs = &chunks[1]["choices"][0]["logprobs"];
        assert_eq!(logprobs["text_offset"], json!([4]));
    }

    #[test]
    fn a_chunk_has_the_shape_of_the_api() {
        let chunks = chunks([Delta::text("Par")]);
        let choice = json!([{"text": "Par", "index": 0, "logprobs": null, "finish_reason": null}]);
        assert_eq!(chunks[0]["choices"], choice);
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], "length");
        assert!(chunks[0]["usage"].is_null());
    }
}
