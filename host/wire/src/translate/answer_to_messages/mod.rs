//! From the chunks of an `OpenAI` answer to the events of an Anthropic one.

mod blocks;

use serde_json::{Value, json};

use super::{CHAT_ID, MESSAGE_ID, bare_id, error, text};
use crate::complete::is_good_end;
use blocks::{Blocks, CallPiece, Kind};

/// Translates one streamed answer.
#[derive(Debug, Default)]
pub struct ChatToMessages {
    progress: Progress,
    /// What is particular in the answer's id.
    id: String,
    blocks: Blocks,
    finish_reason: Option<String>,
    /// The stop string that ended the answer, where the server tells.
    stop_sequence: Option<String>,
    /// The newest token counts.
    usage: Value,
}

/// Fields of a message that say something for which Anthropic's API has no form.
const UNCARRIED: [&str; 3] = ["audio", "images", "function_call"];

/// A part of an answer that cannot be translated, by its name.
struct Uncarried(String);

/// How far an answer is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Progress {
    /// Nothing has come.
    #[default]
    Before,
    /// The answer has begun.
    Under,
    /// It has ended, well or not.
    Over,
}

impl ChatToMessages {
    /// A translator at the start of an answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The events that this chunk brings. A chunk that holds an error ends the answer.
    pub fn push(&mut self, chunk: &Value) -> Vec<Value> {
        if self.progress == Progress::Over {
            return Vec::new();
        }
        let failed = first_choice(chunk).filter(|choice| !choice["error"].is_null());
        if let Some(choice) = failed {
            self.progress = Progress::Over;
            return vec![error::stream_error_to_anthropic(choice)];
        }
        if !chunk["error"].is_null() {
            self.progress = Progress::Over;
            return vec![error::stream_error_to_anthropic(chunk)];
        }
        if chunk["usage"].is_object() {
            self.usage = chunk["usage"].clone();
        }
        let mut events = Vec::new();
        if self.progress == Progress::Before {
            events.push(self.start(chunk));
        }
        let carried = first_choice(chunk).map_or(Ok(()), |choice| self.read(choice));
        events.extend(self.blocks.tell());
        if let Err(Uncarried(part)) = carried {
            self.progress = Progress::Over;
            let problem = format!("the answer has a part without a form in this API: {part}");
            events.push(error::anthropic(500, &problem));
        }
        events
    }

    /// The events at the end of the stream (`[DONE]`): the counts, which some servers send last,
    /// and the end. An answer without a finish reason was cut, and ends with an error.
    pub fn finish(&mut self) -> Vec<Value> {
        if self.progress == Progress::Over {
            return Vec::new();
        }
        self.progress = Progress::Over;
        let Some(finish_reason) = self.finish_reason.take() else {
            return vec![error::anthropic(
                500,
                "the answer ended before it was whole",
            )];
        };
        let mut events = self.blocks.tell_rest();
        events.push(self.end(&finish_reason));
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn start(&mut self, chunk: &Value) -> Value {
        self.progress = Progress::Under;
        self.id = bare_id(chunk, CHAT_ID);
        json!({
            "type": "message_start",
            "message": {
                "id": format!("{MESSAGE_ID}{}", self.id),
                "type": "message",
                "role": "assistant",
                "model": text(chunk, "model"),
                "content": [],
                "stop_reason": null,
                "stop_sequence": null,
                "usage": usage(&self.usage),
            },
        })
    }

    fn end(&self, finish_reason: &str) -> Value {
        let stop_reason = self.stop_reason(finish_reason);
        let stop_sequence = match stop_reason {
            "stop_sequence" => self.stop_sequence.as_deref(),
            _ => None,
        };
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": stop_sequence},
            "usage": usage(&self.usage),
        })
    }

    fn read(&mut self, choice: &Value) -> Result<(), Uncarried> {
        let delta = &choice["delta"];
        // Servers differ in the name, and some send both.
        let thought = match text(delta, "reasoning_content") {
            "" => text(delta, "reasoning"),
            thought => thought,
        };
        self.blocks.say(Kind::Thinking, thought);
        self.say(&delta["content"])?;
        let lost = UNCARRIED.into_iter().find(|name| !delta[name].is_null());
        if let Some(name) = lost {
            return Err(Uncarried(name.to_owned()));
        }
        self.blocks.say(Kind::Text, text(delta, "refusal"));
        let calls = delta["tool_calls"].as_array().into_iter().flatten();
        for (position, call) in calls.enumerate() {
            self.blocks.call(&CallPiece::read(position, call), &self.id);
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
            self.stop_sequence = choice["stop_reason"].as_str().map(str::to_owned);
        }
        Ok(())
    }

    /// Takes in a message's content: a text, or a list of texts and thoughts, as Mistral's models
    /// send it when they reason.
    fn say(&mut self, content: &Value) -> Result<(), Uncarried> {
        match content {
            Value::Null => {}
            Value::String(piece) => self.blocks.say(Kind::Text, piece),
            Value::Array(parts) => {
                for part in parts {
                    self.say_part(part)?;
                }
            }
            _ => return Err(Uncarried("content".to_owned())),
        }
        Ok(())
    }

    fn say_part(&mut self, part: &Value) -> Result<(), Uncarried> {
        let uncarried = || Uncarried(format!("content of the type `{}`", text(part, "type")));
        match (text(part, "type"), &part["text"], &part["thinking"]) {
            ("text", Value::String(piece), _) => self.blocks.say(Kind::Text, piece),
            ("thinking", _, Value::String(piece)) => self.blocks.say(Kind::Thinking, piece),
            ("thinking", _, Value::Array(pieces)) => {
                for piece in pieces {
                    let piece = piece["text"].as_str().ok_or_else(uncarried)?;
                    self.blocks.say(Kind::Thinking, piece);
                }
            }
            _ => return Err(uncarried()),
        }
        Ok(())
    }

    /// Some servers say `stop` also after tool calls. A reason without a counterpart stays, so that
    /// a failure does not pass for a good end.
    fn stop_reason<'a>(&self, finish_reason: &'a str) -> &'a str {
        match finish_reason {
            "length" => "max_tokens",
            "content_filter" => "refusal",
            "tool_calls" | "function_call" => "tool_use",
            reason if !is_good_end(reason) => reason,
            _ if self.blocks.hold_calls() => "tool_use",
            _ if self.stop_sequence.is_some() => "stop_sequence",
            _ => "end_turn",
        }
    }
}

/// Anthropic gives one answer, so the others are passed over.
fn first_choice(chunk: &Value) -> Option<&Value> {
    let mut choices = chunk["choices"].as_array()?.iter();
    choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0)
}

/// To Anthropic, input tokens are those that no cache served.
fn usage(chat: &Value) -> Value {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let cached = count(&chat["prompt_tokens_details"]["cached_tokens"]);
    json!({
        "input_tokens": count(&chat["prompt_tokens"]).saturating_sub(cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": count(&chat["completion_tokens"]),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::testing::{any_payload, assert_well_formed, chunks, sayings};

    fn chunk(delta: &Value) -> Value {
        json!({"id": "chatcmpl-7", "model": "m", "choices": [{"index": 0, "delta": delta}]})
    }

    fn end(finish_reason: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    }

    fn call(index: usize, piece: &Value) -> Value {
        let mut piece = piece.clone();
        piece["index"] = json!(index);
        chunk(&json!({"tool_calls": [piece]}))
    }

    fn translated(chunks: &[Value]) -> Vec<Value> {
        let mut translator = ChatToMessages::new();
        let mut events: Vec<_> = chunks
            .iter()
            .flat_map(|chunk| translator.push(chunk))
            .collect();
        events.extend(translator.finish());
        events
    }

    fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
        events
            .iter()
            .filter(|event| event["type"] == kind)
            .collect()
    }

    fn stop_reason(chunks: &[Value]) -> Value {
        of_type(&translated(chunks), "message_delta")[0]["delta"].clone()
    }

    #[test]
    fn thoughts_then_text_then_counts() {
        let usage = json!({
            "prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6},
        });
        let chunks = [
            chunk(&json!({"role": "assistant", "content": ""})),
            chunk(&json!({"reasoning_content": "hm"})),
            chunk(&json!({"content": "Pa"})),
            chunk(&json!({"content": "ris", "tool_calls": null})),
            end("stop"),
            json!({"choices": [], "usage": usage}),
        ];
        let zero = json!({
            "input_tokens": 0, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 0,
        });
        let counts = json!({
            "input_tokens": 4, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 6, "output_tokens": 2,
        });
        let expected = [
            json!({"type": "message_start", "message": {
                "id": "msg_7", "type": "message", "role": "assistant", "model": "m",
                "content": [], "stop_reason": null, "stop_sequence": null, "usage": zero,
            }}),
            json!({"type": "content_block_start", "index": 0, "content_block": {
                "type": "thinking", "thinking": "", "signature": "",
            }}),
            json!({"type": "content_block_delta", "index": 0, "delta": {
                "type": "thinking_delta", "thinking": "hm",
            }}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {
                "type": "text", "text": "",
            }}),
            json!({"type": "content_block_delta", "index": 1, "delta": {
                "type": "text_delta", "text": "Pa",
            }}),
            json!({"type": "content_block_delta", "index": 1, "delta": {
                "type": "text_delta", "text": "ris",
            }}),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "message_delta", "usage": counts, "delta": {
                "stop_reason": "end_turn", "stop_sequence": null,
            }}),
            json!({"type": "message_stop"}),
        ];
        assert_eq!(translated(&chunks), expected);
    }

    #[test]
    fn every_finish_reason_has_its_stop_reason() {
        for (finish, stop) in [
            ("stop", "end_turn"),
            ("length", "max_tokens"),
            ("tool_calls", "tool_use"),
            ("function_call", "tool_use"),
            ("content_filter", "refusal"),
            ("eos", "end_turn"),
            ("abort", "abort"),
        ] {
            assert_eq!(stop_reason(&[end(finish)])["stop_reason"], stop, "{finish}");
        }
    }

    #[test]
    fn a_matched_stop_string_is_told() {
        let matched = json!({"choices": [{"finish_reason": "stop", "stop_reason": "END"}]});
        let expected = json!({"stop_reason": "stop_sequence", "stop_sequence": "END"});
        assert_eq!(stop_reason(&[matched]), expected);
        let token = json!({"choices": [{"finish_reason": "stop", "stop_reason": 128_009}]});
        assert_eq!(stop_reason(&[token])["stop_reason"], "end_turn");
    }

    #[test]
    fn a_stop_after_calls_is_one_for_tools() {
        let calls = call(
            0,
            &json!({"id": "a", "function": {"name": "f", "arguments": "{}"}}),
        );
        assert_eq!(
            stop_reason(&[calls, end("stop")])["stop_reason"],
            "tool_use"
        );
    }

    #[test]
    fn lists_of_texts_and_thoughts_are_carried() {
        let pieces = json!([{"type": "text", "text": "hm"}]);
        let chunks = [
            chunk(&json!({"content": [{"type": "thinking", "thinking": pieces}]})),
            chunk(&json!({"content": [{"type": "text", "text": "Pa"}]})),
            chunk(&json!({"content": "ris"})),
            end("stop"),
        ];
        let events = translated(&chunks);
        let deltas = of_type(&events, "content_block_delta");
        let said: Vec<_> = deltas.iter().map(|event| &event["delta"]).collect();
        let expected = [
            json!({"type": "thinking_delta", "thinking": "hm"}),
            json!({"type": "text_delta", "text": "Pa"}),
            json!({"type": "text_delta", "text": "ris"}),
        ];
        assert_eq!(said, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_part_without_a_form_is_an_error() {
        for delta in [
            json!({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
            json!({"content": {"text": "x"}}),
            json!({"audio": {"id": "a"}}),
        ] {
            let events = translated(&[chunk(&delta), end("stop")]);
            let last = events.last().map(|event| &event["type"]);
            assert_eq!(last, Some(&json!("error")), "{delta}");
        }
    }

    #[test]
    fn only_the_first_choice_counts() {
        let second = json!({"choices": [{"index": 1, "delta": {"content": "other"}}]});
        assert!(of_type(&translated(&[second, end("stop")]), "content_block_delta").is_empty());
    }

    #[test]
    fn an_error_ends_the_answer() {
        let mut translator = ChatToMessages::new();
        translator.push(&chunk(&json!({"content": "a"})));
        let events = translator.push(&json!({"error": {"message": "broken", "code": 500}}));
        let expected =
            json!({"type": "error", "error": {"type": "api_error", "message": "broken"}});
        assert_eq!(events, [expected]);
        assert!(translator.push(&chunk(&json!({"content": "b"}))).is_empty());
        assert!(translator.finish().is_empty());
    }

    #[test]
    fn an_answer_that_was_cut_does_not_look_whole() {
        let events = translated(&[chunk(&json!({"content": "a"}))]);
        assert_eq!(
            events.last().map(|event| &event["type"]),
            Some(&json!("error"))
        );
        assert!(of_type(&events, "message_stop").is_empty());
    }

    proptest! {
        #[test]
        fn events_are_well_formed(sayings in sayings()) {
            assert_well_formed(&translated(&chunks(&sayings)));
        }

        #[test]
        fn no_payload_is_too_strange(payloads in prop::collection::vec(any_payload(), 0..6)) {
            translated(&payloads);
        }
    }
}
