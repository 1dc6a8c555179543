//! How likely a text is: `echo` with `logprobs`, in the shape of `OpenAI`'s older API.

use deja_tests::{Deja, whole};
use serde_json::{Value, json};

const TEXT: &str = "The café in Paris is in the capital of France.";

async fn scored(deja: &Deja, fields: &Value) -> Value {
    let mut request = json!({
        "prompt": TEXT, "echo": true, "logprobs": 2, "max_tokens": 0, "temperature": 0,
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    let answer = whole(deja.post("/v1/completions", &request).await).await;
    answer["choices"][0].clone()
}

fn list<'a>(logprobs: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = logprobs[name].as_array();
    list.unwrap_or_else(|| panic!("no {name} in {logprobs}"))
}

#[tokio::test]
async fn a_prompt_is_told_token_by_token() {
    let deja = Deja::start().await;
    let choice = scored(&deja, &json!({})).await;
    assert_eq!(
        (&choice["text"], &choice["finish_reason"]),
        (&json!(TEXT), &json!("length"))
    );
    let logprobs = &choice["logprobs"];
    let (tokens, scores) = (list(logprobs, "tokens"), list(logprobs, "token_logprobs"));
    assert_eq!(
        tokens.iter().filter_map(Value::as_str).collect::<String>(),
        TEXT
    );
    assert_eq!(
        (&scores[0], &logprobs["top_logprobs"][0]),
        (&Value::Null, &Value::Null)
    );
    let mut place = 0;
    for (index, token) in tokens.iter().enumerate() {
        assert_eq!(logprobs["text_offset"][index], place);
        place += token.as_str().map_or(0, |token| token.chars().count());
        if index > 0 {
            assert!(scores[index].as_f64().is_some_and(|score| score <= 0.0));
            let top = logprobs["top_logprobs"][index].as_object();
            assert!(
                top.is_some_and(|top| (1..=2).contains(&top.len())),
                "{logprobs}"
            );
        }
    }

    let longer = scored(&deja, &json!({"max_tokens": 3})).await;
    let all = list(&longer["logprobs"], "tokens");
    assert_eq!(
        (&all[..tokens.len()], all.len()),
        (&tokens[..], tokens.len() + 3)
    );
    let text = all.iter().filter_map(Value::as_str).collect::<String>();
    assert_eq!(longer["text"], text);
}
