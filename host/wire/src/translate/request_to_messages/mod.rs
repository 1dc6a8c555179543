//! From an `OpenAI` chat completion request to an Anthropic messages request.

mod tools;
mod turns;

use serde_json::{Map, Value, json};

use super::effort;
use crate::BadRequest;
use crate::field::Field;
use turns::Conversation;

/// Fields that steer `OpenAI`'s servers, or are only a wish; the answer is as good without.
const OPENAI_ONLY: [&str; 8] = [
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "seed",
    "service_tier",
    "store",
    "stream_options",
];

/// The body of `POST /v1/messages` that asks what this body of `POST /v1/chat/completions` asks.
/// Anthropic wants a token limit: `default_max_tokens` where the client sets none. A temperature
/// above 1, where Anthropic's range ends, becomes 1.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, or without a form in Anthropic's API:
/// audio, files by id, JSON without a schema, several choices, log probabilities, penalties, and
/// the `functions` that `tools` have replaced.
pub fn chat_to_messages(body: &Value, default_max_tokens: u32) -> Result<Value, BadRequest> {
    let body = Field::body(body);
    refuse_unsupported(&body)?;
    let Conversation { system, turns } = turns::conversation(&body)?;
    let choice = tools::choice(&body)?;
    let thinking = thinking_budget(&body, &turns, choice.as_ref())?;

    let mut messages = Map::new();
    for (name, field) in body.fields() {
        if let Some((name, value)) = translated(name, &field)? {
            messages.insert(name.to_owned(), value);
        }
    }
    for (name, value) in [
        (
            "max_tokens",
            max_tokens(&body, default_max_tokens, thinking)?.into(),
        ),
        (
            "system",
            json!(Some(system).filter(|blocks| !blocks.is_empty())),
        ),
        ("messages", json!(turns)),
        ("tool_choice", json!(choice)),
        ("thinking", json!(thinking.map(enabled))),
    ] {
        if !value.is_null() {
            messages.insert(name.to_owned(), value);
        }
    }
    Ok(Value::Object(messages))
}

/// The field that says in Anthropic's API what this one says in `OpenAI`'s, where it is one.
fn translated<'a>(
    name: &'a str,
    field: &Field<'_>,
) -> Result<Option<(&'a str, Value)>, BadRequest> {
    Ok(match name {
        // Each is read with others.
        "messages"
        | "tool_choice"
        | "parallel_tool_calls"
        | "max_tokens"
        | "max_completion_tokens"
        | "reasoning_effort" => None,
        "stop" => Some(("stop_sequences", stop_sequences(field)?)),
        "temperature" => Some((name, temperature(field)?)),
        "tools" => tools::tools(field)?.map(|tools| (name, tools.into())),
        "response_format" => response_format(field)?.map(|format| ("output_config", format)),
        "user" | "safety_identifier" => Some(("metadata", json!({"user_id": field.string()?}))),
        name if OPENAI_ONLY.contains(&name) => None,
        name if UNSUPPORTED.iter().any(|(known, _)| *known == name) => None,
        _ => Some((name, field.value.clone())),
    })
}

/// Whether a field's value leaves the answer as it would be without it.
type IsNeutral = fn(&Value) -> bool;

/// Fields that change the answer, each with the values under which it does not. An answer to
/// `functions` would have to call them in a form of its own, which no client needs any more.
const UNSUPPORTED: [(&str, IsNeutral); 12] = [
    ("n", |value| value == 1),
    ("logprobs", |value| value == false),
    ("top_logprobs", |value| value == 0),
    ("logit_bias", is_empty),
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
    ("functions", is_empty),
    ("function_call", |value| value == "none" || value == "auto"),
    ("audio", |_| false),
    ("modalities", |value| *value == json!(["text"])),
    ("verbosity", |value| value == "medium"),
    ("web_search_options", |_| false),
];

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn refuse_unsupported(body: &Field<'_>) -> Result<(), BadRequest> {
    for (name, neutral) in UNSUPPORTED {
        match body.get(name) {
            Some(field) if !neutral(field.value) => return Err(field.unsupported()),
            _ => {}
        }
    }
    Ok(())
}

fn stop_sequences(stop: &Field<'_>) -> Result<Value, BadRequest> {
    match stop.value {
        Value::String(one) => Ok(json!([one])),
        Value::Array(several) => Ok(json!(several)),
        _ => Err(stop.wrong("must be a string or a list of strings")),
    }
}

fn temperature(temperature: &Field<'_>) -> Result<Value, BadRequest> {
    match temperature.value.as_f64() {
        Some(above) if above > 1.0 => Ok(json!(1.0)),
        Some(_) => Ok(temperature.value.clone()),
        None => Err(temperature.wrong("must be a number")),
    }
}

fn response_format(format: &Field<'_>) -> Result<Option<Value>, BadRequest> {
    match format.text("type")? {
        "text" => Ok(None),
        "json_schema" => {
            let schema = format.need("json_schema")?.need("schema")?.value;
            let format = json!({"type": "json_schema", "schema": schema});
            Ok(Some(json!({"format": format})))
        }
        "json_object" => Err(format.unsupported()),
        _ => Err(format.unknown_type()),
    }
}

/// The tokens to think with, if the client wishes an effort. The wish yields where Anthropic
/// refuses thinking: under a forced tool, under sampling settings, and within a turn of tool calls,
/// whose thoughts would have to come back signed.
fn thinking_budget(
    body: &Field<'_>,
    turns: &[turns::Turn],
    choice: Option<&Value>,
) -> Result<Option<u64>, BadRequest> {
    let Some(effort) = body.get("reasoning_effort") else {
        return Ok(None);
    };
    let budget = effort::budget(effort.string()?);
    let budget =
        budget.ok_or_else(|| effort.wrong("is no effort that the model's server knows"))?;
    let forced = choice.is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
    let sampled = body.get("temperature").is_some() || body.get("top_p").is_some();
    let calling = turns.last().is_some_and(turns::Turn::holds_result);
    Ok(Some(budget).filter(|budget| *budget > 0 && !forced && !sampled && !calling))
}

fn enabled(budget: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": budget})
}

/// `max_completion_tokens` wins over the older `max_tokens`. A limit must exceed the budget for
/// thinking; one that does not is taken to mean the answer alone.
fn max_tokens(body: &Field<'_>, default: u32, thinking: Option<u64>) -> Result<u64, BadRequest> {
    let newer = body.get("max_completion_tokens");
    let Some(limit) = newer.or_else(|| body.get("max_tokens")) else {
        return Ok(above(u64::from(default), thinking));
    };
    match limit.value.as_u64() {
        Some(tokens) => Ok(above(tokens, thinking)),
        None => Err(limit.wrong("must be a number of tokens")),
    }
}

fn above(limit: u64, thinking: Option<u64>) -> u64 {
    match thinking {
        Some(budget) if limit <= budget => limit.saturating_add(budget),
        _ => limit,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::{messages_to_chat, testing::any_body};

    fn with(name: &str, value: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        body[name] = value;
        body
    }

    fn translated(body: &Value) -> Value {
        chat_to_messages(body, 100).expect("the request is good")
    }

    #[test]
    fn settings_take_their_other_names() {
        let body = json!({
            "model": "m", "max_tokens": 9, "max_completion_tokens": 7, "temperature": 1.5,
            "top_p": 0.9, "stop": "END", "stream": true, "stream_options": {"include_usage": true},
            "seed": 1, "n": 1, "logprobs": false, "presence_penalty": 0, "user": "ann",
            "metadata": {"run": "1"}, "store": true, "top_k": 40, "response_format": {"type": "text"},
            "messages": [{"role": "user", "content": "hi"}],
        });
        let expected = json!({
            "model": "m", "max_tokens": 7, "temperature": 1.0, "top_p": 0.9, "top_k": 40,
            "stop_sequences": ["END"], "stream": true, "metadata": {"user_id": "ann"},
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        });
        assert_eq!(translated(&body), expected);
    }

    #[test]
    fn a_missing_limit_takes_the_default() {
        assert_eq!(translated(&with("model", json!("m")))["max_tokens"], 100);
    }

    #[test]
    fn a_schema_is_kept() {
        let schema = json!({"type": "object"});
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        let expected = json!({"format": {"type": "json_schema", "schema": schema}});
        assert_eq!(
            translated(&with("response_format", format))["output_config"],
            expected
        );
    }

    #[test]
    fn effort_buys_thinking_within_a_limit_that_leaves_room() {
        let body = translated(&with("reasoning_effort", json!("medium")));
        assert_eq!(
            body["thinking"],
            json!({"type": "enabled", "budget_tokens": 4096})
        );
        assert_eq!(body["max_tokens"], 4196);
    }

    #[test]
    fn effort_yields_where_thinking_is_refused() {
        let result = json!([
            {"role": "assistant", "tool_calls": [
                {"id": "c", "function": {"name": "f", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ]);
        let tool = json!([{"type": "function", "function": {"name": "f"}}]);
        for mut body in [
            with("temperature", json!(0)),
            with("top_p", json!(0.5)),
            with("messages", result),
            json!({
                "messages": [{"role": "user", "content": "hi"}],
                "tools": tool, "tool_choice": "required",
            }),
        ] {
            body["reasoning_effort"] = json!("low");
            let translated = translated(&body);
            assert_eq!(translated.get("thinking"), None, "{body}");
            assert_eq!(translated["max_tokens"], 100);
        }
    }

    #[test]
    fn names_the_field_at_fault() {
        for (body, field) in [
            (json!(7), "messages"),
            (with("n", json!(2)), "n"),
            (with("logprobs", json!(true)), "logprobs"),
            (with("logit_bias", json!({"1": 2})), "logit_bias"),
            (with("presence_penalty", json!(0.5)), "presence_penalty"),
            (with("functions", json!([{"name": "f"}])), "functions"),
            (
                with("response_format", json!({"type": "json_object"})),
                "response_format",
            ),
            (
                with("response_format", json!({"type": "xml"})),
                "response_format.type",
            ),
            (with("temperature", json!("hot")), "temperature"),
            (with("max_tokens", json!(-1)), "max_tokens"),
            (with("stop", json!(7)), "stop"),
            (
                with("reasoning_effort", json!("frantic")),
                "reasoning_effort",
            ),
        ] {
            let error = chat_to_messages(&body, 1).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn a_tool_loop_survives_the_way_there_and_back() {
        let body = json!({
            "model": "m", "max_tokens": 5, "stop_sequences": ["END"],
            "system": [{"type": "text", "text": "rules"}],
            "tools": [{"name": "ls", "description": "Lists.", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "look"}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Cargo.toml"},
                    {"type": "text", "text": "and?"},
                ]},
            ],
        });
        let chat = messages_to_chat(&body).expect("the request is good");
        assert_eq!(translated(&chat), body);
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(body in any_body(), default: u32) {
            let _ = chat_to_messages(&body, default);
        }
    }
}
