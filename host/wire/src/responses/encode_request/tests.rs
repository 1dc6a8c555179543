//! What a server of the Responses API is asked.

use serde_json::json;

use super::*;
use crate::{chat_completions, messages, responses};

fn of_chat(body: &Value) -> EncodedRequest {
    let request = chat_completions::decode_request(body).expect("it can be read");
    encode_request(&request, Unsupported::Refuse).expect("it can be sent")
}

#[test]
fn a_chat_with_tools_is_a_list_of_items() {
    let call = json!({"id": "c", "type": "function", "function": {
        "name": "f", "arguments": "{}",
    }});
    let encoded = of_chat(&json!({
        "model": "m", "max_tokens": 9, "temperature": 0.5, "reasoning_effort": "low",
        "logprobs": true, "verbosity": "low", "stream": true,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
        "messages": [
            {"role": "system", "content": "rules"},
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image_url", "image_url": {"url": "https://a.example"}},
            ]},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "found"},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }));
    let expected = json!({
        "model": "m",
        "input": [
            {"type": "message", "role": "system", "content": [
                {"type": "input_text", "text": "rules"},
            ]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "https://a.example", "detail": "auto"},
            ]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "Let me see."},
            ]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "found"},
        ],
        "tools": [{"type": "function", "name": "f", "strict": false}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {
            "format": {"type": "json_schema", "name": "answer", "schema": {}},
            "verbosity": "low",
        },
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "include": [ENCRYPTED_REASONING, LOGPROBS],
        "store": false,
        "stream": true,
        "temperature": 0.5,
    });
    assert_eq!(encoded.body, expected);
}

#[test]
fn what_would_change_the_answer_is_refused_by_name() {
    let messages = json!([{"role": "user", "content": "hi"}]);
    for (field, value) in [
        ("stop", json!("END")),
        ("n", json!(2)),
        ("logit_bias", json!({"1": 2})),
        ("presence_penalty", json!(1)),
    ] {
        let body = json!({"messages": messages, field: value});
        let request = chat_completions::decode_request(&body).expect("it can be read");
        let error = encode_request(&request, Unsupported::Refuse).expect_err("it is refused");
        assert_eq!(error.field.as_deref(), Some(field));
        let encoded = encode_request(&request, Unsupported::Drop).expect("it can be sent");
        assert_eq!(encoded.dropped, [field]);
    }
    let body = of_chat(&json!({"messages": messages, "n": 1, "seed": 7})).body;
    assert!(body.get("n").is_none() && body.get("seed").is_none());
}

#[test]
fn signed_reasoning_goes_back_to_its_vendor() {
    let request = messages::decode_request(&json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "hello"},
        ]},
        {"role": "user", "content": "go on"},
    ]}));
    let request = request.expect("it can be read");
    let body = encode_request(&request, Unsupported::Refuse)
        .expect("it can be sent")
        .body;
    let summary = json!([{"type": "summary_text", "text": "hm"}]);
    let signed = json!({"type": "reasoning", "summary": summary, "encrypted_content": "s"});
    assert_eq!(body["input"][1], signed);
    let hidden = json!({"type": "reasoning", "summary": [], "encrypted_content": "x"});
    assert_eq!(body["input"][2], hidden);
}

#[test]
fn a_request_survives_the_way_there_and_back() {
    let body = json!({
        "model": "m", "store": false,
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_file", "file_id": "f"},
            ]},
            {"type": "reasoning", "summary": [], "encrypted_content": "x"},
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        ],
        "tools": [{"type": "custom", "name": "patch"}],
        "tool_choice": {"type": "custom", "name": "patch"},
        "text": {"format": {"type": "json_object"}},
        "top_p": 0.5,
    });
    let request = responses::decode_request(&body).expect("it can be read");
    let encoded = encode_request(&request, Unsupported::Refuse).expect("it can be sent");
    assert_eq!(encoded.body, body);
}
