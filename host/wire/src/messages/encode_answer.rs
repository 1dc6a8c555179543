//! From a folded answer to the content of a document.

use serde_json::{Value, json};

use crate::{
    Incomplete,
    folded_answer::{FoldedAnswer, FoldedPart},
};

/// Returns the content blocks of the first choice. A call without an id gets `fallback_id`'s. A
/// call that the token limit cut off (`is_cut`) has an empty input: half of one could do harm where
/// a client does not look at the reason why the model stopped.
///
/// # Errors
/// The arguments of a call are no JSON.
pub(super) fn content(
    answer: &FoldedAnswer,
    is_cut: bool,
    fallback_id: impl Fn(u32) -> String,
) -> Result<Vec<Value>, Incomplete> {
    let parts = answer.choices.get(&0).map(|choice| &choice.parts);
    let parts = parts.into_iter().flatten();
    parts
        .map(|part| block(part, is_cut, &fallback_id))
        .collect()
}

fn block(
    part: &FoldedPart,
    is_cut: bool,
    fallback_id: impl Fn(u32) -> String,
) -> Result<Value, Incomplete> {
    Ok(match part {
        FoldedPart::Reasoning { text, signature } => {
            let signature = signature.as_deref().unwrap_or_default();
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
        FoldedPart::EncryptedReasoning(data) => json!({"type": "redacted_thinking", "data": data}),
        FoldedPart::Text(text) | FoldedPart::Refusal(text) => json!({"type": "text", "text": text}),
        FoldedPart::ToolCall {
            index,
            id,
            name,
            arguments,
        } => {
            let id = match id.as_str() {
                "" => fallback_id(*index),
                id => id.to_owned(),
            };
            let input = input(arguments, is_cut)?;
            json!({"type": "tool_use", "id": id, "name": name, "input": input})
        }
    })
}

/// Models write nothing at all for a function without parameters.
fn input(arguments: &str, is_cut: bool) -> Result<Value, Incomplete> {
    if arguments.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_str(arguments) {
        Ok(input) => Ok(input),
        Err(_) if is_cut => Ok(json!({})),
        Err(_) => Err(Incomplete::UnparsableToolArguments),
    }
}
