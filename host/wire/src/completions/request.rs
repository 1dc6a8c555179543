//! From the body of `POST /v1/completions` to what a model is asked. Base models have no other API,
//! and editors ask for code with it.

use serde_json::Value;

use crate::{
    BadRequest, ChatRequest, Prompt,
    field::Field,
    openai::parameters::{
        IsNeutral, choices, model, refuse_unsupported, refuse_unusable_stops, sampling,
        stop_strings, token_limit,
    },
};

/// The API's limit for requests that set none: unlike a conversation, a text has no end.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Fields that change the answer, each with the values under which it does not.
const UNSUPPORTED: [(&str, IsNeutral); 1] = [("suffix", |suffix| suffix == "")];

/// Reads which text the model is to continue, and refuses what it could not honour.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, out of range or not supported.
pub fn completion_request(body: &Value) -> Result<ChatRequest, BadRequest> {
    let body = Field::body(body);
    refuse_unsupported(&body, &UNSUPPORTED)?;
    let choices = choices(&body)?;
    refuse_drafts(&body, choices)?;
    let echo = body.get("echo");
    let echo = echo.map_or(Ok(false), |echo| echo.boolean())?;
    // Who wants the prompt back may want nothing else: its probabilities.
    let least = u32::from(!echo);
    let logprobs = body.get("logprobs");
    let stop = stop_strings(&body)?;
    refuse_unusable_stops(&stop, "stop")?;
    Ok(ChatRequest {
        model: model(&body)?,
        sampling: sampling(&body)?,
        choices,
        logprobs: logprobs
            .map(|others| others.integer(0..=5, "from 0 to 5"))
            .transpose()?,
        echo,
        max_tokens: token_limit(&body, "max_tokens", least)?.or(Some(DEFAULT_MAX_TOKENS)),
        stop,
        ..ChatRequest::new(Prompt::Text(text(&body)?))
    })
}

/// Refuses to make more answers than are wanted and choose among them.
fn refuse_drafts(body: &Field<'_>, choices: u32) -> Result<(), BadRequest> {
    match body.get("best_of") {
        Some(drafts) if *drafts.value != choices => Err(drafts.unsupported()),
        _ => Ok(()),
    }
}

/// The one text of `prompt`. The API also takes several, and tokens in place of texts.
fn text(body: &Field<'_>) -> Result<String, BadRequest> {
    let prompt = body.need("prompt")?;
    let text = match prompt.value.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => prompt.value,
    };
    let problem = match text {
        Value::String(text) if text.is_empty() => "must not be empty",
        Value::String(text) => return Ok(text.clone()),
        Value::Array(texts) => match texts.as_slice() {
            [] => "must hold a text",
            [Value::String(_), ..] => "must be one text: this model continues one at a time",
            _ => "must be a text: this model takes no tokens",
        },
        Value::Number(_) => "must be a text: this model takes no tokens",
        _ => "must be a string or a list of one string",
    };
    Err(prompt.wrong(problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Sampling;

    #[test]
    fn reads_every_field_that_the_model_honours() {
        let request = completion_request(&json!({
            "model": "m", "prompt": "fn main() {", "temperature": 0, "n": 2, "best_of": 2,
            "logprobs": 0, "echo": true, "max_tokens": 0, "stop": ["\n\n"], "user": "somebody",
        }));
        let expected = ChatRequest {
            model: Some("m".to_owned()),
            sampling: Sampling::greedy(),
            choices: 2,
            logprobs: Some(0),
            echo: true,
            max_tokens: Some(0),
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
            ("prompt", json!([1])),
            ("prompt", json!([[1, 2]])),
            ("model", json!(7)),
            ("max_tokens", json!(0)),
            ("temperature", json!(3)),
            ("stop", json!("")),
            ("n", json!(0)),
            ("best_of", json!(2)),
            ("echo", json!("yes")),
            ("suffix", json!("}")),
            ("logprobs", json!(6)),
            ("logprobs", json!(true)),
        ] {
            let mut body = json!({"prompt": "hi"});
            body[field] = value;
            let error = completion_request(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
            assert!(error.message.contains(field), "{}", error.message);
        }
    }
}
