//! From an Anthropic messages request to an `OpenAI` chat completion request.

mod tools;
mod turns;

use serde_json::{Map, Value, json};

use super::effort;
use crate::BadRequest;
use crate::field::Field;

/// The longest `user` that `OpenAI` takes, in characters.
const LONGEST_USER: usize = 64;

/// Fields that steer Anthropic's servers, and do not change what is asked.
const ANTHROPIC_ONLY: [&str; 8] = [
    "betas",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "service_tier",
    "speed",
];

/// The body of `POST /v1/chat/completions` that asks what this body of `POST /v1/messages` asks.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, or without a form in `OpenAI`'s API:
/// server tools, blocks of their results, MCP servers, files by id.
pub fn messages_to_chat(body: &Value) -> Result<Value, BadRequest> {
    let body = Field::body(body);
    let mut chat = Map::new();
    chat.insert("messages".to_owned(), turns::turns(&body)?.into());
    for (name, field) in body.fields() {
        for (name, value) in translated(name, &field)? {
            chat.insert(name.to_owned(), value);
        }
    }
    Ok(Value::Object(chat))
}

/// The fields that say in `OpenAI`'s API what this one says in Anthropic's.
fn translated<'a>(name: &'a str, field: &Field<'_>) -> Result<Vec<(&'a str, Value)>, BadRequest> {
    Ok(match name {
        // Read with the conversation.
        "system" | "messages" => Vec::new(),
        "stop_sequences" => vec![("stop", field.value.clone())],
        "stream" => stream(field),
        "tools" => some("tools", tools::functions(field)?),
        "tool_choice" => tools::choice(field)?,
        "thinking" => some("reasoning_effort", thinking(field)?),
        "output_config" => some("response_format", output_config(field)?),
        "output_format" => some("response_format", response_format(field)?),
        "metadata" => some("user", user(field)),
        "mcp_servers" if field.items()?.is_empty() => Vec::new(),
        "mcp_servers" => return Err(field.unsupported()),
        name if ANTHROPIC_ONLY.contains(&name) => Vec::new(),
        _ => vec![(name, field.value.clone())],
    })
}

fn some(name: &'static str, value: Option<impl Into<Value>>) -> Vec<(&'static str, Value)> {
    value
        .map(|value| (name, value.into()))
        .into_iter()
        .collect()
}

/// Anthropic's streams always tell the token counts, `OpenAI`'s only when asked.
fn stream(stream: &Field<'_>) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("stream", stream.value.clone())];
    if stream.value == true {
        fields.push(("stream_options", json!({"include_usage": true})));
    }
    fields
}

/// Adaptive thinking leaves the effort to the model, as does saying nothing. Servers whose model
/// cannot think refuse `reasoning_effort`, so it is not sent unasked.
fn thinking(thinking: &Field<'_>) -> Result<Option<&'static str>, BadRequest> {
    if thinking.text("type")? != "enabled" {
        return Ok(None);
    }
    let budget = thinking.need("budget_tokens")?;
    let tokens = budget.value.as_u64();
    let tokens = tokens.ok_or_else(|| budget.wrong("must be a number of tokens"))?;
    Ok(Some(effort::for_budget(tokens)))
}

/// Its `effort` is left out: Claude Code always sends one, and see [`thinking`].
fn output_config(config: &Field<'_>) -> Result<Option<Value>, BadRequest> {
    match config.get("format") {
        Some(format) => response_format(&format),
        None => Ok(None),
    }
}

/// Anthropic holds the model to the schema; only `strict` makes `OpenAI` do the same.
fn response_format(format: &Field<'_>) -> Result<Option<Value>, BadRequest> {
    if format.text("type")? != "json_schema" {
        return Err(format.unknown_type());
    }
    let schema = format.need("schema")?.value;
    Ok(Some(json!({
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": true, "schema": schema},
    })))
}

/// Claude Code's is a JSON document that changes with every session: too long for `OpenAI`, and
/// no name of a user.
fn user<'a>(metadata: &Field<'a>) -> Option<&'a str> {
    let user = metadata.value["user_id"].as_str()?;
    let is_name = user.chars().count() <= LONGEST_USER && !user.starts_with('{');
    is_name.then_some(user)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::translate::testing::any_body;

    fn with(name: &str, value: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        body[name] = value;
        body
    }

    fn translated(body: &Value) -> Value {
        messages_to_chat(body).expect("the request is good")
    }

    #[test]
    fn settings_take_their_other_names() {
        let body = json!({
            "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
            "stop_sequences": ["END"], "stream": true, "metadata": {"user_id": "ann"},
            "thinking": {"type": "enabled", "budget_tokens": 5000},
            "messages": [{"role": "user", "content": "hi"}],
            "service_tier": "auto", "betas": ["x"], "min_p": 0.1, "mcp_servers": [],
        });
        let expected = json!({
            "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
            "stop": ["END"], "stream": true, "stream_options": {"include_usage": true},
            "user": "ann", "reasoning_effort": "medium", "min_p": 0.1,
            "messages": [{"role": "user", "content": "hi"}],
        });
        assert_eq!(translated(&body), expected);
    }

    #[test]
    fn the_shape_that_claude_code_sends() {
        let body = json!({
            "model": "claude", "max_tokens": 128_000, "stream": true,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "high"},
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            "metadata": {"user_id": "{\"device_id\":\"d\",\"session_id\":\"s\"}"},
            "system": [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=36ee5;"},
                {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}},
            ],
            "tools": [{"name": "Bash", "description": "Runs.", "input_schema": {"type": "object"}}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "<system-reminder>"},
                    {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
                ]},
                {"role": "system", "content": "cwd: /src"},
            ],
        });
        let expected = json!({
            "model": "claude", "max_tokens": 128_000,
            "stream": true, "stream_options": {"include_usage": true},
            "tools": [{"type": "function", "function": {
                "name": "Bash", "description": "Runs.", "parameters": {"type": "object"},
            }}],
            "messages": [
                {"role": "system", "content": "You are Claude Code."},
                {"role": "user", "content": "<system-reminder>\n\nhi"},
                {"role": "system", "content": "cwd: /src"},
            ],
        });
        assert_eq!(translated(&body), expected);
    }

    #[test]
    fn a_schema_is_kept_under_both_its_names() {
        let format = json!({"type": "json_schema", "schema": {"type": "object"}});
        let expected = json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": {"type": "object"}},
        });
        let older = translated(&with("output_format", format.clone()));
        let newer = translated(&with("output_config", json!({"format": format})));
        assert_eq!(older["response_format"], expected);
        assert_eq!(newer["response_format"], expected);
    }

    #[test]
    fn a_user_too_long_for_openai_is_left_out() {
        let longest = "u".repeat(LONGEST_USER);
        let kept = translated(&with("metadata", json!({"user_id": longest})));
        let left_out = translated(&with("metadata", json!({"user_id": longest + "u"})));
        assert_eq!(kept["user"], "u".repeat(LONGEST_USER));
        assert_eq!(left_out.get("user"), None);
    }

    #[test]
    fn names_the_field_at_fault() {
        for (body, field) in [
            (json!("hi"), "messages"),
            (json!({}), "messages"),
            (with("messages", json!("hi")), "messages"),
            (with("mcp_servers", json!([{"type": "url"}])), "mcp_servers"),
            (
                with("thinking", json!({"type": "enabled"})),
                "thinking.budget_tokens",
            ),
            (
                with("output_config", json!({"format": {"type": "xml"}})),
                "output_config.format.type",
            ),
        ] {
            let error = messages_to_chat(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_is_too_strange(body in any_body()) {
            let _ = messages_to_chat(&body);
        }
    }
}
