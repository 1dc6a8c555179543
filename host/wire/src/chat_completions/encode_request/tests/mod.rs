//! What requests to Anthropic are to a server of chat completions.

mod tools;
mod turns;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    BadRequest, EncodedRequest, Unsupported, chat_completions, messages, testing::any_body,
};

fn encoded(body: &Value, unsupported: Unsupported) -> Result<EncodedRequest, BadRequest> {
    super::encode_request(&messages::decode_request(body)?, unsupported)
}

/// What a request to Anthropic is to a server of chat completions.
fn translated(body: &Value) -> Value {
    let encoded = encoded(body, Unsupported::Refuse);
    encoded.expect("the request is good").body
}

fn refused(body: &Value) -> BadRequest {
    encoded(body, Unsupported::Refuse).expect_err("the request is refused")
}

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

#[test]
fn settings_take_their_other_names() {
    let body = json!({
        "model": "m", "max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "top_k": 40,
        "stop_sequences": ["END"], "stream": true, "metadata": {"user_id": "ann"},
        "thinking": {"type": "enabled", "budget_tokens": 5000},
        "messages": [{"role": "user", "content": "hi"}],
        "service_tier": "auto", "betas": ["x"], "min_p": 0.1, "mcp_servers": [],
    });
    let expected = json!({
        "model": "m", "max_tokens": 9, "temperature": 0.7, "top_p": 0.9, "top_k": 40,
        "stop": ["END"], "stream": true, "stream_options": {"include_usage": true},
        "user": "ann", "reasoning_effort": "medium", "min_p": 0.1,
        "messages": [{"role": "user", "content": "hi"}],
    });
    let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
    assert_eq!(encoded.body, expected);
    assert_eq!(encoded.dropped, ["service_tier", "betas"]);
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
    let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
    assert_eq!(encoded.body, expected);
    let dropped = [
        "metadata.user_id",
        "context_management",
        "output_config",
        "thinking",
    ];
    assert_eq!(encoded.dropped, dropped);
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
    let longest = "u".repeat(super::LONGEST_USER);
    let kept = translated(&with("metadata", json!({"user_id": longest})));
    let left_out = translated(&with("metadata", json!({"user_id": longest + "u"})));
    assert_eq!(kept["user"], "u".repeat(super::LONGEST_USER));
    assert_eq!(left_out.get("user"), None);
}

#[test]
fn no_thinking_is_not_sent() {
    let body = with("thinking", json!({"type": "disabled"}));
    let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
    assert_eq!(encoded.body.get("reasoning_effort"), None);
    assert_eq!(encoded.dropped, ["thinking"]);
}

#[test]
fn names_the_field_at_fault() {
    let format = json!({"format": {"type": "xml"}});
    for (body, field) in [
        (json!("hi"), "messages"),
        (json!({}), "messages"),
        (with("messages", json!("hi")), "messages"),
        (with("mcp_servers", json!([{"type": "url"}])), "mcp_servers"),
        (
            with("thinking", json!({"type": "enabled"})),
            "thinking.budget_tokens",
        ),
        (with("output_config", format), "output_config.format.type"),
        (with("stop_sequences", json!([7])), "stop_sequences[0]"),
    ] {
        assert_eq!(refused(&body).field.as_deref(), Some(field), "{body}");
    }
}

#[test]
fn a_conversation_survives_the_way_to_the_model_and_back() {
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: A"}});
    let body = json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
                {"type": "file", "file": {
                    "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE",
                }},
            ]},
            {"role": "assistant", "content": "Looking.", "reasoning_content": "hm", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}},
                {"id": "call_2", "type": "function", "function": {"name": "pwd", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "src"},
            {"role": "tool", "tool_call_id": "call_2", "content": "/"},
            {"role": "assistant", "content": "", "refusal": "No."},
            {"role": "user", "content": "Why?"},
        ],
        "tools": [
            {"type": "function", "function": {
                "name": "ls", "description": "Lists.", "parameters": {"type": "object"}, "strict": true,
            }},
            {"type": "custom", "custom": {"name": "patch", "format": grammar}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "ls"}},
        "parallel_tool_calls": true,
        "response_format": {"type": "json_object"},
        "max_tokens": 9, "stop": ["END"], "reasoning_effort": "none", "user": "ann",
        "temperature": 0.7, "seed": 1, "logit_bias": {"7": -100},
    });
    let request = chat_completions::decode_request(&body).expect("the request is good");
    let encoded = super::encode_request(&request, Unsupported::Refuse);
    let encoded = encoded.expect("the request has its form");
    assert_eq!(encoded.body, body);
    assert_eq!(encoded.dropped, Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_body_is_too_strange(body in any_body(), drop: bool) {
        let unsupported = if drop { Unsupported::Drop } else { Unsupported::Refuse };
        let _ = encoded(&body, unsupported);
        if let Ok(request) = chat_completions::decode_request(&body) {
            let _ = super::encode_request(&request, unsupported);
            let _ = crate::ChatRequest::from_request(&request);
        }
    }
}
