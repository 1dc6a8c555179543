//! The standard keyer for coding agents, over requests of the shape that they send.

use deja_policy::PluginChoice;
use serde_json::{Value, json};

use crate::support::{Folder, chain, key, keyer_chain};

/// A request of a session, after its first call of a tool.
fn body(session: &str, prompt: &str, result: &str) -> Value {
    let reminder = format!(
        "<system-reminder>\nToken usage: {}/9; 1 remaining\n</system-reminder>",
        session.len()
    );
    json!({
        "model": "m",
        "metadata": {"user_id": format!(r#"{{"device_id":"d","session_id":"{session}"}}"#)},
        "system": [
            {"type": "text", "text": format!("x-anthropic-billing-header: cc_version=2.1.330.aad; cch={session};")},
            {"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
        ],
        "tools": [
            {"name": "Read", "input_schema": {}},
            {"name": "Bash", "input_schema": {}, "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": reminder},
                {"type": "text", "text": prompt},
            ]},
            {"role": "system", "content": "# Environment\n - Platform: linux"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I look.", "signature": session},
                {"type": "tool_use", "id": format!("toolu_{session}"), "name": "Bash", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": format!("toolu_{session}"), "content": result},
            ]},
        ],
    })
}

#[test]
fn the_same_words_in_two_sessions_have_one_key() {
    let claude_code = keyer_chain("claude-code", json!({}));
    let exact = keyer_chain("exact", json!({}));
    let (one, other) = (body("a1", "Why?", "ok"), body("b22", "Why?", "ok"));
    assert_eq!(key(&claude_code, &one), key(&claude_code, &other));
    assert_ne!(key(&exact, &one), key(&exact, &other));
}

#[test]
fn other_words_have_another_key() {
    let keyer = keyer_chain("claude-code", json!({}));
    let count = |tokens| format!("<total_tokens>{tokens} tokens left</total_tokens>");
    let keys = [
        body("a1", "Why?", "ok"),
        body("a1", "why?", "ok"),
        body("a1", "Why? ", "ok"),
        body("a1", "Why?", &count(1)),
        body("a1", "Why?", &count(2)),
    ]
    .map(|body| key(&keyer, &body).to_string());
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
}

#[test]
fn users_are_kept_apart_where_that_is_asked_for() {
    let keyer = keyer_chain("claude-code", json!({"partition_by_user": true}));
    let (one, mut other) = (body("a1", "Why?", "ok"), body("b22", "Why?", "ok"));
    assert_eq!(key(&keyer, &one), key(&keyer, &other));
    other["metadata"]["user_id"] = json!(r#"{"device_id":"e"}"#);
    assert_ne!(key(&keyer, &one), key(&keyer, &other));
}

#[test]
fn an_unknown_rule_is_refused_with_the_names_of_those_there_are() {
    let choice = PluginChoice {
        config: json!({"disable": ["canon-tools"]}),
        ..PluginChoice::new("claude-code")
    };
    let host = Folder::new().host_with(choice, "lru", "standard");
    let error = chain(&host.load().err().expect("is refused"));
    assert!(
        error.contains("it refuses its settings: unknown variant `canon-tools`"),
        "{error}"
    );
    assert!(error.contains("`canon-tool-order`"), "{error}");
}
