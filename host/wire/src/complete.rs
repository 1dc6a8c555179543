//! Which answers are whole.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{Endpoint, responses};

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
    /// The model stopped for a reason with which no answer is known to be whole.
    #[error("the model stopped for a reason that is not known to be good")]
    BadEnd,
    /// The request wants more answers.
    #[error("the answer has fewer choices than the request wants")]
    TooFewChoices,
    /// A part of a tool call came that belongs to none.
    #[error("a tool call has no name")]
    NamelessCall,
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
    /// A part of the upstream's answer has no form in the client's API.
    #[error("a part of the answer has no form in the client's API")]
    NotCarried,
    /// The body is no JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The answer used a tool that its vendor runs, whose results another time are others.
    #[error("the answer used a tool that its vendor runs")]
    HostedTool,
    /// The document lacks what every answer of its endpoint has.
    #[error("the document is not an answer")]
    NotAnAnswer,
}

impl Incomplete {
    /// Whether a client has a use for the document all the same, as it says itself what is wrong or
    /// all that is wrong is a tool call, or nothing is.
    pub(crate) fn leaves_a_document(self) -> bool {
        matches!(
            self,
            Self::UnparsableToolArguments
                | Self::CutToolCall
                | Self::NamelessCall
                | Self::BadEnd
                | Self::ErrorEvent
                | Self::NotCarried
                | Self::HostedTool
        )
    }
}

/// Reasons to stop with which an answer of `OpenAI`'s API is whole. Any other may be a failure:
/// such an answer is passed on and not stored, which costs no more than a miss.
const CHAT_ENDS: [&str; 7] = [
    // The model had said all, or came to a stop string.
    "stop",
    // The request's own token limit: asked again, the answer would be as long.
    "length",
    "tool_calls",
    // The predecessor of `tool_calls`.
    "function_call",
    // Together's and text-generation-inference's words for `stop`.
    "eos",
    "eos_token",
    "stop_sequence",
];

/// The same in the words of the vendor behind a router, in lower case. A router may call `stop`
/// what was a failure there.
const NATIVE_ENDS: [&str; 6] = [
    // OpenAI's responses API.
    "completed",
    "max_output_tokens",
    // Anthropic's, and in capitals Google's.
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_token",
];

/// Reasons to stop with which an answer of Anthropic's API is whole. `refusal` is none, and neither
/// is `pause_turn`, whose answer goes on when it is sent back.
const MESSAGE_ENDS: [&str; 5] = [
    "end_turn",
    "stop_sequence",
    "tool_use",
    "max_tokens",
    "model_context_window_exceeded",
];

/// Whether an answer of `OpenAI`'s API is whole with this reason.
pub(crate) fn is_good_end(finish_reason: &str) -> bool {
    CHAT_ENDS.contains(&finish_reason)
}

/// Whether Anthropic's API stopped for want of tokens, with this reason.
pub(crate) fn is_out_of_tokens(stop_reason: &Value) -> bool {
    matches!(
        stop_reason.as_str(),
        Some("max_tokens" | "model_context_window_exceeded")
    )
}

/// Whether this document is a whole answer.
pub(crate) fn check(endpoint: Endpoint, document: &Value) -> Result<(), Incomplete> {
    no_error(document)?;
    match endpoint {
        Endpoint::ChatCompletions => choices(document)?.iter().try_for_each(chat_choice),
        Endpoint::Completions => choices(document)?.iter().try_for_each(ended_choice),
        Endpoint::Embeddings => is_there(document.get("data").is_some_and(Value::is_array)),
        Endpoint::Responses => responses::check(document),
        Endpoint::Messages => {
            let content = document.get("content").and_then(Value::as_array);
            let content = content.ok_or(Incomplete::NotAnAnswer)?;
            finished(document, "stop_reason", &MESSAGE_ENDS)?;
            content.iter().try_for_each(good_block)?;
            let kind = content.last().and_then(|block| block.get("type")?.as_str());
            let calls = kind.is_some_and(|kind| kind.ends_with("tool_use"));
            not_cut(is_out_of_tokens(&document["stop_reason"]) && calls)
        }
        Endpoint::CountTokens => {
            is_there(document.get("input_tokens").is_some_and(Value::is_number))
        }
    }
}

pub(crate) fn is_there(it: bool) -> Result<(), Incomplete> {
    it.then_some(()).ok_or(Incomplete::NotAnAnswer)
}

pub(crate) fn not_cut(is_cut: bool) -> Result<(), Incomplete> {
    (!is_cut).then_some(()).ok_or(Incomplete::CutToolCall)
}

fn choices(document: &Value) -> Result<&Vec<Value>, Incomplete> {
    let choices = document.get("choices").and_then(Value::as_array);
    choices
        .filter(|choices| !choices.is_empty())
        .ok_or(Incomplete::NotAnAnswer)
}

pub(crate) fn no_error(value: &Value) -> Result<(), Incomplete> {
    let has_none = value.get("error").is_none_or(Value::is_null);
    has_none.then_some(()).ok_or(Incomplete::ErrorEvent)
}

fn finished(value: &Value, reason: &str, ends: &[&str]) -> Result<(), Incomplete> {
    match value.get(reason).and_then(Value::as_str) {
        None | Some("") => Err(Incomplete::NoFinishReason),
        Some(reason) if ends.contains(&reason) => Ok(()),
        Some(_) => Err(Incomplete::BadEnd),
    }
}

/// Checks how a choice of either of `OpenAI`'s endpoints ended.
fn ended_choice(choice: &Value) -> Result<(), Incomplete> {
    no_error(choice)?;
    finished(choice, "finish_reason", &CHAT_ENDS)?;
    let native = choice.get("native_finish_reason").and_then(Value::as_str);
    let is_good = native.is_none_or(|reason| {
        let reason = reason.to_ascii_lowercase();
        CHAT_ENDS.contains(&&*reason) || NATIVE_ENDS.contains(&&*reason)
    });
    is_good.then_some(()).ok_or(Incomplete::BadEnd)
}

/// Checks a block of an Anthropic answer: the result of a tool that the vendor runs may be an error.
fn good_block(block: &Value) -> Result<(), Incomplete> {
    no_error(block)?;
    let kind = block.get("type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| kind.ends_with("tool_result")) {
        return Ok(());
    }
    let is_error = |value: &Value| {
        let kind = value.get("type").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.ends_with("_error"))
    };
    let content = &block["content"];
    let fails = block["is_error"] == true
        || is_error(content)
        || content
            .as_array()
            .is_some_and(|items| items.iter().any(is_error));
    (!fails).then_some(()).ok_or(Incomplete::ErrorEvent)
}

fn chat_choice(choice: &Value) -> Result<(), Incomplete> {
    let message = choice.get("message").filter(|message| message.is_object());
    let message = message.ok_or(Incomplete::NotAnAnswer)?;
    ended_choice(choice)?;
    let refuses = message.get("refusal").and_then(Value::as_str);
    if refuses.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(Incomplete::BadEnd);
    }
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    let functions: Vec<_> = calls
        .filter_map(|call| call.get("function"))
        .chain(message.get("function_call"))
        .collect();
    let is_cut = choice.get("finish_reason") == Some(&"length".into());
    not_cut(is_cut && functions.iter().any(|function| function.is_object()))?;
    let is_nameless = |function: &&Value| {
        let name = function.get("name").and_then(Value::as_str);
        function.is_object() && name.is_none_or(str::is_empty)
    };
    if functions.iter().any(is_nameless) {
        return Err(Incomplete::NamelessCall);
    }
    let mut arguments = functions
        .into_iter()
        .filter_map(|function| function.get("arguments")?.as_str());
    arguments.try_for_each(parsable)
}

/// Checks the arguments of a call. A function without parameters may be called with none at all.
pub(crate) fn parsable(arguments: &str) -> Result<(), Incomplete> {
    let parsed = serde_json::from_str::<IgnoredAny>(arguments);
    let is_good = arguments.is_empty() || parsed.is_ok();
    is_good
        .then_some(())
        .ok_or(Incomplete::UnparsableToolArguments)
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
            Err(Incomplete::BadEnd)
        );
        let none = json!({"choices": []});
        assert_eq!(
            check(Endpoint::Completions, &none),
            Err(Incomplete::NotAnAnswer)
        );
    }

    #[test]
    fn only_known_ends_are_good() {
        for reason in [
            "content_filter",
            "insufficient_system_resource",
            "function_call_filter: MALFORMED_FUNCTION_CALL",
            "abort",
            "new",
        ] {
            let choice = json!({"message": {"content": "a"}, "text": "a", "finish_reason": reason});
            let document = json!({"choices": [choice]});
            for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
                assert_eq!(
                    check(endpoint, &document),
                    Err(Incomplete::BadEnd),
                    "{reason}"
                );
            }
        }
        let mut routed = chat(&json!({"content": "a"}));
        for (native, outcome) in [
            ("MALFORMED_FUNCTION_CALL", Err(Incomplete::BadEnd)),
            ("STOP", Ok(())),
            ("completed", Ok(())),
        ] {
            routed["choices"][0]["native_finish_reason"] = native.into();
            assert_eq!(
                check(Endpoint::ChatCompletions, &routed),
                outcome,
                "{native}"
            );
        }
        for reason in ["refusal", "pause_turn", "new"] {
            let document = json!({"content": [], "stop_reason": reason});
            let outcome = check(Endpoint::Messages, &document);
            assert_eq!(outcome, Err(Incomplete::BadEnd), "{reason}");
        }
    }

    #[test]
    fn errors_and_refusals_within_an_answer_are_found() {
        let mut failed = chat(&json!({"content": "a"}));
        failed["choices"][0]["error"] = json!({"message": "no", "code": 502});
        let outcome = check(Endpoint::ChatCompletions, &failed);
        assert_eq!(outcome, Err(Incomplete::ErrorEvent));
        let refused = chat(&json!({"content": null, "refusal": "No."}));
        let outcome = check(Endpoint::ChatCompletions, &refused);
        assert_eq!(outcome, Err(Incomplete::BadEnd));
        let nameless = chat(&json!({"tool_calls": [{"function": {"arguments": "{}"}}]}));
        let outcome = check(Endpoint::ChatCompletions, &nameless);
        assert_eq!(outcome, Err(Incomplete::NamelessCall));
        let error = json!({"type": "web_search_tool_result_error", "error_code": "unavailable"});
        for block in [
            json!({"type": "web_search_tool_result", "content": error}),
            json!({"type": "web_fetch_tool_result", "content": [error]}),
            json!({"type": "mcp_tool_result", "is_error": true, "content": []}),
        ] {
            let document = json!({"content": [block], "stop_reason": "end_turn"});
            let outcome = check(Endpoint::Messages, &document);
            assert_eq!(outcome, Err(Incomplete::ErrorEvent), "{document}");
        }
    }

    #[test]
    fn a_call_that_a_full_context_cut_is_not_whole() {
        let call = json!({"type": "tool_use", "id": "1", "name": "f", "input": {}});
        let document = json!({"content": [call], "stop_reason": "model_context_window_exceeded"});
        let outcome = check(Endpoint::Messages, &document);
        assert_eq!(outcome, Err(Incomplete::CutToolCall));
    }
}
