//! From the events of an answer to the frames that a client of chat completions reads.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::encode_answer;
use crate::{
    Delta, Event, FinishReason, TokenLogprob,
    encoded::Encoded,
    folded_answer::FoldedAnswer,
    openai::{
        envelope::{self, Envelope, finish_reason, progress, stop_reason},
        logprobs::{ChatLogprobs, chat_logprobs},
    },
};

/// How the API's answer ids begin.
pub(super) const ID: &str = "chatcmpl-";

/// What `object` says of a chunk.
const CHUNK: &str = "chat.completion.chunk";

/// What `object` says of a document.
const DOCUMENT: &str = "chat.completion";

/// Encodes a reply to `POST /v1/chat/completions`.
#[derive(Debug)]
pub(crate) struct EventEncoder {
    envelope: Envelope,
    /// The choices that have begun.
    begun: BTreeSet<u32>,
    /// The reasoning right before, of which a signature may be the proof.
    unsigned: String,
    /// How many signed or encrypted pieces of reasoning there were.
    details: u32,
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
    reasoning_details: Option<[Value; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
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

impl EventEncoder {
    /// Returns the encoder of a reply with a new id.
    pub(crate) fn new(model: &str) -> Self {
        Self {
            envelope: Envelope::fresh(ID, CHUNK, model),
            begun: BTreeSet::new(),
            unsigned: String::new(),
            details: 0,
        }
    }

    /// Returns the frames of the next event. The first of each choice introduces the speaker.
    pub(crate) fn encode(&mut self, event: &Event) -> Vec<Encoded> {
        match event {
            Event::Start { id, model } => {
                self.envelope = match id.as_str() {
                    "" => Envelope::fresh(ID, CHUNK, model),
                    id => Envelope::given(ID, id, CHUNK, model),
                };
                self.begin(0).into_iter().collect()
            }
            Event::Progress { processed, total } => {
                self.after_start(0, Some(progress(*processed, *total)))
            }
            Event::Delta { choice, delta } => {
                let frame = self.delta(*choice, delta);
                self.after_start(*choice, Some(frame))
            }
            Event::Finished { choice, finish } => {
                let end = self.frame(*choice, WireDelta::default(), &[], Some(finish));
                self.after_start(*choice, Some(end))
            }
            Event::End { usage } => self.envelope.end(*usage).into(),
            Event::Dropped { .. } => Vec::new(),
            Event::Failed(failure) => vec![envelope::failed(failure)],
        }
    }

    /// Returns the document of the whole answer.
    pub(crate) fn document(&self, answer: &FoldedAnswer) -> Value {
        let choices = encode_answer::choices(answer);
        self.envelope.document(DOCUMENT, &choices, answer.usage)
    }

    /// Returns a choice's frame, behind the one that introduces its speaker if that is its first.
    fn after_start(&mut self, choice: u32, frame: Option<Encoded>) -> Vec<Encoded> {
        self.begin(choice).into_iter().chain(frame).collect()
    }

    /// Returns the frame that introduces a choice's speaker, unless one did.
    fn begin(&mut self, choice: u32) -> Option<Encoded> {
        if !self.begun.insert(choice) {
            return None;
        }
        let speaker = WireDelta {
            role: Some("assistant"),
            content: Some(""),
            ..WireDelta::default()
        };
        Some(self.frame(choice, speaker, &[], None))
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> Encoded {
        let details = self.reasoning_details(delta);
        let wire = WireDelta {
            reasoning_details: details.map(|details| [details]),
            ..delta.into()
        };
        let frame = self.frame(choice, wire, logprobs(delta), None);
        match delta {
            Delta::ToolCall { .. } => Encoded::with_ids(frame.text),
            _ => frame,
        }
    }

    /// Returns what only the vendor can use of a piece of reasoning, in `OpenRouter`'s form: with
    /// the text that it stands for, as the client has to send both back together.
    fn reasoning_details(&mut self, delta: &Delta) -> Option<Value> {
        let details = match delta {
            Delta::Reasoning(piece) => {
                self.unsigned.push_str(piece);
                return None;
            }
            Delta::Signature(proof) => {
                let text = std::mem::take(&mut self.unsigned);
                encode_answer::signed(&text, proof, self.details)
            }
            Delta::EncryptedReasoning(data) => {
                self.unsigned.clear();
                encode_answer::encrypted(data, self.details)
            }
            _ => {
                self.unsigned.clear();
                return None;
            }
        };
        self.details += 1;
        Some(details)
    }

    fn frame(
        &self,
        choice: u32,
        delta: WireDelta<'_>,
        logprobs: &[TokenLogprob],
        finish: Option<&FinishReason>,
    ) -> Encoded {
        self.envelope.frame(&Choice {
            index: choice,
            delta,
            logprobs: chat_logprobs(logprobs),
            finish_reason: finish.map(finish_reason),
            stop_reason: finish.and_then(stop_reason),
        })
    }
}

impl<'a> From<&'a Delta> for WireDelta<'a> {
    fn from(delta: &'a Delta) -> Self {
        let mut wire = Self::default();
        match delta {
            Delta::Text { text, .. } => wire.content = Some(text),
            Delta::Reasoning(piece) => wire.reasoning_content = Some(piece),
            Delta::Refusal(piece) => wire.refusal = Some(piece),
            Delta::Signature(_) | Delta::EncryptedReasoning(_) => {}
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

/// Returns the probabilities that come with a delta.
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
    use crate::{Candidate, Endpoint, EventRecorder, FrameKind, Fresh, Usage};

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

    fn frames(events: &[Event]) -> Vec<Encoded> {
        let mut encoder = EventEncoder::new("m");
        let frames = events.iter().flat_map(|event| encoder.encode(event));
        frames.collect()
    }

    /// The payloads of a stream's chunks.
    fn chunks(events: &[Event]) -> Vec<Value> {
        let frames = frames(events);
        let is_chunk = |kind| matches!(kind, FrameKind::Content | FrameKind::Usage);
        let chunks = frames.iter().filter(|frame| is_chunk(frame.kind));
        chunks
            .map(|frame| frame.text.strip_prefix("data: ").expect("it is data"))
            .map(|json| serde_json::from_str(json).expect("it is JSON"))
            .collect()
    }

    /// The document that a client who wants no stream gets.
    fn folded(events: &[Event]) -> Value {
        let mut recorder = EventRecorder::new(Endpoint::ChatCompletions, "m");
        for event in events {
            recorder.push(event);
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
            let chunks = chunks(&events);
            let choice = |chunk: &Value| chunk["choices"][0].clone();
            let delta = |chunk| choice(chunk)["delta"]["content"].as_str().map(str::to_owned);
            prop_assert_eq!(chunks.iter().filter_map(delta).collect::<String>(), said);
            prop_assert_eq!(&choice(&chunks[0])["delta"]["role"], "assistant");
            prop_assert_eq!(&choice(&chunks[chunks.len() - 2])["finish_reason"], "stop");
            prop_assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
        }
    }

    #[test]
    fn counts_come_last() {
        let chunks = chunks(&[finished(0, FinishReason::Length), END]);
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
        let frames = frames(&[progress(4), progress(9)]);
        let texts: Vec<_> = frames.iter().map(|frame| frame.text.as_str()).collect();
        assert!(texts[0].contains(r#""role":"assistant""#), "{}", texts[0]);
        assert_eq!(texts[1..], [": prompt 4/9\n\n", ": prompt 9/9\n\n"]);
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

    #[test]
    fn signed_reasoning_comes_with_its_proof() {
        let document = folded(&[
            delta(0, Delta::Reasoning("hm".to_owned())),
            delta(0, Delta::Signature("c2ln".to_owned())),
            delta(0, Delta::EncryptedReasoning("ZW5j".to_owned())),
            delta(0, Delta::text("Yes.")),
            finished(0, FinishReason::Stop),
            END,
        ]);
        let message = &document["choices"][0]["message"];
        assert_eq!(message["reasoning_content"], "hm");
        let details = &message["reasoning_details"];
        assert_eq!(details[0]["text"], "hm");
        assert_eq!(details[0]["signature"], "c2ln");
        assert_eq!(details[1]["data"], "ZW5j");
    }
}
