//! From the events of a response to the events of an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Delta, Event, Failure, FinishReason, Usage, decoder::text, errors};

/// How the API's answer ids begin.
const ID: &str = "resp_";

/// Decodes one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct EventDecoder {
    ended: bool,
    /// The number of each call, by its place in the output.
    calls: BTreeMap<u64, u32>,
    /// The items of which pieces have come, by their places in the output.
    heard: BTreeSet<u64>,
}

impl EventDecoder {
    /// Returns the events of this payload. An error ends the answer.
    pub(crate) fn push(&mut self, payload: &Value) -> Vec<Event> {
        if self.ended {
            return Vec::new();
        }
        let place = payload["output_index"].as_u64().unwrap_or(0);
        let events = match text(payload, "type") {
            "response.created" => vec![start(&payload["response"])],
            "response.output_item.added" => self.begin(place, &payload["item"]),
            "response.output_text.delta" => self.piece(place, payload, Delta::text),
            "response.refusal.delta" => self.piece(place, payload, Delta::Refusal),
            "response.reasoning_text.delta" | "response.reasoning_summary_text.delta" => {
                self.piece(place, payload, Delta::Reasoning)
            }
            "response.function_call_arguments.delta" => self.arguments(place, payload),
            "response.output_text.annotation.added" => vec![dropped("annotations")],
            "response.output_item.done" => self.done(place, &payload["item"]),
            "response.completed" | "response.incomplete" => self.end(&payload["response"]),
            "response.failed" => vec![failed(&payload["response"]["error"])],
            "error" => vec![failed(payload)],
            _ => Vec::new(),
        };
        let is_last = |event: &Event| matches!(event, Event::End { .. } | Event::Failed(_));
        self.ended = events.last().is_some_and(is_last);
        events
    }

    fn begin(&mut self, place: u64, item: &Value) -> Vec<Event> {
        match text(item, "type") {
            "message" | "reasoning" => Vec::new(),
            "function_call" => self.call(place, item).into_iter().collect(),
            "custom_tool_call" => vec![errors::uncarried("custom_tool_call")],
            kind => vec![dropped(kind)],
        }
    }

    /// Returns the beginning of the call at this place, unless it has begun.
    fn call(&mut self, place: u64, item: &Value) -> Option<Event> {
        if self.calls.contains_key(&place) {
            return None;
        }
        let index = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.calls.insert(place, index);
        Some(delta(Delta::ToolCall {
            index,
            id: text(item, "call_id").to_owned(),
            name: text(item, "name").to_owned(),
        }))
    }

    fn piece(
        &mut self,
        place: u64,
        payload: &Value,
        said: impl FnOnce(String) -> Delta,
    ) -> Vec<Event> {
        let piece = text(payload, "delta");
        self.heard.insert(place);
        let said = (!piece.is_empty()).then(|| delta(said(piece.to_owned())));
        let logprobs = payload["logprobs"].as_array();
        let dropped = logprobs.is_some_and(|logprobs| !logprobs.is_empty());
        said.into_iter()
            .chain(dropped.then(|| self::dropped("logprobs")))
            .collect()
    }

    fn arguments(&mut self, place: u64, payload: &Value) -> Vec<Event> {
        let Some(&index) = self.calls.get(&place) else {
            return Vec::new();
        };
        self.piece(place, payload, |arguments| Delta::ToolArguments {
            index,
            arguments,
        })
    }

    /// Some servers send no pieces: then all that an item says comes with its end.
    fn done(&mut self, place: u64, item: &Value) -> Vec<Event> {
        let is_new = !self.heard.contains(&place);
        match text(item, "type") {
            "message" if is_new => content(&item["content"]),
            "function_call" => {
                let mut events: Vec<_> = self.call(place, item).into_iter().collect();
                let arguments = text(item, "arguments");
                if is_new && !arguments.is_empty() {
                    events.push(delta(Delta::ToolArguments {
                        index: self.calls[&place],
                        arguments: arguments.to_owned(),
                    }));
                }
                events
            }
            "reasoning" => {
                let mut events = Vec::new();
                if is_new {
                    events.extend(content(&item["summary"]));
                    events.extend(content(&item["content"]));
                }
                events.extend(encrypted(item, is_new && events.is_empty()));
                events
            }
            _ => Vec::new(),
        }
    }

    fn end(&mut self, response: &Value) -> Vec<Event> {
        let finish = self.finish_reason(response);
        vec![
            Event::Finished { choice: 0, finish },
            Event::End {
                usage: usage(&response["usage"]),
            },
        ]
    }

    fn finish_reason(&self, response: &Value) -> FinishReason {
        match (
            text(response, "status"),
            text(&response["incomplete_details"], "reason"),
        ) {
            ("completed" | "", "") if self.calls.is_empty() => FinishReason::Stop,
            ("completed" | "", "") => FinishReason::ToolCalls,
            (_, "max_output_tokens") => FinishReason::Length,
            (_, "content_filter") => FinishReason::Refusal,
            (status, "") => FinishReason::Other(status.to_owned()),
            (_, reason) => FinishReason::Other(reason.to_owned()),
        }
    }
}

fn start(response: &Value) -> Event {
    let id = text(response, "id");
    Event::Start {
        id: id.strip_prefix(ID).unwrap_or(id).to_owned(),
        model: text(response, "model").to_owned(),
    }
}

/// Returns what only the vendor can read of reasoning: a proof of it where its text has come, and
/// else all there is.
fn encrypted(item: &Value, is_all: bool) -> Option<Event> {
    let data = text(item, "encrypted_content").to_owned();
    let has_any = !data.is_empty();
    has_any.then(|| {
        delta(if is_all {
            Delta::EncryptedReasoning(data)
        } else {
            Delta::Signature(data)
        })
    })
}

/// Returns what the parts of an item say.
fn content(parts: &Value) -> Vec<Event> {
    let parts = parts.as_array().into_iter().flatten();
    let said = parts.map(|part| match text(part, "type") {
        "output_text" => Delta::text(text(part, "text")),
        "refusal" => Delta::Refusal(text(part, "refusal").to_owned()),
        _ => Delta::Reasoning(text(part, "text").to_owned()),
    });
    said.map(delta).collect()
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn dropped(part: &str) -> Event {
    Event::Dropped {
        part: part.to_owned(),
    }
}

/// Returns the end of an answer with this error, whose code is a word.
fn failed(error: &Value) -> Event {
    let status = match text(error, "code") {
        "rate_limit_exceeded" => 429,
        "invalid_prompt" => 400,
        _ => 500,
    };
    Event::Failed(Failure {
        status,
        message: text(error, "message").to_owned(),
        code: error["code"].as_str().map(str::to_owned),
    })
}

fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| {
        let count = value.as_u64().unwrap_or(0);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Usage {
        prompt_tokens: count(&usage["input_tokens"]),
        cached_tokens: count(&usage["input_tokens_details"]["cached_tokens"]),
        completion_tokens: count(&usage["output_tokens"]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};
    use serde_json::json;

    use super::*;

    fn events(payloads: &[Value]) -> Vec<Event> {
        let mut decoder = EventDecoder::default();
        payloads
            .iter()
            .flat_map(|payload| decoder.push(payload))
            .collect()
    }

    fn done(place: u64, item: &Value) -> Value {
        json!({"type": "response.output_item.done", "output_index": place, "item": item})
    }

    fn completed() -> Value {
        json!({"type": "response.completed", "response": {"status": "completed"}})
    }

    #[test]
    fn items_that_come_whole_are_decoded() {
        let part = json!({"type": "output_text", "text": "hi"});
        let call = json!({"type": "function_call", "call_id": "c", "name": "f",
            "arguments": "{}"});
        let thought = json!({"type": "reasoning", "summary": [], "encrypted_content": "x"});
        let found = events(&[
            done(0, &thought),
            done(1, &json!({"type": "message", "content": [part]})),
            done(2, &call),
            completed(),
        ]);
        let index = 0;
        let expected = [
            delta(Delta::EncryptedReasoning("x".to_owned())),
            delta(Delta::text("hi")),
            delta(Delta::ToolCall {
                index,
                id: "c".to_owned(),
                name: "f".to_owned(),
            }),
            delta(Delta::ToolArguments {
                index,
                arguments: "{}".to_owned(),
            }),
        ];
        assert_eq!(found[..4], expected);
        let finish = FinishReason::ToolCalls;
        assert_eq!(found[4], Event::Finished { choice: 0, finish });
    }

    #[test]
    fn what_has_no_event_is_named() {
        let search = json!({"type": "web_search_call"});
        let added = json!({"type": "response.output_item.added", "item": search});
        let annotation = json!({"type": "response.output_text.annotation.added"});
        let found = events(&[added, annotation, completed()]);
        assert_eq!(
            found[..2],
            [dropped("web_search_call"), dropped("annotations")]
        );
    }

    #[test]
    fn an_error_ends_the_answer() {
        let error = json!({"code": "rate_limit_exceeded", "message": "slow down"});
        let mut event = error.clone();
        event["type"] = "error".into();
        let failed = json!({"type": "response.failed", "response": {"error": error}});
        for payload in [failed, event] {
            let [Event::Failed(failure)] = &events(&[payload, completed()])[..] else {
                panic!("it ends with the error");
            };
            assert_eq!((failure.status, &*failure.message), (429, "slow down"));
        }
    }

    proptest! {
        #[test]
        fn no_payload_is_too_strange(
            steps in vec((
                select(vec![
                    "response.created", "response.output_item.added", "response.output_item.done",
                    "response.function_call_arguments.delta", "response.output_text.delta",
                    "response.completed", "error", "x",
                ]),
                select(vec!["message", "reasoning", "function_call", "custom_tool_call", "x"]),
                option::of(0..3_u64),
                option::of(".{0,3}"),
            ), 0..9),
        ) {
            let payloads: Vec<_> = steps
                .into_iter()
                .map(|(kind, item, place, text)| json!({
                    "type": kind, "output_index": place, "delta": text,
                    "item": {"type": item, "content": text, "arguments": text},
                }))
                .collect();
            events(&payloads);
        }
    }
}
