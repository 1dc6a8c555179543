//! From a folded answer to the choices of a document.

use serde_json::{Map, Value, json};

use crate::{
    folded_answer::{FoldedAnswer, FoldedChoice, FoldedPart},
    openai::{
        envelope::{finish_reason, stop_reason},
        logprobs::chat_logprobs,
    },
};

/// The form of signed reasoning, by the name that `OpenRouter` gave it.
const REASONING_FORMAT: &str = "anthropic-claude-v1";

/// Returns the choices of a document.
pub(super) fn choices(answer: &FoldedAnswer) -> Vec<Value> {
    let choices = answer.choices.iter();
    choices
        .map(|(index, folded)| choice(*index, folded))
        .collect()
}

fn choice(index: u32, folded: &FoldedChoice) -> Value {
    let finish = folded.finish.as_ref();
    let mut choice = json!({
        "index": index,
        "message": message(&folded.parts),
        "logprobs": chat_logprobs(&folded.logprobs),
        "finish_reason": finish.map(finish_reason),
    });
    if let Some(stop) = finish.and_then(stop_reason) {
        choice["stop_reason"] = stop.into();
    }
    choice
}

fn message(parts: &[FoldedPart]) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    message.insert("content".to_owned(), "".into());
    let mut details = Vec::new();
    let mut calls = Vec::new();
    for part in parts {
        match part {
            FoldedPart::Text(text) => append(&mut message, "content", text),
            FoldedPart::Refusal(text) => append(&mut message, "refusal", text),
            FoldedPart::Reasoning { text, signature } => {
                if !text.is_empty() {
                    append(&mut message, "reasoning_content", text);
                }
                if let Some(signature) = signature {
                    details.push(signed(text, signature, count(&details)));
                }
            }
            FoldedPart::EncryptedReasoning(data) => details.push(encrypted(data, count(&details))),
            FoldedPart::ToolCall {
                id,
                name,
                arguments,
                ..
            } => calls.push(json!({
                "id": id,
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            })),
        }
    }
    for (name, list) in [("reasoning_details", details), ("tool_calls", calls)] {
        if !list.is_empty() {
            message.insert(name.to_owned(), list.into());
        }
    }
    message.into()
}

fn append(message: &mut Map<String, Value>, field: &str, piece: &str) {
    match message.get_mut(field) {
        Some(Value::String(whole)) => whole.push_str(piece),
        _ => {
            message.insert(field.to_owned(), piece.into());
        }
    }
}

fn count(details: &[Value]) -> u32 {
    u32::try_from(details.len()).unwrap_or(u32::MAX)
}

/// Returns the entry of `reasoning_details` for reasoning and its vendor's proof.
pub(super) fn signed(text: &str, signature: &str, index: u32) -> Value {
    json!({
        "type": "reasoning.text",
        "text": text,
        "signature": signature,
        "format": REASONING_FORMAT,
        "index": index,
    })
}

/// Returns the entry of `reasoning_details` for reasoning that only its vendor can read.
pub(super) fn encrypted(data: &str, index: u32) -> Value {
    json!({
        "type": "reasoning.encrypted",
        "data": data,
        "format": REASONING_FORMAT,
        "index": index,
    })
}
