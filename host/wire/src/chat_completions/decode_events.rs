//! From the chunks of a chat completion to the events of an answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{encode_events::ID, tool_calls::ToolCalls};
use crate::{
    Delta, Event, Failure, FinishReason, Usage, complete::is_good_end, decoder::text, errors,
};

/// Fields of a delta that are decoded.
const DECODED: [&str; 7] = [
    "role",
    "content",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "refusal",
    "tool_calls",
];

/// Fields of a delta that say all of the answer in a form that no event has.
const UNCARRIED: [&str; 3] = ["audio", "images", "function_call"];

/// Decodes one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct EventDecoder {
    started: bool,
    ended: bool,
    choices: BTreeMap<u32, Choice>,
    /// The newest token counts.
    usage: Usage,
}

/// What is known of one choice.
#[derive(Debug, Default)]
struct Choice {
    calls: ToolCalls,
    finish: Option<FinishReason>,
}

/// A part of an answer that no event can hold, by its name.
struct Uncarried(String);

impl EventDecoder {
    /// Returns the events of this chunk. A chunk that holds an error ends the answer.
    pub(crate) fn push(&mut self, chunk: &Value) -> Vec<Event> {
        if self.ended {
            return Vec::new();
        }
        if let Some(failure) = failure(chunk) {
            self.ended = true;
            return vec![Event::Failed(failure)];
        }
        if chunk["usage"].is_object() {
            self.usage = usage(&chunk["usage"]);
        }
        let mut events = Vec::new();
        if !self.started {
            self.started = true;
            events.push(start(chunk));
        }
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            if let Err(Uncarried(part)) = self.choice(choice, &mut events) {
                self.ended = true;
                events.push(errors::uncarried(&part));
                break;
            }
        }
        events
    }

    /// Returns the events at the end of the stream. An answer without a finish reason was cut, and
    /// ends with an error.
    pub(crate) fn finish(&mut self) -> Vec<Event> {
        if std::mem::replace(&mut self.ended, true) {
            return Vec::new();
        }
        let finished = self.choices.iter().filter_map(|(index, choice)| {
            let finish = choice.finish.clone()?;
            let choice = *index;
            Some(Event::Finished { choice, finish })
        });
        let mut events: Vec<_> = finished.collect();
        if !matches!(events.first(), Some(Event::Finished { choice: 0, .. })) {
            return vec![errors::cut()];
        }
        events.push(Event::End { usage: self.usage });
        events
    }

    fn choice(&mut self, choice: &Value, events: &mut Vec<Event>) -> Result<(), Uncarried> {
        let index = choice["index"].as_u64().unwrap_or(0);
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let known = self.choices.entry(index).or_default();
        let mut deltas = Vec::new();
        let decoded = known.read(&choice["delta"], &mut deltas, events);
        let deltas = deltas.into_iter();
        events.extend(deltas.map(|delta| Event::Delta {
            choice: index,
            delta,
        }));
        if let Some(reason) = choice["finish_reason"].as_str() {
            let stop = choice["stop_reason"].as_str();
            known.finish = Some(known.finish_reason(reason, stop));
        }
        decoded
    }
}

impl Choice {
    fn read(
        &mut self,
        delta: &Value,
        deltas: &mut Vec<Delta>,
        events: &mut Vec<Event>,
    ) -> Result<(), Uncarried> {
        // Servers differ in the name, and some send both.
        let reasoning = match text(delta, "reasoning_content") {
            "" => text(delta, "reasoning"),
            reasoning => reasoning,
        };
        deltas.extend(piece(reasoning, Delta::Reasoning));
        deltas.extend(reasoning_details(&delta["reasoning_details"]));
        content(&delta["content"], deltas)?;
        if let Some(name) = UNCARRIED.into_iter().find(|name| !delta[name].is_null()) {
            return Err(Uncarried(name.to_owned()));
        }
        deltas.extend(piece(text(delta, "refusal"), Delta::Refusal));
        let pieces = delta["tool_calls"].as_array().into_iter().flatten();
        for (position, piece) in pieces.enumerate() {
            deltas.extend(self.calls.push(position, piece));
        }
        events.extend(dropped(delta));
        Ok(())
    }

    /// Some servers say `stop` also after tool calls. A reason that is not known to be good stays,
    /// so that a failure does not pass for one.
    fn finish_reason(&self, reason: &str, stop: Option<&str>) -> FinishReason {
        match (reason, stop) {
            ("length", _) => FinishReason::Length,
            ("content_filter", _) => FinishReason::Refusal,
            ("tool_calls" | "function_call", _) => FinishReason::ToolCalls,
            (reason, _) if !is_good_end(reason) => FinishReason::Other(reason.to_owned()),
            _ if self.calls.any() => FinishReason::ToolCalls,
            (_, Some(stop)) => FinishReason::StopString(stop.to_owned()),
            _ => FinishReason::Stop,
        }
    }
}

fn start(chunk: &Value) -> Event {
    let id = text(chunk, "id");
    Event::Start {
        id: id.strip_prefix(ID).unwrap_or(id).to_owned(),
        model: text(chunk, "model").to_owned(),
    }
}

/// Returns the error that a chunk or its first choice holds.
fn failure(chunk: &Value) -> Option<Failure> {
    let choices = chunk["choices"].as_array().into_iter().flatten();
    let holders = choices.chain([chunk]);
    let mut failed = holders.filter(|holder| !holder["error"].is_null());
    failed.next().map(errors::failure)
}

fn piece(piece: &str, delta: fn(String) -> Delta) -> Option<Delta> {
    (!piece.is_empty()).then(|| delta(piece.to_owned()))
}

/// Decodes a message's content: a text, or a list of texts and reasoning, as Mistral's models send
/// it.
fn content(content: &Value, deltas: &mut Vec<Delta>) -> Result<(), Uncarried> {
    match content {
        Value::Null => {}
        Value::String(text) => deltas.extend(piece(text, Delta::text)),
        Value::Array(parts) => {
            for part in parts {
                content_part(part, deltas)?;
            }
        }
        _ => return Err(Uncarried("content".to_owned())),
    }
    Ok(())
}

fn content_part(part: &Value, deltas: &mut Vec<Delta>) -> Result<(), Uncarried> {
    let uncarried = || Uncarried(format!("content of the type `{}`", text(part, "type")));
    match (text(part, "type"), &part["text"], &part["thinking"]) {
        ("text", Value::String(text), _) => deltas.extend(piece(text, Delta::text)),
        ("thinking", _, Value::String(text)) => deltas.extend(piece(text, Delta::Reasoning)),
        ("thinking", _, Value::Array(pieces)) => {
            for text in pieces {
                let text = text["text"].as_str().ok_or_else(uncarried)?;
                deltas.extend(piece(text, Delta::Reasoning));
            }
        }
        _ => return Err(uncarried()),
    }
    Ok(())
}

/// Returns what only the vendor can use of the reasoning; its text comes in a field of its own.
fn reasoning_details(details: &Value) -> Vec<Delta> {
    let details = details.as_array().into_iter().flatten();
    let vendors = details.filter_map(|detail| match text(detail, "type") {
        "reasoning.encrypted" => piece(text(detail, "data"), Delta::EncryptedReasoning),
        _ => piece(text(detail, "signature"), Delta::Signature),
    });
    vendors.collect()
}

/// Names the fields of a delta that say something and have no event.
fn dropped(delta: &Value) -> Vec<Event> {
    let says_something = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    };
    let fields = delta.as_object().into_iter().flat_map(Map::iter);
    let dropped =
        fields.filter(|(name, value)| !DECODED.contains(&name.as_str()) && says_something(value));
    dropped
        .map(|(name, _)| Event::Dropped { part: name.clone() })
        .collect()
}

fn usage(usage: &Value) -> Usage {
    let count = |value: &Value| {
        let count = value.as_u64().unwrap_or(0);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Usage {
        prompt_tokens: count(&usage["prompt_tokens"]),
        cached_tokens: count(&usage["prompt_tokens_details"]["cached_tokens"]),
        completion_tokens: count(&usage["completion_tokens"]),
    }
}
