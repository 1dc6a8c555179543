//! From how the built-in model continues a text to the frames that a client reads.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Delta, Event,
    openai::{
        STREAM_END,
        envelope::{Envelope, finish_reason, progress, stop_reason},
        logprobs::{CompletionLogprobs, completion_logprobs},
    },
};

/// What `object` says.
const OBJECT: &str = "text_completion";

/// A streamed reply to `POST /v1/completions`.
#[derive(Debug)]
pub struct CompletionStream {
    envelope: Envelope,
    /// How many characters each choice's text has.
    lengths: BTreeMap<u32, usize>,
}

#[derive(Serialize)]
struct Choice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<CompletionLogprobs>,
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
}

impl CompletionStream {
    /// A reply with a new id; `usage` says whether its end tells the token counts.
    #[must_use]
    pub fn new(model: &str, usage: bool) -> Self {
        Self {
            envelope: Envelope::fresh("cmpl", OBJECT, model, usage),
            lengths: BTreeMap::new(),
        }
    }

    /// The frames of the next event. A text has neither thoughts nor tool calls.
    pub fn frames(&mut self, event: &Event) -> String {
        match event {
            Event::Progress { processed, total } => progress(*processed, *total),
            Event::Delta { choice, delta } => {
                let Delta::Text { text, logprobs } = delta else {
                    return String::new();
                };
                let length = self.lengths.entry(*choice).or_default();
                if logprobs.is_empty() {
                    *length += text.chars().count();
                }
                self.envelope.frame(&[Choice {
                    text,
                    index: *choice,
                    logprobs: completion_logprobs(logprobs, length),
                    finish_reason: None,
                    stop_reason: None,
                }])
            }
            Event::Finished { choice, finish } => self.envelope.frame(&[Choice {
                text: "",
                index: *choice,
                logprobs: None,
                finish_reason: Some(finish_reason(finish)),
                stop_reason: stop_reason(finish),
            }]),
            Event::End { usage } => self.envelope.usage_frame(*usage) + STREAM_END,
            Event::Start { .. } | Event::Dropped { .. } | Event::Failed(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Candidate, FinishReason, TokenLogprob, Usage, openai::envelope::testing};

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

    fn chunks(pieces: Vec<String>, usage: bool) -> Vec<Value> {
        let mut stream = CompletionStream::new("m", usage);
        let said = |piece: String| Event::Delta {
            choice: 0,
            delta: Delta::text(piece),
        };
        let events = pieces.into_iter().map(said).chain(END);
        let frames: String = events.map(|event| stream.frames(&event)).collect();
        testing::chunks(&frames)
    }

    proptest! {
        #[test]
        fn a_stream_says_what_the_model_said(pieces in prop::collection::vec(".+", 0..6)) {
            let said = pieces.concat();
            let chunks = chunks(pieces, true);
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
        let mut stream = CompletionStream::new("m", false);
        let events = [Delta::text("é is"), likely].map(|delta| Event::Delta { choice: 0, delta });
        let events = events.into_iter().chain(END);
        let frames: String = events.map(|event| stream.frames(&event)).collect();
        let logprobs = &testing::chunks(&frames)[1]["choices"][0]["logprobs"];
        assert_eq!(logprobs["text_offset"], json!([4]));
    }

    #[test]
    fn a_chunk_has_the_shape_of_the_api() {
        let chunks = chunks(vec!["Par".to_owned()], false);
        let choice = json!([{"text": "Par", "index": 0, "logprobs": null, "finish_reason": null}]);
        assert_eq!(chunks[0]["choices"], choice);
        assert_eq!(chunks[1]["choices"][0]["finish_reason"], "length");
        assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    }
}
