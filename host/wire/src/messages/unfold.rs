//! From a document to the events of a stream that says the same.

use serde_json::{Map, Value, json};

/// Fields of a message that are known only at its end.
const LAST: [&str; 2] = ["stop_reason", "stop_sequence"];

/// The payloads of the events.
pub(crate) fn unfold(document: &Value) -> Vec<Value> {
    let Value::Object(document) = document else {
        return Vec::new();
    };
    let mut events = vec![json!({"type": "message_start", "message": started(document)})];
    let blocks = document.get("content").and_then(Value::as_array);
    for (index, block) in blocks.into_iter().flatten().enumerate() {
        let (block, deltas) = unfold_block(block);
        events.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        events.extend(
            deltas.into_iter().map(
                |delta| json!({"type": "content_block_delta", "index": index, "delta": delta}),
            ),
        );
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(last_words(document));
    events.push(json!({"type": "message_stop"}));
    events
}

/// The message as it is when it starts.
fn started(document: &Map<String, Value>) -> Value {
    let mut message = document.clone();
    message.insert("content".to_owned(), json!([]));
    for field in LAST {
        if let Some(value) = message.get_mut(field) {
            *value = Value::Null;
        }
    }
    if let Some(Value::Object(usage)) = message.get_mut("usage")
        && let Some(output) = usage.get_mut("output_tokens")
    {
        *output = 0.into();
    }
    message.into()
}

fn last_words(document: &Map<String, Value>) -> Value {
    let fields = LAST.map(|field| Some((field.to_owned(), document.get(field)?.clone())));
    let delta: Map<_, _> = fields.into_iter().flatten().collect();
    let mut event = json!({"type": "message_delta", "delta": delta});
    if let Some(usage) = document.get("usage") {
        event["usage"] = usage.clone();
    }
    event
}

/// A block as it starts, and the deltas that make it whole.
fn unfold_block(block: &Value) -> (Value, Vec<Value>) {
    let mut start = block.clone();
    let kind = block
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let deltas = match kind {
        "text" => {
            let texts = take_text(&mut start, "text", "text_delta");
            let citations = take_citations(&mut start).into_iter();
            let citations = citations.map(|it| json!({"type": "citations_delta", "citation": it}));
            texts.into_iter().chain(citations).collect()
        }
        "thinking" => {
            let thinking = take_text(&mut start, "thinking", "thinking_delta");
            let signature = take_text(&mut start, "signature", "signature_delta");
            thinking.into_iter().chain(signature).collect()
        }
        _ if kind.ends_with("tool_use") => take_input(&mut start).into_iter().collect(),
        _ => Vec::new(),
    };
    (start, deltas)
}

/// Takes a text out of a block and into a delta.
fn take_text(block: &mut Value, field: &str, delta: &str) -> Option<Value> {
    let Some(Value::String(text)) = block.get_mut(field) else {
        return None;
    };
    let text = std::mem::take(text);
    (!text.is_empty()).then(|| json!({"type": delta, field: text}))
}

fn take_citations(block: &mut Value) -> Vec<Value> {
    match block.get_mut("citations") {
        Some(Value::Array(citations)) => std::mem::take(citations),
        _ => Vec::new(),
    }
}

fn take_input(block: &mut Value) -> Option<Value> {
    let input = block.get_mut("input")?;
    let input = std::mem::replace(input, json!({}));
    let delta = json!({"type": "input_json_delta", "partial_json": input.to_string()});
    (input != json!({})).then_some(delta)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{FrameKind, messages::Fold};

    fn block() -> impl Strategy<Value = Value> {
        let citations = option::of(vec(".{0,4}", 0..3));
        prop_oneof![
            (".{0,9}", citations).prop_map(
                |(text, citations)| json!({"type": "text", "text": text, "citations": citations})
            ),
            (".{0,9}", ".{0,9}").prop_map(|(text, signature)| {
                json!({"type": "thinking", "thinking": text, "signature": signature})
            }),
            ".{0,9}".prop_map(|data| json!({"type": "redacted_thinking", "data": data})),
            (".{0,4}", vec(("[a-z]", ".{0,4}"), 0..3)).prop_map(|(id, fields)| {
                let input: Map<_, _> = fields.into_iter().map(|(k, v)| (k, v.into())).collect();
                json!({"type": "tool_use", "id": id, "name": "f", "input": input})
            }),
            ".{0,9}".prop_map(|text| json!({"type": "strange", "text": text, "input": {"a": 1}})),
        ]
    }

    fn document(content: &[Value]) -> Value {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": content, "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 3, "output_tokens": 7, "service_tier": "standard"},
            "container": null,
        })
    }

    proptest! {
        #[test]
        fn documents_survive(content in vec(block(), 0..5)) {
            let document = document(&content);
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
    fn a_stream_starts_without_what_is_known_at_its_end() {
        let events = unfold(&document(&[json!({"type": "text", "text": "hi"})]));
        let types: Vec<_> = events.iter().map(|event| &event["type"]).collect();
        let expected = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(types, expected);
        assert_eq!(events[0]["message"]["stop_reason"], Value::Null);
        assert_eq!(events[0]["message"]["usage"]["output_tokens"], 0);
        assert_eq!(events[4]["delta"]["stop_reason"], "end_turn");
        assert_eq!(events[4]["usage"]["output_tokens"], 7);
    }
}
