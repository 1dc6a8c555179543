//! A conversation is the same after it was decoded to the model of requests and encoded again.

use deja_wire::{EncodedRequest, Unsupported, chat_completions, messages};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

fn encoded_chat(body: &Value) -> EncodedRequest {
    let request = chat_completions::decode_request(body).expect("the request is good");
    let encoded = chat_completions::encode_request(&request, Unsupported::Refuse);
    encoded.expect("the request has its form")
}

fn encoded_messages(body: &Value) -> EncodedRequest {
    let request = messages::decode_request(body).expect("the request is good");
    let encoded = messages::encode_request(&request, Unsupported::Refuse, 1);
    encoded.expect("the request has its form")
}

/// Fields that both APIs have, and some that neither knows.
fn settings() -> impl Strategy<Value = Map<String, Value>> {
    let fields = select(&["temperature", "top_p", "top_k", "min_p", "x_own"][..]);
    vec((fields, (0.0..1.0).prop_map(Value::from)), 0..4).prop_map(|fields| {
        let fields = fields.into_iter();
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

fn body(mut settings: Map<String, Value>, rest: Value) -> Value {
    if let Value::Object(rest) = rest {
        settings.extend(rest);
    }
    settings.into()
}

fn text() -> impl Strategy<Value = String> {
    "[a-z]{1,4}"
}

fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// Two parts, one of which is no text: texts alone stand as one string.
fn chat_parts() -> impl Strategy<Value = Value> {
    text().prop_map(|text| {
        let url = format!("data:image/png;base64,{text}");
        json!([
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        ])
    })
}

fn chat_call() -> impl Strategy<Value = Value> {
    (text(), text()).prop_map(|(id, name)| {
        let function = json!({"name": name, "arguments": format!("{{\"{name}\":1}}")});
        json!({"id": id, "type": "function", "function": function})
    })
}

fn chat_message() -> impl Strategy<Value = Value> {
    let content = prop_oneof![text().prop_map(Value::from), chat_parts()];
    let (said, thought) = (text(), option::of(text()));
    let calls = option::of(vec(chat_call(), 1..3));
    prop_oneof![
        text().prop_map(|text| json!({"role": "system", "content": text})),
        (content, option::of(text())).prop_map(|(content, name)| {
            without_nulls(json!({"role": "user", "name": name, "content": content}))
        }),
        (said, thought, calls).prop_map(|(said, thought, calls)| {
            without_nulls(json!({
                "role": "assistant", "content": said, "reasoning_content": thought,
                "tool_calls": calls,
            }))
        }),
        (text(), text()).prop_map(|(id, text)| {
            json!({"role": "tool", "tool_call_id": id, "content": text})
        }),
    ]
}

fn text_block() -> impl Strategy<Value = Value> {
    text().prop_map(|text| json!({"type": "text", "text": text}))
}

fn media_block() -> impl Strategy<Value = Value> {
    let kinds = [("image", "image/png"), ("document", "application/pdf")];
    (select(kinds.to_vec()), text()).prop_map(|((kind, media_type), data)| {
        let source = json!({"type": "base64", "media_type": media_type, "data": data});
        json!({"type": kind, "source": source})
    })
}

fn tool_result() -> impl Strategy<Value = Value> {
    let blocks = (text_block(), media_block()).prop_map(|(text, media)| json!([text, media]));
    let content = prop_oneof![text().prop_map(Value::from), blocks];
    (text(), content, option::of(Just(true))).prop_map(|(id, content, is_error)| {
        without_nulls(json!({
            "type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error,
        }))
    })
}

/// What Anthropic's API takes from a model: thoughts, texts and calls, in this order.
fn model_blocks() -> impl Strategy<Value = Vec<Value>> {
    let thought = (text(), text()).prop_map(|(thought, signature)| {
        json!({"type": "thinking", "thinking": thought, "signature": signature})
    });
    let redacted = text().prop_map(|data| json!({"type": "redacted_thinking", "data": data}));
    let call = (text(), text()).prop_map(
        |(id, name)| json!({"type": "tool_use", "id": id, "name": name, "input": {"at": 0.7}}),
    );
    let blocks = (
        option::of(thought),
        option::of(redacted),
        text_block(),
        vec(call, 0..3),
    );
    blocks.prop_map(|(thought, redacted, text, calls)| {
        let reasoning = thought.into_iter().chain(redacted);
        reasoning.chain([text]).chain(calls).collect()
    })
}

/// The results of tools come first, as Anthropic's API wants it.
fn user_blocks() -> impl Strategy<Value = Vec<Value>> {
    let said = prop_oneof![text_block(), media_block()];
    (vec(tool_result(), 0..3), vec(said, 1..3)).prop_map(|(results, said)| [results, said].concat())
}

/// Turns that the two sides take, the user first.
fn turns() -> impl Strategy<Value = Vec<Value>> {
    vec((user_blocks(), model_blocks()), 1..4).prop_map(|rounds| {
        let round = |(user, model)| {
            [
                json!({"role": "user", "content": user}),
                json!({"role": "assistant", "content": model}),
            ]
        };
        rounds.into_iter().flat_map(round).collect()
    })
}

proptest! {
    #[test]
    fn chat_completions_stay_the_same(
        messages in vec(chat_message(), 1..8), settings in settings(), stream: bool,
    ) {
        let mut body = body(settings, json!({"model": "m", "messages": messages}));
        if stream {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        let encoded = encoded_chat(&body);
        prop_assert_eq!(encoded.body, body);
    }

    #[test]
    fn messages_stay_the_same(
        turns in turns(), system in vec(text_block(), 1..3), settings in settings(),
    ) {
        let rest = json!({"model": "m", "max_tokens": 9, "system": system, "messages": turns});
        let body = body(settings, rest);
        let encoded = encoded_messages(&body);
        prop_assert_eq!(encoded.body, body);
        prop_assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    }
}
