//! Which answers are whole.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::Endpoint;

/// Why an answer is not a whole, successful one, and not to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// The stream was cut off.
    #[error("the stream ended too early")]
    NoEnd,
    /// The model did not say why it stopped.
    #[error("the answer has no finish reason")]
    NoFinishReason,
    /// The model, or what stands before it, failed.
    #[error("the answer is an error")]
    ErrorEvent,
    /// A frame could not be understood, or came where it may not stand.
    #[error("the stream is malformed")]
    Broken,
    /// The arguments of a tool call are no JSON.
    #[error("the arguments of a tool call cannot be parsed")]
    UnparsableToolArguments,
    /// The token limit came in the middle of a tool call, or right after it, which looks the same.
    #[error("the token limit cut a tool call off")]
    CutToolCall,
    /// The stream has an event of which it is not known what it does to the document.
    #[error("the stream has an event of an unknown type")]
    UnknownDelta,
    /// The body is no JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The document lacks what every answer of its endpoint has.
    #[error("the document is not an answer")]
    NotAnAnswer,
}

impl Incomplete {
    /// Whether all that is wrong is a tool call, so that the rest of the answer is as good as ever.
    pub(crate) fn is_of_a_call(self) -> bool {
        matches!(self, Self::UnparsableToolArguments | Self::CutToolCall)
    }
}

/// Reasons by which servers say that they did not come to the answer's end. Others may be new ones
/// of an API, and are no failures.
const FAILURES: [&str; 8] = [
    "abort",
    "aborted",
    "canceled",
    "cancelled",
    "error",
    "failed",
    "network_error",
    "timeout",
];

/// Whether this document is a whole answer.
pub(crate) fn check(endpoint: Endpoint, document: &Value) -> Result<(), Incomplete> {
    if document.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Incomplete::ErrorEvent);
    }
    match endpoint {
        Endpoint::ChatCompletions => choices(document)?.iter().try_for_each(chat_choice),
        Endpoint::Completions => choices(document)?
            .iter()
            .try_for_each(|choice| finished(choice, "finish_reason")),
        Endpoint::Embeddings => is_there(document.get("data").is_some_and(Value::is_array)),
        Endpoint::Messages => {
            let content = document.get("content").and_then(Value::as_array);
            let content = content.ok_or(Incomplete::NotAnAnswer)?;
            finished(document, "stop_reason")?;
            let kind = content.last().and_then(|block| block.get("type")?.as_str());
            let calls = kind.is_some_and(|kind| kind.ends_with("tool_use"));
            not_cut(document.get("stop_reason") == Some(&"max_tokens".into()) && calls)
        }
        Endpoint::CountTokens => {
            is_there(document.get("input_tokens").is_some_and(Value::is_number))
        }
    }
}

fn is_there(it: bool) -> Result<(), Incomplete> {
    it.then_some(()).ok_or(Incomplete::NotAnAnswer)
}

fn not_cut(is_cut: bool) -> Result<(), Incomplete> {
    (!is_cut).then_some(()).ok_or(Incomplete::CutToolCall)
}

fn choices(document: &Value) -> Result<&Vec<Value>, Incomplete> {
    let choices = document.get("choices").and_then(Value::as_array);
    choices
        .filter(|choices| !choices.is_empty())
        .ok_or(Incomplete::NotAnAnswer)
}

fn finished(value: &Value, reason: &str) -> Result<(), Incomplete> {
    match value.get(reason).and_then(Value::as_str) {
        None | Some("") => Err(Incomplete::NoFinishReason),
        Some(reason) if FAILURES.contains(&reason) => Err(Incomplete::ErrorEvent),
        Some(_) => Ok(()),
    }
}

fn chat_choice(choice: &Value) -> Result<(), Incomplete> {
    let message = choice.get("message").filter(|message| message.is_object());
    let message = message.ok_or(Incomplete::NotAnAnswer)?;
    finished(choice, "finish_reason")?;
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    let functions: Vec<_> = calls
        .filter_map(|call| call.get("function"))
        .chain(message.get("function_call"))
        .collect();
    let is_cut = choice.get("finish_reason") == Some(&"length".into());
    not_cut(is_cut && functions.iter().any(|function| function.is_object()))?;
    let arguments = functions
        .into_iter()
        .filter_map(|function| function.get("arguments")?.as_str());
    for arguments in arguments {
        // A function without parameters may be called with none at all.
        if !arguments.is_empty() {
            serde_json::from_str::<IgnoredAny>(arguments)
                .map_err(|_| Incomplete::UnparsableToolArguments)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chat(message: &Value) -> Value {
        json!({"choices": [{"message": message, "finish_reason": "stop"}]})
    }

    fn call(arguments: &str) -> Value {
        let function = json!({"name": "f", "arguments": arguments});
        chat(&json!({"content": null, "tool_calls": [{"id": "1", "function": function}]}))
    }

    #[test]
    fn whole_answers_pass() {
        for (endpoint, document) in [
            (Endpoint::ChatCompletions, chat(&json!({"content": "hi"}))),
            (Endpoint::ChatCompletions, call(r#"{"a": 1}"#)),
            (Endpoint::ChatCompletions, call("")),
            (
                Endpoint::Completions,
                json!({"choices": [{"text": "", "finish_reason": "length"}]}),
            ),
            (Endpoint::Embeddings, json!({"data": []})),
            (
                Endpoint::Messages,
                json!({"content": [], "stop_reason": "end_turn"}),
            ),
            (
                Endpoint::Messages,
                json!({"content": [{"type": "text"}], "stop_reason": "max_tokens"}),
            ),
            (Endpoint::CountTokens, json!({"input_tokens": 7})),
        ] {
            assert_eq!(check(endpoint, &document), Ok(()), "{document}");
        }
    }

    #[test]
    fn others_say_what_they_lack() {
        for endpoint in Endpoint::ALL {
            assert_eq!(check(endpoint, &json!({})), Err(Incomplete::NotAnAnswer));
            let error = json!({"error": {"message": "no"}});
            assert_eq!(check(endpoint, &error), Err(Incomplete::ErrorEvent));
        }
        let unfinished = json!({"content": [], "stop_reason": null});
        assert_eq!(
            check(Endpoint::Messages, &unfinished),
            Err(Incomplete::NoFinishReason)
        );
        assert_eq!(
            check(Endpoint::ChatCompletions, &call("{\"a\":")),
            Err(Incomplete::UnparsableToolArguments)
        );
        let mut cut = call("{}");
        cut["choices"][0]["finish_reason"] = json!("length");
        assert_eq!(
            check(Endpoint::ChatCompletions, &cut),
            Err(Incomplete::CutToolCall)
        );
        let block = json!({"type": "tool_use", "id": "1", "name": "f", "input": {}});
        let cut = json!({"content": [block], "stop_reason": "max_tokens"});
        assert_eq!(
            check(Endpoint::Messages, &cut),
            Err(Incomplete::CutToolCall)
        );
        let failed = json!({"choices": [{"text": "a", "finish_reason": "abort"}]});
        assert_eq!(
            check(Endpoint::Completions, &failed),
            Err(Incomplete::ErrorEvent)
        );
        let none = json!({"choices": []});
        assert_eq!(
            check(Endpoint::Completions, &none),
            Err(Incomplete::NotAnAnswer)
        );
    }
}
