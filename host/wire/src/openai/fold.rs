//! From the chunks of a stream to the document that says the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{Endpoint, FrameKind, Incomplete};

/// Strings that come in pieces, wherever they stand in a delta.
const PIECEWISE: [&str; 9] = [
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "text",
    "arguments",
    "input",
    "data",
    "transcript",
];

/// A document in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    endpoint: Endpoint,
    document: Map<String, Value>,
    choices: BTreeMap<u64, Map<String, Value>>,
    /// A value came that contradicts an earlier one at its place, so that a document would lose one
    /// of them.
    is_ambiguous: bool,
}

impl Fold {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            document: Map::new(),
            choices: BTreeMap::new(),
            is_ambiguous: false,
        }
    }

    /// Takes in the next chunk.
    pub(crate) fn push(&mut self, payload: Value) -> FrameKind {
        let Value::Object(mut chunk) = payload else {
            return FrameKind::Broken;
        };
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            return FrameKind::Error;
        }
        // The place of the field is kept, for the order of the document's fields.
        let Some(Value::Array(choices)) = chunk.get_mut("choices").map(Value::take) else {
            return FrameKind::Broken;
        };
        let counts = chunk.get("usage").is_some_and(Value::is_object);
        let kind = if choices.is_empty() && counts {
            FrameKind::Usage
        } else {
            FrameKind::Content
        };
        for (key, value) in chunk {
            replace(&mut self.document, key, value);
        }
        let count = choices.len();
        for choice in choices {
            let Value::Object(choice) = choice else {
                return FrameKind::Broken;
            };
            let is_numbered = choice.get("index").is_some_and(Value::is_u64);
            self.is_ambiguous |= count > 1 && !is_numbered;
            self.push_choice(choice);
        }
        kind
    }

    fn push_choice(&mut self, part: Map<String, Value>) {
        let index = part.get("index").and_then(Value::as_u64).unwrap_or(0);
        let choice = self.choices.entry(index).or_default();
        let ambiguous = &mut self.is_ambiguous;
        for (key, value) in part {
            match key.as_str() {
                "delta" => merge(choice, "message".to_owned(), value, ambiguous),
                "text" | "logprobs" | "finish_reason" => merge(choice, key, value, ambiguous),
                _ => replace(choice, key, value),
            }
        }
    }

    /// The document.
    pub(crate) fn finish(self) -> Result<Value, Incomplete> {
        if self.is_ambiguous {
            return Err(Incomplete::UnknownDelta);
        }
        let chat = self.endpoint == Endpoint::ChatCompletions;
        let mut document = self.document;
        let object = if chat {
            "chat.completion"
        } else {
            "text_completion"
        };
        document.insert("object".to_owned(), object.into());
        let choices = self.choices.into_values().map(|mut choice| {
            if chat {
                complete_message(&mut choice);
            }
            Value::Object(choice)
        });
        document.insert("choices".to_owned(), choices.collect());
        // Padding that hides a chunk's length; no document has it.
        document.shift_remove("obfuscation");
        Ok(Value::Object(document))
    }
}

/// Gives a message the fields that every message has, and its tool calls their documented form.
fn complete_message(choice: &mut Map<String, Value>) {
    let message = choice.entry("message").or_insert_with(|| json!({}));
    let Value::Object(message) = message else {
        return;
    };
    message.entry("role").or_insert("assistant".into());
    message.entry("content").or_insert(Value::Null);
    if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
        calls.sort_by_key(|call| call.get("index").and_then(Value::as_u64));
        for call in calls.iter_mut().filter_map(Value::as_object_mut) {
            call.shift_remove("index");
        }
    }
}

/// Puts a later value in the place of an earlier one; an empty one says nothing new.
fn replace(into: &mut Map<String, Value>, key: String, value: Value) {
    let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
    if !empty || !into.contains_key(&key) {
        into.insert(key, value);
    }
}

/// Merges a part into a whole, as `OpenAI`'s own SDKs do: strings that come in pieces are put
/// together, objects field by field, lists item by item.
fn merge(into: &mut Map<String, Value>, key: String, value: Value, ambiguous: &mut bool) {
    match (into.get_mut(&key), value) {
        (Some(Value::String(whole)), Value::String(piece)) if PIECEWISE.contains(&key.as_str()) => {
            whole.push_str(&piece);
        }
        (Some(Value::Object(whole)), Value::Object(part)) => merge_fields(whole, part, ambiguous),
        (Some(Value::Array(whole)), Value::Array(part)) => merge_items(whole, part, ambiguous),
        (None | Some(Value::Null), Value::Array(part)) => {
            let mut whole = Vec::new();
            merge_items(&mut whole, part, ambiguous);
            into.insert(key, whole.into());
        }
        (Some(earlier), value) if !is_blank(earlier) => {
            *ambiguous |= !is_blank(&value) && *earlier != value;
        }
        (_, value) => replace(into, key, value),
    }
}

/// Whether nothing is lost where another value takes this one's place.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn merge_fields(whole: &mut Map<String, Value>, part: Map<String, Value>, ambiguous: &mut bool) {
    for (key, value) in part {
        merge(whole, key, value, ambiguous);
    }
}

/// Merges items that have the same `index`; all others are added at the end.
fn merge_items(whole: &mut Vec<Value>, part: Vec<Value>, ambiguous: &mut bool) {
    for item in part {
        let index = item.get("index").filter(|index| index.is_u64());
        let same = index.and_then(|index| {
            let mut items = whole.iter_mut();
            items.find(|other| other.get("index") == Some(index))
        });
        match (same, item) {
            (Some(Value::Object(whole)), Value::Object(part)) => {
                merge_fields(whole, part, ambiguous);
            }
            (_, item) => whole.push(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(chunks: impl IntoIterator<Item = Value>) -> Value {
        let mut fold = Fold::new(Endpoint::ChatCompletions);
        for chunk in chunks {
            assert_eq!(fold.push(chunk), FrameKind::Content);
        }
        fold.finish().expect("it is unambiguous")
    }

    fn delta(delta: &Value) -> Value {
        json!({"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    }

    fn message(deltas: &[Value]) -> Value {
        fold(deltas.iter().map(delta))["choices"][0]["message"].take()
    }

    #[test]
    fn pieces_become_one_text() {
        let message = message(&[
            json!({"role": "assistant", "content": null, "reasoning_content": "hm"}),
            json!({"reasoning_content": "m", "mood": "good"}),
            json!({"content": "Par", "mood": "good"}),
            json!({"content": "is"}),
        ]);
        let expected = json!({
            "role": "assistant", "content": "Paris", "reasoning_content": "hmm", "mood": "good",
        });
        assert_eq!(message, expected);
    }

    #[test]
    fn what_may_go_on_or_count_alone_is_not_guessed() {
        let mut fold = Fold::new(Endpoint::ChatCompletions);
        fold.push(delta(&json!({"thinking": "first "})));
        fold.push(delta(&json!({"thinking": "second"})));
        assert_eq!(fold.finish(), Err(Incomplete::UnknownDelta));
    }

    #[test]
    fn what_contradicts_itself_is_not_folded() {
        let list = json!([{"type": "text", "text": "a"}]);
        let call = |id: &str, name: &str| {
            let function = json!({"name": name, "arguments": "{}"});
            json!({"tool_calls": [{"index": 0, "id": id, "function": function}]})
        };
        for deltas in [
            [json!({"content": list}), json!({"content": "b"})],
            [json!({"content": "a"}), json!({"content": list})],
            [json!({"content": "a"}), json!({"content": {"text": "b"}})],
            [call("a", "f"), call("b", "f")],
            [call("a", "f"), call("a", "g")],
            [json!({"role": "assistant"}), json!({"role": "tool"})],
        ] {
            let mut fold = Fold::new(Endpoint::ChatCompletions);
            for part in &deltas {
                assert_eq!(fold.push(delta(part)), FrameKind::Content);
            }
            assert_eq!(fold.finish(), Err(Incomplete::UnknownDelta), "{deltas:?}");
        }
        let mut fold = Fold::new(Endpoint::ChatCompletions);
        fold.push(json!({"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}));
        assert_eq!(fold.finish(), Err(Incomplete::UnknownDelta));
    }

    #[test]
    fn empty_values_contradict_nothing() {
        let list = json!([{"type": "text", "text": "a"}]);
        let message = message(&[
            json!({"content": ""}),
            json!({"content": list}),
            json!({"content": ""}),
            json!({"content": null}),
        ]);
        assert_eq!(message["content"], list);
    }

    #[test]
    fn tool_calls_are_told_apart_by_their_index() {
        let call = |index: u64, id: &str, name: &str, arguments: &str| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"tool_calls": [{"index": index, "id": id, "function": function}]})
        };
        let message = message(&[
            call(1, "b", "g", ""),
            call(0, "a", "f", "{"),
            call(1, "", "", "[]"),
            call(0, "a", "f", "}"),
        ]);
        let function = |name: &str, arguments: &str| json!({"name": name, "arguments": arguments});
        let calls = json!([
            {"id": "a", "function": function("f", "{}")},
            {"id": "b", "function": function("g", "[]")},
        ]);
        let expected = json!({"role": "assistant", "content": null, "tool_calls": calls});
        assert_eq!(message, expected);
    }

    #[test]
    fn calls_without_an_index_are_calls_of_their_own() {
        let call = json!({"id": "a", "function": {"name": "f", "arguments": "{}"}});
        let message = message(&[json!({"tool_calls": [call]}), json!({"tool_calls": [call]})]);
        assert_eq!(message["tool_calls"], json!([call, call]));
    }

    #[test]
    fn legacy_function_calls_are_put_together() {
        let message = message(&[
            json!({"function_call": {"name": "f", "arguments": ""}}),
            json!({"function_call": {"arguments": "{}"}}),
        ]);
        let expected = json!({"name": "f", "arguments": "{}"});
        assert_eq!(message["function_call"], expected);
    }

    #[test]
    fn choices_and_their_probabilities_are_kept_apart() {
        let part = |index: u64, text: &str| {
            let logprobs = json!({"content": [{"token": text}], "refusal": null});
            let delta = json!({"content": text});
            json!({"choices": [{"index": index, "delta": delta, "logprobs": logprobs}]})
        };
        let document = fold([part(1, "x"), part(0, "a"), part(1, "y")]);
        assert_eq!(document["choices"][0]["message"]["content"], "a");
        assert_eq!(document["choices"][1]["message"]["content"], "xy");
        let tokens = json!([{"token": "x"}, {"token": "y"}]);
        assert_eq!(document["choices"][1]["logprobs"]["content"], tokens);
    }

    #[test]
    fn a_document_keeps_what_stands_beside_its_choices() {
        let chunks = [
            json!({"id": "", "model": "", "choices": [], "prompt_filter_results": [1]}),
            json!({"id": "1", "object": "chat.completion.chunk", "choices": [],
                "system_fingerprint": "fp", "obfuscation": "xyz", "usage": null}),
        ];
        let expected = json!({
            "id": "1", "model": "", "choices": [], "prompt_filter_results": [1],
            "object": "chat.completion", "system_fingerprint": "fp", "usage": null,
        });
        assert_eq!(fold(chunks), expected);
    }

    #[test]
    fn kinds_tell_counts_errors_and_strangers() {
        for (payload, kind) in [
            (json!({"choices": [], "usage": {}}), FrameKind::Usage),
            (json!({"choices": [], "usage": null}), FrameKind::Content),
            (json!({"choices": [{}], "usage": {}}), FrameKind::Content),
            (json!({"error": {"message": "no"}}), FrameKind::Error),
            (json!({"choices": [7]}), FrameKind::Broken),
            (json!({"type": "ping"}), FrameKind::Broken),
            (json!([]), FrameKind::Broken),
        ] {
            let mut fold = Fold::new(Endpoint::ChatCompletions);
            assert_eq!(fold.push(payload.clone()), kind, "{payload}");
        }
    }
}
