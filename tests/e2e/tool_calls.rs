//! Calls of tools by the built-in model, and by an upstream whose limit cuts them off.

use deja_tests::{Api, Deja, Reply, Setup, Upstream, cache_status, whole};
use serde_json::{Value, json};

/// A request that has to be answered by a call with one text as its argument.
fn forced(api: Api, limit: u32) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 200}},
        "required": ["text"],
        "additionalProperties": false,
    });
    let mut request = api.question("Write a long story about a fox to a file.");
    request["temperature"] = 0.into();
    request["max_tokens"] = limit.into();
    match api {
        Api::OpenAi => {
            let function = json!({"name": "write", "parameters": schema});
            request["tools"] = json!([{"type": "function", "function": function}]);
            request["tool_choice"] = "required".into();
        }
        Api::Anthropic => {
            request["tools"] = json!([{"name": "write", "input_schema": schema}]);
            request["tool_choice"] = json!({"type": "any"});
        }
    }
    request
}

#[tokio::test]
async fn a_call_that_the_limit_cuts_is_answered_and_not_stored() {
    let deja = Deja::start().await;
    for api in [Api::OpenAi, Api::Anthropic] {
        for _ in 0..2 {
            let reply = deja.send(api, &forced(api, 40)).await;
            let status = cache_status(&reply);
            assert!(status.contains("fwd=miss; key"), "{status}");
            let answer = whole(reply).await;
            assert_cut(api, &answer);
        }
    }
}

#[tokio::test]
async fn a_cut_call_passes_from_one_api_to_the_other() {
    let upstream = Upstream::start(|asked| {
        let function = json!({"name": "write", "arguments": "{\"text\": \"A fo"});
        let call = json!({"id": "call_1", "type": "function", "function": function});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        assert!(!asked.wants_stream());
        Reply::json(&json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
        }))
    })
    .await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    for api in [Api::OpenAi, Api::Anthropic] {
        for _ in 0..2 {
            let reply = deja.send(api, &forced(api, 12)).await;
            assert!(cache_status(&reply).contains("fwd=miss; key"));
            assert_cut(api, &whole(reply).await);
        }
    }
}

/// `OpenAI`'s arguments are as far as they came; Anthropic's input is an object always.
fn assert_cut(api: Api, answer: &Value) {
    match api {
        Api::OpenAi => {
            let choice = &answer["choices"][0];
            assert_eq!(choice["finish_reason"], "length", "{answer}");
            let arguments = &choice["message"]["tool_calls"][0]["function"]["arguments"];
            let arguments = arguments.as_str().expect("it is text");
            assert!(arguments.starts_with("{\"text\":"), "{arguments}");
            assert!(serde_json::from_str::<Value>(arguments).is_err());
        }
        Api::Anthropic => {
            assert_eq!(answer["stop_reason"], "max_tokens", "{answer}");
            let call = &answer["content"][0];
            assert_eq!(call["type"], "tool_use");
            assert_eq!(
                (&call["name"], &call["input"]),
                (&json!("write"), &json!({}))
            );
        }
    }
}
