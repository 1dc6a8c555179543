//! Answers in the form of Anthropic's messages.

use serde_json::{Value, json};

use super::{Answer, Stop};

/// The signature of every thought.
const SIGNATURE: &str = "c2lnbmF0dXJl";

pub(super) fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Tools => "tool_use",
        Stop::Refusal => "refusal",
    }
}

/// The blocks of an answer, each with the deltas that make it.
fn blocks(answer: &Answer) -> Vec<(Value, Vec<Value>)> {
    let mut blocks = Vec::new();
    if let Some(thinking) = &answer.thinking {
        let deltas = vec![
            json!({"type": "thinking_delta", "thinking": thinking}),
            json!({"type": "signature_delta", "signature": SIGNATURE}),
        ];
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
        blocks.push((start, deltas));
    }
    if !answer.pieces.is_empty() {
        let delta = |piece| json!({"type": "text_delta", "text": piece});
        let deltas = answer.pieces.iter().map(delta).collect();
        blocks.push((json!({"type": "text", "text": ""}), deltas));
    }
    for call in &answer.calls {
        let input = call.arguments.to_string();
        let (first, second) = input.split_at(input.len() / 2);
        let delta = |part| json!({"type": "input_json_delta", "partial_json": part});
        let start = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        blocks.push((start, vec![delta(first), delta(second)]));
    }
    blocks
}

fn content(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        content.push(json!({"type": "thinking", "thinking": thinking, "signature": SIGNATURE}));
    }
    if !answer.pieces.is_empty() {
        content.push(json!({"type": "text", "text": answer.whole_text()}));
    }
    let call = |call: &super::ToolCall| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments});
    content.extend(answer.calls.iter().map(call));
    content.into()
}

pub(super) fn document(answer: &Answer) -> Value {
    let usage = json!({
        "input_tokens": answer.prompt_tokens,
        "output_tokens": answer.answer_tokens,
    });
    message(&content(answer), Some(stop_name(answer.stop)), &usage)
}

fn message(content: &Value, stop_reason: Option<&str>, usage: &Value) -> Value {
    json!({
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": usage,
    })
}

pub(super) fn frames(answer: &Answer) -> Vec<String> {
    let usage = json!({"input_tokens": answer.prompt_tokens, "output_tokens": 1});
    let start = message(&json!([]), None, &usage);
    let mut events = vec![json!({"type": "message_start", "message": start})];
    for (index, (start, deltas)) in blocks(answer).into_iter().enumerate() {
        events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
        let delta = |delta| json!({"type": "content_block_delta", "index": index, "delta": delta});
        events.extend(deltas.into_iter().map(delta));
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_name(answer.stop), "stop_sequence": null},
        "usage": {"output_tokens": answer.answer_tokens},
    }));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(frame).collect()
}

pub(super) fn frame(payload: &Value) -> String {
    let kind = payload["type"].as_str().expect("an event has a type");
    format!("event: {kind}\ndata: {payload}\n\n")
}

pub(super) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}
