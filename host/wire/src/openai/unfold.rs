//! From a document to the chunks of a stream that says the same.

use serde_json::{Map, Value, json};

use crate::Endpoint;

/// A message's texts, in the order in which clients expect them.
const TEXTS: [&str; 4] = ["reasoning_content", "reasoning", "content", "refusal"];

/// The chunks, each with all that stands beside the choices; the token counts come last.
pub(crate) fn unfold(endpoint: Endpoint, document: &Value) -> Vec<Value> {
    let Value::Object(document) = document else {
        return Vec::new();
    };
    let chat = endpoint == Endpoint::ChatCompletions;
    let mut envelope = document.clone();
    let usage = envelope.shift_remove("usage");
    if chat {
        envelope.insert("object".to_owned(), "chat.completion.chunk".into());
    }
    let choices = document.get("choices").and_then(Value::as_array);
    let parts = choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|choice| {
            if chat {
                chat_parts(choice)
            } else {
                vec![Value::Object(choice.clone())]
            }
        });
    let mut chunks: Vec<_> = parts
        .map(|part| chunk(&envelope, json!([part]), None))
        .collect();
    let usage = usage.filter(|usage| !usage.is_null());
    chunks.extend(usage.map(|usage| chunk(&envelope, json!([]), Some(usage))));
    chunks
}

fn chunk(envelope: &Map<String, Value>, choices: Value, usage: Option<Value>) -> Value {
    let mut chunk = envelope.clone();
    chunk.insert("choices".to_owned(), choices);
    if let Some(usage) = usage {
        chunk.insert("usage".to_owned(), usage);
    }
    Value::Object(chunk)
}

/// The parts of one choice; the last has all that is not the message.
fn chat_parts(choice: &Map<String, Value>) -> Vec<Value> {
    let index = choice.get("index").cloned().unwrap_or(0.into());
    let message = choice.get("message").and_then(Value::as_object);
    let mut parts: Vec<_> = message
        .into_iter()
        .flat_map(deltas)
        .map(|delta| json!({"index": index, "delta": delta, "finish_reason": null}))
        .collect();
    let last = choice.iter().map(|(key, value)| match key.as_str() {
        "message" => ("delta".to_owned(), json!({})),
        _ => (key.clone(), value.clone()),
    });
    parts.push(Value::Object(last.collect()));
    parts
}

/// The speaker and all that is short, then each text, then each tool call.
fn deltas(message: &Map<String, Value>) -> Vec<Value> {
    let mut first = message.clone();
    let mut rest = Vec::new();
    for key in TEXTS {
        let text = first.get(key).and_then(Value::as_str);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            rest.push(json!({key: text}));
            first.insert(key.to_owned(), "".into());
        }
    }
    if let Some(Value::Array(calls)) = first.get_mut("tool_calls") {
        let calls = std::mem::take(calls);
        rest.extend(calls.into_iter().enumerate().map(tool_call));
        first.shift_remove("tool_calls");
    }
    let mut deltas = vec![Value::Object(first)];
    deltas.extend(rest);
    deltas
}

fn tool_call((index, call): (usize, Value)) -> Value {
    let mut indexed = json!({"index": index});
    if let (Value::Object(indexed), Value::Object(call)) = (&mut indexed, call) {
        indexed.extend(call);
    }
    json!({"tool_calls": [indexed]})
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{FrameKind, openai::Fold};

    fn text() -> impl Strategy<Value = Value> {
        option::of(".{0,9}").prop_map(Value::from)
    }

    fn calls() -> impl Strategy<Value = Vec<Value>> {
        let call = (".{0,4}", "[a-z]{1,9}", ".{0,9}").prop_map(|(id, name, arguments)| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"id": id, "type": "function", "function": function})
        });
        vec(call, 0..3)
    }

    fn logprobs() -> impl Strategy<Value = Value> {
        let token = (
            ".",
            any::<f64>().prop_filter("JSON has no others", |p| p.is_finite()),
        )
            .prop_map(|(token, logprob)| json!({"token": token, "logprob": logprob}));
        option::of(vec(token, 0..4)).prop_map(|tokens| {
            tokens.map_or(Value::Null, |t| json!({"content": t, "refusal": null}))
        })
    }

    fn choice() -> impl Strategy<Value = Value> {
        (text(), text(), calls(), logprobs()).prop_map(|(content, reasoning, calls, logprobs)| {
            let mut message = json!({
                "role": "assistant", "content": content, "refusal": null,
                "reasoning_content": reasoning, "x_unknown": {"a": [1]},
            });
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            json!({"message": message, "logprobs": logprobs, "finish_reason": "stop", "x": 1})
        })
    }

    fn document(choices: &[Value], object: &str) -> Value {
        let mut document = json!({
            "id": "1", "object": object, "created": 7, "model": "m", "choices": choices,
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "details": {"cached": 0}},
            "system_fingerprint": "fp",
        });
        let choices = document["choices"].as_array_mut();
        for (index, choice) in choices.expect("it is a list").iter_mut().enumerate() {
            choice["index"] = index.into();
        }
        document
    }

    fn folded(endpoint: Endpoint, document: &Value) -> Value {
        let mut fold = Fold::new(endpoint);
        let payloads = unfold(endpoint, document);
        let last = payloads.len() - 1;
        for (index, payload) in payloads.into_iter().enumerate() {
            let kind = fold.push(payload);
            assert_eq!(kind == FrameKind::Usage, index == last, "{kind:?}");
        }
        fold.finish().expect("it is unambiguous")
    }

    proptest! {
        #[test]
        fn chat_documents_survive(choices in vec(choice(), 1..4)) {
            let document = document(&choices, "chat.completion");
            prop_assert_eq!(folded(Endpoint::ChatCompletions, &document), document);
        }

        #[test]
        fn text_documents_survive(texts in vec(".{0,9}", 1..4)) {
            let choice = |text| json!({"text": text, "logprobs": null, "finish_reason": "stop"});
            let choices: Vec<_> = texts.into_iter().map(choice).collect();
            let document = document(&choices, "text_completion");
            prop_assert_eq!(folded(Endpoint::Completions, &document), document);
        }
    }

    #[test]
    fn a_stream_begins_with_the_speaker_and_ends_with_the_counts() {
        let message = json!({"role": "assistant", "content": "hi", "refusal": null});
        let choice = json!({"message": message, "finish_reason": "stop"});
        let document = document(&[choice], "chat.completion");
        let chunks = unfold(Endpoint::ChatCompletions, &document);
        let deltas: Vec<_> = chunks.iter().map(|c| &c["choices"][0]["delta"]).collect();
        let first = json!({"role": "assistant", "content": "", "refusal": null});
        assert_eq!(
            deltas,
            [&first, &json!({"content": "hi"}), &json!({}), &Value::Null]
        );
        assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
        assert_eq!(chunks[3]["usage"], document["usage"]);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk["object"] == "chat.completion.chunk")
        );
    }
}
