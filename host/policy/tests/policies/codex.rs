//! The standard keyer for Codex, over requests of the shape that it sends.

use deja_cache::{Endpoint, Key, Keyed, KeyerChain, Scope};
use serde_json::{Value, json};

use crate::support::{keyer_chain, request_to};

/// A request of a session, after its first call of a tool.
fn body(session: &str, directory: &str, prompt: &str) -> Value {
    let environment = format!(
        "<environment_context>\n  <cwd>{directory}</cwd>\n  <shell>bash</shell>\n\
         </environment_context>"
    );
    let message = |name: &str, text: &str| {
        let content = json!([{"type": "input_text", "text": text}]);
        let id = format!("msg_{session}{name}");
        json!({"type": "message", "id": id, "role": "user", "content": content})
    };
    json!({
        "model": "m",
        "prompt_cache_key": session,
        "client_metadata": {"session_id": session, "x-codex-window-id": format!("{session}:0")},
        "input": [
            message("a", &environment),
            message("b", prompt),
            {"type": "reasoning", "id": format!("rs_{session}"), "encrypted_content": "gAAAA"},
            {"type": "function_call", "id": format!("fc_{session}"),
                "call_id": format!("call_{session}"), "name": "exec_command", "arguments": "{}"},
            {"type": "function_call_output", "id": format!("fco_{session}"),
                "call_id": format!("call_{session}"),
                "output": format!("Chunk ID: {session}\nWall time: 0.1 seconds\nOutput:\na.rs")},
        ],
    })
}

/// The key of a body that is cached: its edits are above the floor.
fn key(keyer: &KeyerChain, body: &Value) -> Key {
    let request = request_to(Endpoint::Responses, body.clone());
    match keyer.consult(request, Scope::of([])).keyed {
        Keyed::Cache(ticket) => ticket.key,
        Keyed::Bypass(reason) => panic!("bypassed: {reason}"),
    }
}

#[test]
fn the_same_words_in_two_sessions_have_one_key() {
    let codex = keyer_chain("codex", json!({}));
    let exact = keyer_chain("exact", json!({}));
    let (one, other) = (body("a1", "/work", "Why?"), body("b22", "/work", "Why?"));
    assert_eq!(key(&codex, &one), key(&codex, &other));
    assert_ne!(key(&exact, &one), key(&exact, &other));
    let other = body("a1", "/work", "why?");
    assert_ne!(key(&codex, &one), key(&codex, &other));
}

#[test]
fn the_directory_matters_unless_it_is_masked() {
    let (one, other) = (body("a1", "/work", "Why?"), body("a1", "/home/ada", "Why?"));
    let codex = keyer_chain("codex", json!({}));
    assert_ne!(key(&codex, &one), key(&codex, &other));
    let masked = keyer_chain("codex", json!({"mask_cwd": true}));
    assert_eq!(key(&masked, &one), key(&masked, &other));
}
