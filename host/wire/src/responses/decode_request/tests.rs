//! What a request asks, and which field is at fault where it cannot be read.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Content, Media, Role, ToolChoice, ToolKind};

fn fault(body: &Value) -> Option<String> {
    decode_request(body).expect_err("it is refused").field
}

#[test]
fn a_request_of_codex_is_read() {
    let request = decode_request(&json!({
        "model": "m", "stream": true, "store": false, "max_output_tokens": 9,
        "include": ["reasoning.encrypted_content", LOGPROBS],
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "json_object"}},
        "instructions": "rules",
        "input": [
            {"type": "message", "role": "developer", "content": [
                {"type": "input_text", "text": "more"},
            ]},
            {"role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "https://a.example", "detail": "low"},
            ]},
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
            {"type": "web_search_call", "id": "ws_1"},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "1", "name": "f", "namespace": "n",
                "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "found"},
        ],
        "tools": [
            {"type": "function", "name": "g", "parameters": {"type": "object"}, "strict": false},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]},
            {"type": "custom", "name": "patch", "format": {"type": "text"}},
            {"type": "web_search"},
        ],
    }));
    let request = request.expect("it can be read");
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    let expected = [
        Role::System,
        Role::System,
        Role::User,
        Role::Assistant,
        Role::Tool,
    ];
    assert_eq!(roles, expected);
    let own: Vec<_> = request.turns[3]
        .parts
        .iter()
        .map(|part| &part.content)
        .collect();
    assert_eq!(*own[0], Content::EncryptedReasoning("x".to_owned()));
    assert_eq!(*own[1], Content::Text("Let me see.".to_owned()));
    let Content::ToolCall(call) = own[2] else {
        panic!("it is a call");
    };
    assert_eq!(call.name, "n__f");
    let names: Vec<_> = request
        .tools
        .iter()
        .filter_map(|tool| tool.kind.name())
        .collect();
    assert_eq!(names, ["g", "n__f", "patch"]);
    let left_out = [
        "store",
        "include[0]",
        "input[3]",
        "tools[3]",
        "reasoning.summary",
    ];
    assert_eq!(request.left_out, left_out);
    assert_eq!(request.effort, Some(Effort::Word("low".to_owned())));
    assert_eq!(request.format, OutputFormat::JsonObject);
    assert_eq!(request.max_tokens, Some(9));
    let fields = json!({"logprobs": true, "verbosity": "low"});
    assert_eq!(Value::Object(request.fields), fields);
}

#[test]
fn an_input_may_be_one_string() {
    let request = decode_request(&json!({"input": "hi"})).expect("it can be read");
    assert_eq!(
        request.turns[0].parts[0].content,
        Content::Text("hi".to_owned())
    );
    assert_eq!(request.turns[0].place, "input");
}

#[test]
fn files_are_read_wherever_they_are() {
    for (part, source) in [
        (json!({"file_id": "f"}), Media::File("f".to_owned())),
        (
            json!({"file_url": "https://a.example"}),
            Media::Url("https://a.example".to_owned()),
        ),
        (
            json!({"file_data": "data:a/b;base64,AA", "filename": "c"}),
            Media::Base64 {
                media_type: "a/b".to_owned(),
                data: "AA".to_owned(),
            },
        ),
    ] {
        let mut part = part;
        part["type"] = "input_file".into();
        let body = json!({"input": [{"role": "user", "content": [part]}]});
        let request = decode_request(&body).expect("it can be read");
        let Content::Document { source: found, .. } = &request.turns[0].parts[0].content else {
            panic!("it is a document");
        };
        assert_eq!(*found, source);
    }
}

#[test]
fn every_choice_is_read() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]);
    let allowed = json!({"type": "allowed_tools", "mode": "required",
        "tools": [{"type": "function", "name": "g"}]});
    for (choice, expected, count) in [
        (json!("auto"), ToolChoice::Auto, 2),
        (json!("none"), ToolChoice::None, 2),
        (json!("required"), ToolChoice::Required, 2),
        (
            json!({"type": "function", "name": "f"}),
            ToolChoice::Function("f".to_owned()),
            2,
        ),
        (allowed, ToolChoice::Required, 1),
    ] {
        let body = json!({"input": "a", "tools": tools, "tool_choice": choice});
        let request = decode_request(&body).expect("it can be read");
        assert_eq!(request.tool_choice, Some(expected));
        assert_eq!(request.tools.len(), count);
        assert!(
            request
                .tools
                .iter()
                .all(|tool| matches!(tool.kind, ToolKind::Function { .. }))
        );
    }
}

#[test]
fn names_the_field_at_fault() {
    let item = |item: Value| json!({"input": [item]});
    let call = json!({"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "1", "output": "a"});
    for (body, field) in [
        (json!({}), "input"),
        (json!({"input": 1}), "input"),
        (item(json!(1)), "input[0]"),
        (
            item(json!({"role": "wizard", "content": "a"})),
            "input[0].role",
        ),
        (
            item(json!({"role": "tool", "content": "a"})),
            "input[0].role",
        ),
        (item(json!({"role": "user"})), "input[0].content"),
        (
            item(json!({"role": "user", "content": [{"type": "input_text", "text": 1}]})),
            "input[0].content[0].text",
        ),
        (
            item(json!({"type": "item_reference", "id": "x"})),
            "input[0].id",
        ),
        (item(json!({"type": 1})), "input[0].type"),
        (item(call), "input"),
        (item(output), "input"),
        (json!({"input": "a", "background": true}), "background"),
        (json!({"input": "a", "conversation": "c"}), "conversation"),
        (json!({"input": "a", "prompt": {"id": "p"}}), "prompt"),
        (
            json!({"input": "a", "previous_response_id": "r"}),
            "previous_response_id",
        ),
        (
            json!({"input": "a", "tools": [{"type": "function"}]}),
            "tools[0].name",
        ),
        (json!({"input": "a", "tool_choice": "x"}), "tool_choice"),
        (
            json!({"input": "a", "tool_choice": {"type": "web_search"}}),
            "tool_choice.type",
        ),
        (
            json!({"input": "a", "text": {"format": {"type": "x"}}}),
            "text.format.type",
        ),
        (json!({"input": "a", "reasoning": 1}), "reasoning"),
        (json!({"input": "a", "include": "x"}), "include"),
        (
            json!({"input": "a", "max_output_tokens": "x"}),
            "max_output_tokens",
        ),
    ] {
        assert_eq!(fault(&body).as_deref(), Some(field), "{body}");
    }
}

#[test]
fn calls_and_outputs_belong_together() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let error = decode_request(&json!({"input": [call]})).expect_err("it is refused");
    assert_eq!(error.message, "No tool output found for function call c.");
}

/// JSON with the names that requests have.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "message",
        "function_call",
        "reasoning",
        "user",
        "assistant",
        "input_text",
        "namespace",
        "function",
        "allowed_tools",
        "json_schema",
        "a",
    ]);
    let name = prop::sample::select(vec![
        "type",
        "role",
        "content",
        "input",
        "tools",
        "tool_choice",
        "text",
        "format",
        "name",
        "call_id",
        "arguments",
        "output",
        "summary",
        "reasoning",
        "include",
        "instructions",
    ]);
    let leaf = prop_oneof![
        word.prop_map(Value::from),
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields.into_iter();
                Value::Object(
                    fields
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_is_too_strange(body in any_json()) {
        let _ = decode_request(&body);
    }
}
