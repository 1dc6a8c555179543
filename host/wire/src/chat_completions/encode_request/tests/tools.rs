use serde_json::{Value, json};

use super::{encoded, refused, translated, with};
use crate::{Unsupported, chat_completions, chat_completions::encode_request};

#[test]
fn a_custom_tool_of_anthropic_is_a_function() {
    let tools = json!([
        {"name": "a", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "custom", "name": "b", "description": "B.", "input_schema": {}, "strict": true},
    ]);
    let expected = json!([
        {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}},
        {"type": "function", "function": {
            "name": "b", "description": "B.", "parameters": {}, "strict": true,
        }},
    ]);
    assert_eq!(translated(&with("tools", tools))["tools"], expected);
    assert_eq!(translated(&with("tools", json!([]))).get("tools"), None);
}

#[test]
fn a_hosted_tool_is_refused_by_name_or_dropped_with_its_choice() {
    let mut body = json!({
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [
            {"type": "web_search_20250305", "name": "web_search"},
            {"name": "ls", "input_schema": {"type": "object"}},
        ],
    });
    let error = refused(&body);
    assert_eq!(error.field.as_deref(), Some("tools[0].type"));
    assert!(error.message.contains("web_search_20250305"), "{error}");
    body["tool_choice"] = json!({"type": "tool", "name": "web_search"});
    let encoded = encoded(&body, Unsupported::Drop).expect("the tool is dropped");
    assert_eq!(encoded.body["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(encoded.body.get("tool_choice"), None);
    assert_eq!(encoded.dropped, ["tools[0].type", "tool_choice.name"]);
}

#[test]
fn every_choice_has_its_form() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    for (anthropic, openai, parallel) in [
        (json!({"type": "auto"}), json!("auto"), Value::Null),
        (json!({"type": "none"}), json!("none"), Value::Null),
        (
            json!({"type": "any", "disable_parallel_tool_use": true}),
            json!("required"),
            json!(false),
        ),
        (json!({"type": "tool", "name": "f"}), function, Value::Null),
    ] {
        let mut body = with("tools", json!([{"name": "f", "input_schema": {}}]));
        body["tool_choice"] = anthropic;
        let translated = translated(&body);
        assert_eq!(translated["tool_choice"], openai, "{body}");
        assert_eq!(translated["parallel_tool_calls"], parallel, "{body}");
    }
    let unknown = with("tool_choice", json!({"type": "some"}));
    assert_eq!(refused(&unknown).field.as_deref(), Some("tool_choice.type"));
}

#[test]
fn a_call_of_a_custom_tool_holds_text() {
    let body = json!({
        "messages": [{"role": "assistant", "tool_calls": [
            {"id": "c", "function": {"name": "patch", "arguments": "*** Begin"}},
        ]}],
        "tools": [{"type": "custom", "custom": {"name": "patch"}}],
        "tool_choice": {"type": "function", "function": {"name": "patch"}},
    });
    let request = chat_completions::decode_request(&body).expect("the request is good");
    let encoded = encode_request(&request, Unsupported::Refuse);
    let body = encoded.expect("the request has its form").body;
    let call = json!({"id": "c", "type": "custom", "custom": {
        "name": "patch", "input": "*** Begin",
    }});
    assert_eq!(body["messages"][0]["tool_calls"], json!([call]));
    let choice = json!({"type": "custom", "custom": {"name": "patch"}});
    assert_eq!(body["tool_choice"], choice);
}
