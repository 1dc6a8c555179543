//! From a document to the events of a stream that says the same.

use serde_json::{Map, Value, json};

/// Fields of a response that are known only at its end.
const LAST: [&str; 4] = ["usage", "completed_at", "incomplete_details", "error"];

/// Texts of items that come in pieces: the item's type, its field, and what the events are called.
const PIECED: [(&str, &str, &str); 4] = [
    ("function_call", "arguments", "function_call_arguments"),
    ("custom_tool_call", "input", "custom_tool_call_input"),
    ("mcp_call", "arguments", "mcp_call_arguments"),
    (
        "code_interpreter_call",
        "code",
        "code_interpreter_call_code",
    ),
];

/// Returns the payloads of the events.
pub(crate) fn unfold(document: &Value) -> Vec<Value> {
    let Value::Object(response) = document else {
        return Vec::new();
    };
    let mut events = Events::default();
    let started = started(response);
    events.push("created", json!({"response": started}));
    events.push("in_progress", json!({"response": started}));
    let output = response.get("output").and_then(Value::as_array);
    for (index, item) in output.into_iter().flatten().enumerate() {
        push_item(index, item, &mut events);
    }
    let status = response.get("status").and_then(Value::as_str);
    let end = status.filter(|status| ["incomplete", "failed"].contains(status));
    let last = json!({"response": document});
    events.push(end.unwrap_or("completed"), last);
    events.payloads
}

/// The events of a stream, numbered.
#[derive(Default)]
struct Events {
    payloads: Vec<Value>,
}

impl Events {
    /// Adds the event `response.{name}` with these fields.
    fn push(&mut self, name: &str, fields: Value) {
        let kind = format!("response.{name}");
        let mut payload = json!({"type": kind, "sequence_number": self.payloads.len()});
        if let (Value::Object(payload), Value::Object(fields)) = (&mut payload, fields) {
            payload.extend(fields);
        }
        self.payloads.push(payload);
    }
}

/// The response as it is when it starts.
fn started(response: &Map<String, Value>) -> Value {
    let mut started = response.clone();
    started.insert("status".to_owned(), "in_progress".into());
    started.insert("output".to_owned(), json!([]));
    for field in LAST {
        if let Some(value) = started.get_mut(field) {
            *value = Value::Null;
        }
    }
    started.into()
}

fn push_item(index: usize, item: &Value, events: &mut Events) {
    let added = json!({"output_index": index, "item": begun(item)});
    events.push("output_item.added", added);
    let mut place = json!({"item_id": "", "output_index": index});
    if item["id"].is_string() {
        place["item_id"] = item["id"].clone();
    }
    for (number, part) in list(item, "summary").iter().enumerate() {
        let place = with(&place, "summary_index", &number.into());
        push_summary(&place, part, events);
    }
    for (number, part) in list(item, "content").iter().enumerate() {
        let place = with(&place, "content_index", &number.into());
        push_part(&place, part, events);
    }
    for (kind, field, subject) in PIECED {
        if item["type"] == kind {
            push_text(&place, subject, field, item, events);
        }
    }
    let done = json!({"output_index": index, "item": item});
    events.push("output_item.done", done);
}

/// An item as it is when it is added.
fn begun(item: &Value) -> Value {
    let mut begun = item.clone();
    let Value::Object(fields) = &mut begun else {
        return begun;
    };
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("status", Value::String(status)) => "in_progress".clone_into(status),
            ("content" | "summary", Value::Array(parts)) => parts.clear(),
            (name, Value::String(text)) if is_pieced(item, name) => text.clear(),
            _ => {}
        }
    }
    begun
}

/// Whether the text in this field of an item comes in pieces.
fn is_pieced(item: &Value, name: &str) -> bool {
    PIECED
        .iter()
        .any(|(kind, field, _)| item["type"] == *kind && name == *field)
}

fn push_summary(place: &Value, part: &Value, events: &mut Events) {
    let begun = begun_part(part, "text");
    events.push("reasoning_summary_part.added", with(place, "part", &begun));
    push_text(place, "reasoning_summary_text", "text", part, events);
    events.push("reasoning_summary_part.done", with(place, "part", part));
}

fn push_part(place: &Value, part: &Value, events: &mut Events) {
    let pieced = match part["type"].as_str() {
        Some(kind @ ("output_text" | "reasoning_text")) => Some((kind, "text")),
        Some("refusal") => Some(("refusal", "refusal")),
        _ => None,
    };
    let begun = pieced.map_or_else(|| part.clone(), |(_, field)| begun_part(part, field));
    events.push("content_part.added", with(place, "part", &begun));
    if let Some((subject, field)) = pieced {
        push_text(place, subject, field, part, events);
    }
    events.push("content_part.done", with(place, "part", part));
}

/// A part as it is when it is added, without its text in `field` and what belongs to that.
fn begun_part(part: &Value, field: &str) -> Value {
    let mut begun = part.clone();
    for (name, value) in begun.as_object_mut().into_iter().flatten() {
        match value {
            Value::Array(items) => items.clear(),
            Value::String(text) if name == field => text.clear(),
            _ => {}
        }
    }
    begun
}

/// Adds the events of the text in a part's or an item's `field`.
fn push_text(place: &Value, subject: &str, field: &str, holder: &Value, events: &mut Events) {
    let Some(text) = holder[field].as_str() else {
        return;
    };
    let mut place = place.clone();
    if subject == "output_text" {
        place["logprobs"] = list(holder, "logprobs").into();
    }
    if !text.is_empty() {
        let delta = with(&place, "delta", &text.into());
        events.push(&format!("{subject}.delta"), delta);
    }
    for (number, annotation) in list(holder, "annotations").iter().enumerate() {
        let event = with(&place, "annotation_index", &number.into());
        let event = with(&event, "annotation", annotation);
        events.push("output_text.annotation.added", event);
    }
    let done = with(&place, field, &text.into());
    events.push(&format!("{subject}.done"), done);
}

/// The items of the list under this name; none if there is no list.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// An object with one more field.
fn with(object: &Value, name: &str, value: &Value) -> Value {
    let mut object = object.clone();
    object[name] = value.clone();
    object
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{FrameKind, responses::Fold};

    fn part() -> impl Strategy<Value = Value> {
        let annotations = vec(".{0,4}", 0..3);
        prop_oneof![
            (".{0,9}", annotations, option::of(0..9)).prop_map(|(text, annotations, logprob)| {
                let logprobs: Vec<_> = logprob.into_iter().map(|p| json!({"logprob": p})).collect();
                json!({"type": "output_text", "text": text, "annotations": annotations,
                    "logprobs": logprobs})
            }),
            ".{0,9}".prop_map(|text| json!({"type": "refusal", "refusal": text})),
            ".{0,9}".prop_map(|text| json!({"type": "reasoning_text", "text": text})),
            ".{0,9}".prop_map(|text| json!({"type": "strange", "text": text, "annotations": [1]})),
            ".{0,9}".prop_map(|text| json!({"type": "output_text", "text": [text]})),
        ]
    }

    fn item() -> impl Strategy<Value = Value> {
        prop_oneof![
            vec(part(), 0..3).prop_map(|parts| json!({"type": "message", "id": "msg_1",
                "status": "completed", "role": "assistant", "content": parts})),
            (vec(".{0,9}", 0..3), vec(part(), 0..2)).prop_map(|(summary, content)| {
                let part = |text| json!({"type": "summary_text", "text": text});
                let summary: Vec<_> = summary.into_iter().map(part).collect();
                json!({"type": "reasoning", "id": "rs_1", "summary": summary,
                    "content": content, "encrypted_content": "x"})
            }),
            ".{0,9}".prop_map(|text| json!({"type": "function_call", "id": "fc_1",
                "call_id": "call_1", "name": "f", "arguments": text, "status": "completed"})),
            ".{0,9}".prop_map(|text| json!({"type": "custom_tool_call", "input": text})),
            ".{0,9}".prop_map(|code| json!({"type": "code_interpreter_call", "code": code})),
            ".{0,9}".prop_map(|text| json!({"type": "strange", "content": text, "summary": 1})),
            Just(json!("strange")),
            Just(json!({"type": 1, "id": 2, "status": 3, "arguments": 4})),
        ]
    }

    fn document(output: &[Value], status: &str) -> Value {
        json!({
            "id": "resp_1", "object": "response", "created_at": 7, "status": status,
            "error": null, "incomplete_details": null, "output": output, "tools": [],
            "usage": {"input_tokens": 1, "output_tokens": 2},
        })
    }

    fn types(document: &Value) -> Vec<String> {
        let kind = |event: &Value| {
            let kind = event["type"].as_str().expect("each event has a type");
            kind.trim_start_matches("response.").to_owned()
        };
        unfold(document).iter().map(kind).collect()
    }

    proptest! {
        #[test]
        fn documents_survive(output in vec(item(), 0..5)) {
            let document = document(&output, "completed");
            let mut fold = Fold::default();
            let mut kinds: Vec<_> = unfold(&document)
                .into_iter()
                .map(|event| fold.push(event))
                .collect();
            prop_assert_eq!(kinds.pop(), Some(FrameKind::End));
            prop_assert!(kinds.iter().all(|&kind| kind == FrameKind::Content));
            prop_assert_eq!(fold.finish(), Ok(document));
        }
    }

    #[test]
    fn events_come_in_the_official_order() {
        let text = json!({"type": "output_text", "text": "hi", "annotations": [{"a": 1}]});
        let summary = json!({"type": "summary_text", "text": "hm"});
        let output = [
            json!({"type": "reasoning", "id": "rs_1", "summary": [summary]}),
            json!({"type": "message", "id": "msg_1", "content": [text]}),
            json!({"type": "function_call", "id": "fc_1", "arguments": "{}"}),
            json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
        ];
        let expected = [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "output_item.done",
            "completed",
        ];
        assert_eq!(types(&document(&output, "completed")), expected);
    }

    #[test]
    fn events_are_numbered_and_name_their_items() {
        let text = json!({"type": "output_text", "text": "hi", "annotations": []});
        let item = json!({"type": "message", "id": "msg_1", "status": "completed",
            "content": [text]});
        let events = unfold(&document(std::slice::from_ref(&item), "incomplete"));
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number);
        }
        assert_eq!(events[0]["response"]["status"], "in_progress");
        assert_eq!(events[0]["response"]["usage"], Value::Null);
        let begun = json!({"type": "message", "id": "msg_1", "status": "in_progress",
            "content": []});
        assert_eq!(events[2]["item"], begun);
        let delta = json!({"type": "response.output_text.delta", "sequence_number": 4,
            "item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": [],
            "delta": "hi"});
        assert_eq!(events[4], delta);
        assert_eq!(events[8]["type"], "response.incomplete");
        assert_eq!(events[8]["response"]["output"], json!([item]));
    }
}
