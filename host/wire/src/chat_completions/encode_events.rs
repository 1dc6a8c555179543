//! From what the built-in model says in a conversation to the frames that a client reads.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    Delta, Event, FinishReason, TokenLogprob,
    openai::{
        STREAM_END,
        envelope::{Envelope, finish_reason, progress, stop_reason},
        logprobs::{ChatLogprobs, chat_logprobs},
    },
};

/// What `object` says of a chunk.
const CHUNK: &str = "chat.completion.chunk";

/// A streamed reply to `POST /v1/chat/completions`.
#[derive(Debug)]
pub struct ChatStream {
    envelope: Envelope,
    /// The choices of which something was said.
    begun: BTreeSet<u32>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: WireDelta<'a>,
    logprobs: Option<ChatLogprobs<'a>>,
    finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct WireDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[WireCall<'a>; 1]>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl ChatStream {
    /// A reply with a new id; `usage` says whether its end tells the token counts.
    #[must_use]
    pub fn new(model: &str, usage: bool) -> Self {
        Self {
            envelope: Envelope::fresh("chatcmpl", CHUNK, model, usage),
            begun: BTreeSet::new(),
        }
    }

    /// The frames of the next event. The first of each answer introduces the speaker.
    pub fn frames(&mut self, event: &Event) -> String {
        match event {
            Event::Progress { processed, total } => self.begin(0) + &progress(*processed, *total),
            Event::Delta { choice, delta } => {
                self.begin(*choice) + &self.frame(*choice, delta.into(), logprobs(delta), None)
            }
            Event::Finished { choice, finish } => {
                let nothing = WireDelta::default();
                self.begin(*choice) + &self.frame(*choice, nothing, &[], Some(finish))
            }
            Event::End { usage } => self.envelope.usage_frame(*usage) + STREAM_END,
            Event::Start { .. } | Event::Dropped { .. } | Event::Failed(_) => String::new(),
        }
    }

    /// The frame that introduces a choice's speaker, unless one did.
    fn begin(&mut self, choice: u32) -> String {
        if !self.begun.insert(choice) {
            return String::new();
        }
        let speaker = WireDelta {
            role: Some("assistant"),
            content: Some(""),
            ..WireDelta::default()
        };
        self.frame(choice, speaker, &[], None)
    }

    fn frame(
        &self,
        choice: u32,
        delta: WireDelta<'_>,
        logprobs: &[TokenLogprob],
        finish: Option<&FinishReason>,
    ) -> String {
        self.envelope.frame(&[Choice {
            index: choice,
            delta,
            logprobs: chat_logprobs(logprobs),
            finish_reason: finish.map(finish_reason),
            stop_reason: finish.and_then(stop_reason),
        }])
    }
}

impl<'a> From<&'a Delta> for WireDelta<'a> {
    fn from(delta: &'a Delta) -> Self {
        let mut wire = Self::default();
        match delta {
            Delta::Text { text, .. } => wire.content = Some(text),
            Delta::Reasoning(thought) => wire.reasoning_content = Some(thought),
            Delta::Signature(_) | Delta::EncryptedReasoning(_) | Delta::Refusal(_) => {}
            Delta::ToolCall { index, id, name } => {
                wire.tool_calls = Some([WireCall {
                    index: *index,
                    id: Some(id),
                    kind: Some("function"),
                    function: WireFunction {
                        name: Some(name),
                        arguments: "",
                    },
                }]);
            }
            Delta::ToolArguments { index, arguments } => {
                let name = None;
                wire.tool_calls = Some([WireCall {
                    index: *index,
                    id: None,
                    kind: None,
                    function: WireFunction { name, arguments },
                }]);
            }
        }
        wire
    }
}

/// The probabilities that come with a delta.
fn logprobs(delta: &Delta) -> &[TokenLogprob] {
    match delta {
        Delta::Text { logprobs, .. } => logprobs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Candidate, Endpoint, Fresh, Recorder, Usage, openai::envelope::testing::chunks};

    const END: Event = Event::End {
        usage: Usage {
            prompt_tokens: 3,
            cached_tokens: 1,
            completion_tokens: 2,
        },
    };

    fn delta(choice: u32, delta: Delta) -> Event {
        Event::Delta { choice, delta }
    }

    fn finished(choice: u32, finish: FinishReason) -> Event {
        Event::Finished { choice, finish }
    }

    fn stream(events: &[Event], usage: bool) -> String {
        let mut stream = ChatStream::new("m", usage);
        events.iter().map(|event| stream.frames(event)).collect()
    }

    /// The document that a client who wants no stream gets.
    fn folded(events: &[Event]) -> Value {
        let mut recorder = Recorder::new(Endpoint::ChatCompletions);
        for frame in stream(events, true).split_inclusive("\n\n") {
            recorder.push(frame.as_bytes());
        }
        let answer = recorder.finish().expect("the answer is whole");
        serde_json::from_slice(&answer.document(&Fresh::new())).expect("is JSON")
    }

    proptest! {
        #[test]
        fn a_stream_says_what_the_model_said(pieces in prop::collection::vec(".+", 0..6)) {
            let said = pieces.concat();
            let mut events: Vec<_> = pieces.into_iter().map(|p| delta(0, Delta::text(p))).collect();
            events.extend([finished(0, FinishReason::Stop), END]);
            let chunks = chunks(&stream(&events, false));
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
        let chunks = chunks(&stream(&[finished(0, FinishReason::Length), END], true));
        assert_eq!(chunks.len(), 3);
        assert!(chunks[..2].iter().all(|chunk| chunk["usage"].is_null()));
        assert_eq!(chunks[2]["choices"], json!([]));
        let usage = json!({
            "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
        });
        assert_eq!(chunks[2]["usage"], usage);
    }

    #[test]
    fn a_prompt_that_is_read_gives_the_speaker_and_comments() {
        let progress = |processed| Event::Progress {
            processed,
            total: 9,
        };
        let frames = stream(&[progress(4), progress(9)], false);
        let frames: Vec<_> = frames.split_terminator("\n\n").collect();
        assert!(frames[0].contains(r#""role":"assistant""#), "{}", frames[0]);
        assert_eq!(frames[1..], [": prompt 4/9", ": prompt 9/9"]);
    }

    #[test]
    fn thoughts_and_calls_become_a_message() {
        let call = |index, name: &str| Delta::ToolCall {
            index,
            id: format!("call_{index}"),
            name: name.to_owned(),
        };
        let arguments = |index, piece: &str| Delta::ToolArguments {
            index,
            arguments: piece.to_owned(),
        };
        let deltas = [
            Delta::Reasoning("Let me ".to_owned()),
            Delta::Reasoning("look.".to_owned()),
            Delta::text("Looking"),
            call(0, "ls"),
            arguments(0, "{\"path\""),
            arguments(0, ":\".\"}"),
            call(1, "pwd"),
            arguments(1, "{}"),
        ];
        let mut events = deltas.map(|said| delta(0, said)).to_vec();
        events.extend([finished(0, FinishReason::ToolCalls), END]);
        let mut document = folded(&events);
        let message = &mut document["choices"][0]["message"];
        // Each reply has new ones.
        for call in message["tool_calls"].as_array_mut().expect("it calls") {
            assert!(call["id"].take().is_string());
        }
        let function = |name: &str, arguments: &str| json!({"name": name, "arguments": arguments});
        let expected = json!({
            "role": "assistant", "content": "Looking", "reasoning_content": "Let me look.",
            "tool_calls": [
                {"id": null, "type": "function", "function": function("ls", r#"{"path":"."}"#)},
                {"id": null, "type": "function", "function": function("pwd", "{}")},
            ],
        });
        assert_eq!(*message, expected);
        assert_eq!(document["choices"][0]["finish_reason"], "tool_calls");
    }

    #[test]
    fn choices_are_kept_apart_with_their_probabilities() {
        let likely = |text: &str| Delta::Text {
            text: text.to_owned(),
            logprobs: vec![TokenLogprob {
                token: Candidate {
                    bytes: text.into(),
                    logprob: Some(-0.25),
                },
                top: Vec::new(),
            }],
        };
        let document = folded(&[
            delta(1, likely("b")),
            delta(0, likely("a")),
            delta(1, likely("c")),
            finished(1, FinishReason::StopString("END".to_owned())),
            finished(0, FinishReason::Length),
            END,
        ]);
        let choices = &document["choices"];
        assert_eq!(choices[0]["message"]["content"], "a");
        assert_eq!(choices[0]["finish_reason"], "length");
        assert_eq!(choices[1]["message"]["content"], "bc");
        assert_eq!(choices[1]["finish_reason"], "stop");
        assert_eq!(choices[1]["stop_reason"], "END");
        let tokens = choices[1]["logprobs"]["content"].as_array();
        assert_eq!(tokens.map(Vec::len), Some(2));
    }
}
