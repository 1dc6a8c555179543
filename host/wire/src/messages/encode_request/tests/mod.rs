//! What chat completion requests are to Anthropic.

mod tools;
mod turns;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    BadRequest, EncodedRequest, Unsupported, chat_completions, messages, testing::any_body,
};

fn encoded(body: &Value, unsupported: Unsupported) -> Result<EncodedRequest, BadRequest> {
    super::encode_request(&chat_completions::decode_request(body)?, unsupported, 100)
}

/// What a chat completion request is to Anthropic.
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

fn said(text: &str) -> Value {
    json!({"type": "text", "text": text})
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
        "messages": [{"role": "user", "content": [said("hi")]}],
    });
    let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
    assert_eq!(encoded.body, expected);
    let dropped = ["stream_options", "seed", "metadata", "store"];
    assert_eq!(encoded.dropped, dropped);
}

#[test]
fn a_temperature_within_the_range_stays_as_it_is() {
    let temperature = |given| translated(&with("temperature", given))["temperature"].to_string();
    assert_eq!(temperature(json!(0.7)), "0.7");
    assert_eq!(temperature(json!(1)), "1");
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
    let translated = translated(&with("response_format", format));
    assert_eq!(translated["output_config"], expected);
}

#[test]
fn effort_buys_thinking_within_a_limit_that_leaves_room() {
    let body = translated(&with("reasoning_effort", json!("medium")));
    let thinking = json!({"type": "enabled", "budget_tokens": 4096});
    assert_eq!(body["thinking"], thinking);
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
        let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
        assert_eq!(encoded.body.get("thinking"), None, "{body}");
        assert_eq!(encoded.body["max_tokens"], 100);
        assert_eq!(encoded.dropped, ["reasoning_effort"]);
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
        assert_eq!(refused(&body).field.as_deref(), Some(field), "{body}");
    }
}

#[test]
fn what_has_no_form_may_be_dropped() {
    let audio = json!({"type": "input_audio", "input_audio": {}});
    let body = json!({
        "messages": [{"role": "user", "name": "ann", "content": [said("hi"), audio]}],
        "n": 2, "logprobs": true, "response_format": {"type": "json_object"},
        "tools": [{"type": "custom", "custom": {"name": "patch"}}],
        "tool_choice": "required", "reasoning_effort": "frantic",
    });
    let encoded = encoded(&body, Unsupported::Drop).expect("all of it may be dropped");
    let expected = json!({
        "max_tokens": 100, "messages": [{"role": "user", "content": [said("hi")]}],
    });
    assert_eq!(encoded.body, expected);
    let dropped = [
        "messages[0].name",
        "messages[0].content[1].type",
        "tools[0].type",
        "reasoning_effort",
        "n",
        "logprobs",
        "response_format",
    ];
    assert_eq!(encoded.dropped, dropped);
}

#[test]
fn a_tool_loop_survives_the_way_there_and_back() {
    let body = json!({
        "model": "m", "max_tokens": 5, "stop_sequences": ["END"],
        "system": [said("rules")],
        "tools": [{"name": "ls", "description": "Lists.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": [said("look")]},
            {"role": "assistant", "content": [
                said("Looking."),
                {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Cargo.toml"},
                said("and?"),
            ]},
        ],
    });
    let request = messages::decode_request(&body).expect("the request is good");
    let chat = chat_completions::encode_request(&request, Unsupported::Refuse);
    assert_eq!(translated(&chat.expect("it has a form").body), body);
}

#[test]
fn a_conversation_survives_the_way_to_the_model_and_back() {
    let source = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "AA"});
    let body = json!({
        "model": "m", "max_tokens": 2048, "stop_sequences": ["END"], "stream": true,
        "system": [said("rules")],
        "tools": [{"name": "ls", "input_schema": {"type": "object"}, "strict": true}],
        "messages": [
            {"role": "user", "content": [
                said("look"),
                {"type": "image", "source": source("image/png")},
                {"type": "document", "source": source("application/pdf"), "title": "a.pdf"},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "secret"},
                said("Looking."),
                {"type": "tool_use", "id": "t", "name": "ls", "input": {"path": "."}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": [
                    said("no"), {"type": "image", "source": source("image/png")},
                ]},
                said("and?"),
            ]},
        ],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "high", "format": {
            "type": "json_schema", "schema": {"type": "object"},
        }},
        "metadata": {"user_id": "ann"}, "context_management": {"edits": []}, "top_k": 40,
    });
    let request = messages::decode_request(&body).expect("the request is good");
    let encoded = super::encode_request(&request, Unsupported::Refuse, 100);
    let encoded = encoded.expect("the request has its form");
    assert_eq!(encoded.body, body);
    assert_eq!(encoded.dropped, Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_body_is_too_strange(body in any_body(), default: u32, drop: bool) {
        let unsupported = if drop { Unsupported::Drop } else { Unsupported::Refuse };
        let _ = encoded(&body, unsupported);
        if let Ok(request) = messages::decode_request(&body) {
            let _ = super::encode_request(&request, unsupported, default);
            let _ = crate::ChatRequest::from_request(&request);
        }
    }
}
