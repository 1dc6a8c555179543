//! Completions of a text: `POST /v1/completions`. Base models have no other API, and editors ask
//! for code with it.

use serde::Deserialize;
use serde_json::Value;

use super::request::{
    IsNeutral, is_empty, is_zero, refuse_unsupported, sampling, stop_strings, token_limit, typed,
};
use crate::{BadRequest, ChatRequest, Prompt};

/// The API's limit for requests that set none: unlike a conversation, a text has no end.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Fields that change the answer, each with the values under which it does not.
const UNSUPPORTED: [(&str, IsNeutral); 8] = [
    ("n", |value| value == 1),
    ("best_of", |value| value == 1),
    ("echo", |value| value == false),
    ("suffix", |value| value == ""),
    // Even 0 asks for the probability of the token that was chosen.
    ("logprobs", Value::is_null),
    ("logit_bias", is_empty),
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
];

#[derive(Deserialize)]
struct Body {
    model: Option<String>,
    #[serde(default)]
    prompt: Value,
    temperature: Option<f32>,
    top_p: Option<f32>,
    seed: Option<i64>,
    max_tokens: Option<u32>,
    stop: Option<Value>,
}

/// Reads which text the model is to continue, and refuses what it could not honour.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, out of range or not supported.
pub fn completion_request(body: &Value) -> Result<ChatRequest, BadRequest> {
    refuse_unsupported(body, &UNSUPPORTED)?;
    let body: Body = typed(body)?;
    Ok(ChatRequest {
        model: body.model,
        sampling: sampling(body.temperature, body.top_p, body.seed)?,
        max_tokens: token_limit(None, body.max_tokens)?.or(Some(DEFAULT_MAX_TOKENS)),
        stop: stop_strings(body.stop)?,
        ..ChatRequest::new(Prompt::Text(text(&body.prompt)?))
    })
}

/// The one text of `prompt`. The API also takes several, and tokens in place of texts.
fn text(prompt: &Value) -> Result<String, BadRequest> {
    let problem = match prompt {
        Value::String(text) if text.is_empty() => "must not be empty",
        Value::String(text) => return Ok(text.clone()),
        Value::Null => "is missing",
        Value::Array(texts) => match texts.as_slice() {
            [one @ Value::String(_)] => return text(one),
            [] => "must hold a text",
            [Value::String(_), ..] => "must be one text: this model continues one at a time",
            _ => "must be a text: this model takes no tokens",
        },
        _ => "must be a string or a list of one string",
    };
    Err(BadRequest::field("prompt", problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Sampling;

    #[test]
    fn reads_every_field_that_the_model_honours() {
        let request = completion_request(&json!({
            "model": "m", "prompt": "fn main() {", "temperature": 0, "top_p": 0.5, "seed": 3,
            "max_tokens": 9, "stop": ["\n\n"], "user": "somebody",
        }));
        let expected = ChatRequest {
            model: Some("m".to_owned()),
            sampling: Sampling {
                temperature: 0.0,
                top_p: 0.5,
                seed: Some(3),
                ..Sampling::default()
            },
            max_tokens: Some(9),
            stop: vec!["\n\n".to_owned()],
            ..ChatRequest::new(Prompt::Text("fn main() {".to_owned()))
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn a_list_of_one_text_and_neutral_values_are_as_if_left_out() {
        let alone = completion_request(&json!({"prompt": "hi"})).expect("the request is good");
        assert_eq!(alone.max_tokens, Some(16));
        let listed = completion_request(&json!({
            "prompt": ["hi"], "n": 1, "best_of": 1, "echo": false, "suffix": null,
            "logprobs": null, "logit_bias": {}, "presence_penalty": 0,
        }));
        assert_eq!(listed, Ok(alone));
    }

    #[test]
    fn names_the_field_at_fault() {
        for (field, value) in [
            ("prompt", json!(null)),
            ("prompt", json!("")),
            ("prompt", json!(7)),
            ("prompt", json!([])),
            ("prompt", json!([""])),
            ("prompt", json!(["one", "two"])),
            ("prompt", json!([1, 2])),
            ("prompt", json!([[1, 2]])),
            ("model", json!(7)),
            ("max_tokens", json!(0)),
            ("temperature", json!(3)),
            ("stop", json!("")),
            ("n", json!(2)),
            ("best_of", json!(2)),
            ("echo", json!(true)),
            ("suffix", json!("}")),
            ("logprobs", json!(0)),
        ] {
            let mut body = json!({"prompt": "hi"});
            body[field] = value;
            let error = completion_request(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
            assert!(error.message.contains(field), "{}", error.message);
        }
    }
}
