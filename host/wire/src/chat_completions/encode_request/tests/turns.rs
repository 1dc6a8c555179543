use serde_json::{Value, json};

use super::{encoded, refused, translated};
use crate::Unsupported;

fn messages_of(messages: &Value) -> Value {
    translated(&json!({ "messages": messages }))["messages"].clone()
}

fn image_block(data: &str) -> Value {
    let source = json!({"type": "base64", "media_type": "image/png", "data": data});
    json!({"type": "image", "source": source})
}

fn image_part(data: &str) -> Value {
    let url = format!("data:image/png;base64,{data}");
    json!({"type": "image_url", "image_url": {"url": url}})
}

#[test]
fn an_assistant_thinks_speaks_and_calls() {
    let messages = json!([{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "secret"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"path": "."}},
        {"type": "tool_use", "id": "toolu_2", "name": "pwd", "input": {}},
    ]}]);
    let expected = json!([{
        "role": "assistant", "content": "Looking.", "reasoning_content": "hm",
        "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {
                "name": "ls", "arguments": "{\"path\":\".\"}",
            }},
            {"id": "toolu_2", "type": "function", "function": {"name": "pwd", "arguments": "{}"}},
        ],
    }]);
    let encoded = encoded(&json!({ "messages": messages }), Unsupported::Refuse);
    let encoded = encoded.expect("the request is good");
    assert_eq!(encoded.body["messages"], expected);
    let dropped = ["messages[0].content[0].signature", "messages[0].content[1]"];
    assert_eq!(encoded.dropped, dropped);
}

#[test]
fn an_assistant_that_only_calls_has_null_content() {
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let turns = messages_of(&json!([
        {"role": "assistant", "content": [call]},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]},
    ]));
    assert_eq!(turns[0]["content"], Value::Null);
    assert_eq!(turns[1], json!({"role": "assistant", "content": ""}));
}

#[test]
fn results_come_before_what_the_user_says_and_their_images_with_it() {
    let messages = json!([{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a", "content": [
            {"type": "text", "text": "one"}, image_block("AA"), {"type": "text", "text": "two"},
        ]},
        {"type": "tool_result", "tool_use_id": "b", "content": "failed", "is_error": true},
        {"type": "tool_result", "tool_use_id": "c"},
        {"type": "text", "text": "and now?"},
    ]}]);
    let expected = json!([
        {"role": "tool", "tool_call_id": "a", "content": "one\n\ntwo"},
        {"role": "tool", "tool_call_id": "b", "content": "failed"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "user", "content": [image_part("AA"), {"type": "text", "text": "and now?"}]},
    ]);
    let encoded = encoded(&json!({ "messages": messages }), Unsupported::Refuse);
    let encoded = encoded.expect("the request is good");
    assert_eq!(encoded.body["messages"], expected);
    assert_eq!(encoded.dropped, ["messages[0].content[1].is_error"]);
}

#[test]
fn images_in_results_are_shown_before_the_assistant_goes_on() {
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": [image_block("AA")]});
    let messages = messages_of(&json!([
        {"role": "user", "content": [result]},
        {"role": "assistant", "content": "I see."},
    ]));
    let expected = json!([
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {"role": "user", "content": [image_part("AA")]},
        {"role": "assistant", "content": "I see."},
    ]);
    assert_eq!(messages, expected);
}

#[test]
fn images_and_documents_keep_their_bytes() {
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"});
    let messages = json!([{"role": "user", "content": [
        image_block("AA"),
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
        {"type": "document", "source": pdf, "title": "a.pdf"},
        {"type": "document", "source": pdf},
    ]}]);
    let file = |name: &str| {
        json!({"type": "file", "file": {
            "filename": name, "file_data": "data:application/pdf;base64,JVBE",
        }})
    };
    let expected = json!([
        image_part("AA"),
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "text", "text": "words"},
        file("a.pdf"),
        file("document.pdf"),
    ]);
    assert_eq!(messages_of(&messages)[0]["content"], expected);
}

#[test]
fn only_a_line_of_billing_is_left_out_of_the_system_prompt() {
    let line = "x-anthropic-billing-header: cch=36ee5;";
    let longer = format!("{line}\nrules");
    let body = json!({"system": [{"type": "text", "text": line}], "messages": []});
    assert_eq!(translated(&body)["messages"], json!([]));
    let body = json!({"system": longer, "messages": []});
    let kept = json!([{"role": "system", "content": longer}]);
    assert_eq!(translated(&body)["messages"], kept);
}

#[test]
fn names_the_block_at_fault() {
    let block_at_fault = |role, block: Value| {
        let body = json!({"messages": [{"role": role, "content": [block]}]});
        let field = refused(&body).field.expect("a field is named");
        let inside = field.strip_prefix("messages[0].content[0]");
        inside.expect("it is the block").to_owned()
    };
    for (role, block, field) in [
        ("user", json!({"type": "search_result"}), ".type"),
        ("user", json!({"type": "text"}), ".text"),
        ("user", json!({"text": "a"}), ".type"),
        (
            "user",
            json!({"type": "image", "source": {"type": "tape"}}),
            ".source.type",
        ),
        (
            "user",
            json!({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "",
        ),
        (
            "user",
            json!({"type": "document", "source": {"type": "file", "file_id": "f"}}),
            "",
        ),
        ("user", json!({"type": "tool_result"}), ".tool_use_id"),
        ("assistant", json!({"type": "server_tool_use"}), ".type"),
        (
            "assistant",
            json!({"type": "tool_use", "id": "t", "name": "f"}),
            ".input",
        ),
    ] {
        assert_eq!(block_at_fault(role, block.clone()), field, "{block}");
    }
}

#[test]
fn names_the_message_at_fault() {
    for (message, field) in [
        (json!({"content": "a"}), "messages[0].role"),
        (
            json!({"role": "wizard", "content": "a"}),
            "messages[0].role",
        ),
        (json!({"role": "user"}), "messages[0].content"),
        (json!({"role": "user", "content": 7}), "messages[0].content"),
        (
            json!({"role": "system", "content": [image_block("AA")]}),
            "messages[0].content[0]",
        ),
    ] {
        let error = refused(&json!({ "messages": [message] }));
        assert_eq!(error.field.as_deref(), Some(field), "{message}");
    }
}
