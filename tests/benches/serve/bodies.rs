//! The requests of this benchmark.

use serde_json::{Value, json};

/// A line of the kind that prompts are full of: it has something to escape.
const LINE: &str = "    let answer = ask(\"What is the capital of France?\"); // a comment\n";

/// What a request like Claude Code's takes besides text of any length, about.
const STRUCTURE: usize = 3_400;

/// How a number of bytes is written.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        _ => format!("{} KB", (bytes + 500) / 1000),
    }
}

/// A question of one line.
pub(crate) fn short() -> Vec<u8> {
    let body = json!({
        "model": "llama-3b",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "temperature": 0,
        "max_tokens": 100,
    });
    body.to_string().into()
}

/// A question of about so many bytes that no other number gives.
pub(crate) fn numbered(number: usize, bytes: usize) -> Value {
    json!({
        "model": "llama-3b",
        "messages": [{"role": "user", "content": format!("{number}: {}", filler(bytes))}],
        "temperature": 0,
    })
}

/// A request in the shape of Claude Code's, of about so many bytes. A third is the system's prompt
/// and the tools, the rest a session.
pub(crate) fn agent(bytes: usize) -> Vec<u8> {
    let bytes = bytes - STRUCTURE;
    let session = r#"{"device_id":"d1","account_uuid":"","session_id":"0c5e7a52"}"#;
    let body = json!({
        "model": "claude-opus-4-6",
        "max_tokens": 128_000,
        "metadata": {"user_id": session},
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.330.aad; cch=36ee5;"},
            cached("You are Claude Code, Anthropic's official CLI for Claude."),
            cached(&filler(bytes / 9)),
        ],
        "tools": (0..12).map(|number| tool(number, bytes * 2 / 9 / 12)).collect::<Vec<_>>(),
        "messages": messages(bytes * 2 / 3),
    });
    body.to_string().into()
}

fn messages(bytes: usize) -> Vec<Value> {
    const TURNS: usize = 10;
    let reminder = "<system-reminder>\nThe branch is main.\n</system-reminder>";
    let question = json!([
        {"type": "text", "text": reminder},
        {"type": "text", "text": "Mend the failing test."},
    ]);
    let mut messages = vec![
        json!({"role": "user", "content": question}),
        json!({"role": "system", "content": "The working directory is /home/ada."}),
    ];
    for turn in 0..TURNS {
        let id = format!("toolu_{turn}");
        let call = json!({
            "type": "tool_use", "id": id, "name": "tool_0", "input": {"path": format!("{turn}.rs")},
        });
        let result = json!({
            "type": "tool_result", "tool_use_id": id, "content": filler(bytes / TURNS),
        });
        messages.push(json!({"role": "assistant", "content": [call]}));
        messages.push(json!({"role": "user", "content": [result]}));
    }
    messages
}

fn tool(number: usize, bytes: usize) -> Value {
    json!({
        "name": format!("tool_{number}"),
        "description": filler(bytes),
        "input_schema": {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "the file"}},
            "required": ["path"],
        },
    })
}

fn cached(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
}

/// Text that takes about so many bytes in JSON, of which an escape takes one more.
fn filler(bytes: usize) -> String {
    LINE.repeat(bytes / (LINE.len() + LINE.matches(['"', '\n']).count()))
}
