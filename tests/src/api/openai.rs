//! Answers in the form of `OpenAI`'s chat completions.

use serde_json::{Value, json};

use super::{Answer, Stop};

pub(super) fn stop_name(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Refusal => "content_filter",
    }
}

fn usage(answer: &Answer) -> Value {
    json!({
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.answer_tokens,
        "total_tokens": answer.prompt_tokens + answer.answer_tokens,
    })
}

pub(super) fn document(answer: &Answer) -> Value {
    let text = answer.whole_text();
    let content = if text.is_empty() {
        Value::Null
    } else {
        text.into()
    };
    let mut message = json!({"role": "assistant", "content": content});
    if let Some(thinking) = &answer.thinking {
        message["reasoning_content"] = thinking.as_str().into();
    }
    if !answer.calls.is_empty() {
        let call = |call: &super::ToolCall| {
            let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
            json!({"id": call.id, "type": "function", "function": function})
        };
        message["tool_calls"] = answer.calls.iter().map(call).collect();
    }
    json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": stop_name(answer.stop)}],
        "usage": usage(answer),
    })
}

pub(super) fn frames(answer: &Answer, with_usage: bool) -> Vec<String> {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    let thoughts = answer.thinking.iter();
    deltas.extend(thoughts.map(|thinking| json!({"reasoning_content": thinking})));
    let pieces = answer.pieces.iter();
    deltas.extend(pieces.map(|piece| json!({"content": piece})));
    for (index, call) in answer.calls.iter().enumerate() {
        let function = json!({"name": call.name, "arguments": ""});
        let start =
            json!({"index": index, "id": call.id, "type": "function", "function": function});
        deltas.push(json!({"tool_calls": [start]}));
        let arguments = call.arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        for part in [first, second] {
            let part = json!({"index": index, "function": {"arguments": part}});
            deltas.push(json!({"tool_calls": [part]}));
        }
    }
    let mut chunks: Vec<_> = deltas.iter().map(|delta| chunk(delta, None)).collect();
    chunks.push(chunk(&json!({}), Some(stop_name(answer.stop))));
    if with_usage {
        let mut last = chunk(&json!({}), None);
        last["choices"] = json!([]);
        last["usage"] = usage(answer);
        chunks.push(last);
    }
    let mut frames: Vec<_> = chunks.iter().map(frame).collect();
    frames.push("data: [DONE]\n\n".to_owned());
    frames
}

fn chunk(delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
}

pub(super) fn frame(payload: &Value) -> String {
    format!("data: {payload}\n\n")
}

pub(super) fn error(status: u16, message: &str) -> Value {
    let (kind, code) = match status {
        400 => ("invalid_request_error", "bad_value"),
        401 => ("invalid_request_error", "invalid_api_key"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("rate_limit_error", "rate_limit_exceeded"),
        _ => ("server_error", "server_error"),
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}
