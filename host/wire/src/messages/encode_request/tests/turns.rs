use serde_json::{Value, json};

use super::{encoded, refused, said, translated, with};
use crate::Unsupported;

fn conversation(messages: &Value) -> Value {
    translated(&json!({ "messages": messages }))
}

#[test]
fn rules_at_the_front_are_the_system_prompt_and_later_ones_stay() {
    let body = conversation(&json!([
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [said("b"), said("")]},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "c"},
    ]));
    assert_eq!(body["system"], json!([said("a"), said("b")]));
    let expected = json!([
        {"role": "user", "content": [said("hi"), said("<system>\nc\n</system>")]},
    ]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn results_of_several_tools_are_one_turn() {
    let body = conversation(&json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "Looking.", "reasoning_content": "hm", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{\"p\":1}"}},
            {"id": "call_2", "type": "function", "function": {"name": "pwd", "arguments": ""}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "tool", "tool_call_id": "call_2", "content": [said("y"), said("z")]},
        {"role": "user", "content": "and?"},
    ]));
    let expected = json!([
        {"role": "user", "content": [said("go")]},
        {"role": "assistant", "content": [
            said("Looking."),
            {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"p": 1}},
            {"type": "tool_use", "id": "call_2", "name": "pwd", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "x"},
            {"type": "tool_result", "tool_use_id": "call_2", "content": [said("y"), said("z")]},
            said("and?"),
        ]},
    ]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn images_and_files_keep_their_bytes() {
    let body = conversation(&json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "file", "file": {
            "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE",
        }},
    ]}]));
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"});
    let png = json!({"type": "base64", "media_type": "image/png", "data": "AA"});
    let expected = json!([
        {"type": "image", "source": png},
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
}

#[test]
fn a_turn_that_says_nothing_is_left_out() {
    let body = conversation(&json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null},
        {"role": "user", "content": "b"},
    ]));
    let expected = json!([{"role": "user", "content": [said("a"), said("b")]}]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn names_the_message_at_fault() {
    let calling = |call: Value| json!({"role": "assistant", "tool_calls": [call]});
    let saying = |part: Value| json!({"role": "user", "content": [part]});
    for (message, field) in [
        (json!({"content": "a"}), "messages[0].role"),
        (
            json!({"role": "function", "content": "a"}),
            "messages[0].role",
        ),
        (json!({"role": "system", "content": "a"}), "messages"),
        (json!({"role": "user"}), "messages[0].content"),
        (
            json!({"role": "tool", "content": "a"}),
            "messages[0].tool_call_id",
        ),
        (
            saying(json!({"type": "input_audio"})),
            "messages[0].content[0].type",
        ),
        (
            saying(json!({"type": "image_url", "image_url": {"url": "data:image/png,A"}})),
            "messages[0].content[0].image_url.url",
        ),
        (
            saying(json!({"type": "file", "file": {"file_data": "JVBE"}})),
            "messages[0].content[0].file.file_data",
        ),
        (
            saying(json!({"type": "file", "file": {"file_id": "f"}})),
            "messages[0].content[0]",
        ),
        (
            calling(json!({"type": "custom"})),
            "messages[0].tool_calls[0].type",
        ),
        (
            calling(json!({"id": "c", "function": {"name": "f", "arguments": "[1]"}})),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            calling(json!({"id": "c", "function": {"name": "f", "arguments": "{"}})),
            "messages[0].tool_calls[0].function.arguments",
        ),
    ] {
        let error = refused(&json!({ "messages": [message] }));
        assert_eq!(error.field.as_deref(), Some(field), "{message}");
    }
}

#[test]
fn signed_thoughts_come_back_to_their_vendor() {
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
    let details = json!([
        {"type": "reasoning.summary", "summary": "s"},
        {"type": "reasoning.text", "text": "hm", "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "secret"},
    ]);
    let body = json!({
        "reasoning_effort": "low",
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "reasoning": "hm", "reasoning_details": details,
             "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ],
    });
    let translated = translated(&body);
    let expected = json!([
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    ]);
    assert_eq!(translated["messages"][1]["content"], expected);
    assert_eq!(translated["thinking"]["type"], "enabled");
}

#[test]
fn unsigned_thoughts_are_left_out() {
    let details = json!([{"type": "reasoning.text", "text": "hm", "signature": null}]);
    let body = with(
        "messages",
        json!([
            {"role": "assistant", "content": "a", "reasoning_content": "hm"},
            {"role": "assistant", "content": "b", "reasoning_details": details},
        ]),
    );
    let encoded = encoded(&body, Unsupported::Refuse).expect("the request is good");
    let expected = json!([{"role": "assistant", "content": [said("a"), said("b")]}]);
    assert_eq!(encoded.body["messages"], expected);
    let dropped = [
        "messages[0].reasoning_content",
        "messages[1].reasoning_details[0]",
    ];
    assert_eq!(encoded.dropped, dropped);
}
