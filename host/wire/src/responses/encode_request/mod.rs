//! Requests, encoded as requests for responses.

mod items;
mod parts;
mod tools;

use serde_json::{Map, Value, json};

use super::decode_request::LOGPROBS;
use crate::{
    BadRequest, Effort, EncodedRequest, OutputFormat, Request, Unsupported,
    encode_request::{Omissions, object},
    openai::parameters::{IsNeutral, is_empty},
};

/// The longest `user` that `OpenAI` takes, in characters.
const LONGEST_USER: usize = 64;

/// What a server without a memory needs back with the next turn.
const ENCRYPTED_REASONING: &str = "reasoning.encrypted_content";

/// Fields that steer other APIs' servers, and do not change what is asked; how likely tokens were
/// and how verbose an answer is to be are asked elsewhere.
const ONLY_A_WISH: [&str; 16] = [
    "betas",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "logprobs",
    "metadata",
    "output_config",
    "prediction",
    "seed",
    "speed",
    "store",
    "stream_options",
    "thinking",
    "verbosity",
];

/// Fields that change the answer, each with the values under which it does not.
const UNSUPPORTED: [(&str, IsNeutral); 10] = [
    ("audio", Value::is_null),
    ("frequency_penalty", is_zero),
    ("functions", is_empty),
    ("logit_bias", is_empty),
    ("mcp_servers", is_empty),
    ("min_p", is_zero),
    ("n", is_one),
    ("presence_penalty", is_zero),
    ("top_k", Value::is_null),
    ("web_search_options", Value::is_null),
];

/// Encodes a request as the body of `POST /v1/responses`. The server is to keep nothing. A field
/// that the encoder does not know passes unchanged.
///
/// # Errors
/// Names the first part without a form in the API, unless what is unsupported is dropped: stop
/// strings, hosted tools, more than one choice, penalties.
pub fn encode_request(
    request: &Request,
    unsupported: Unsupported,
) -> Result<EncodedRequest, BadRequest> {
    let mut omissions = Omissions::new(request, unsupported);
    if !request.stop.is_empty() {
        omissions.refuse(BadRequest::unsupported(request.places.stop))?;
    }
    let input = items::items(request, &mut omissions)?;
    let mut body = object([("model", json!(request.model)), ("input", input.into())]);
    body.extend(tools::tools(request, &mut omissions)?);
    body.extend(object([
        ("text", text(request)),
        ("max_output_tokens", json!(request.max_tokens)),
        ("reasoning", reasoning(request, &mut omissions)),
        ("user", user(request, &mut omissions)),
        ("include", include(request)),
        ("store", false.into()),
        ("stream", json!(request.stream.then_some(true))),
    ]));
    let others = omissions.passing(&request.fields, &ONLY_A_WISH, &UNSUPPORTED)?;
    Ok(omissions.with_body(body, others))
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Value) -> bool {
    value.as_u64() == Some(1)
}

/// Returns what the answer has to be, and how verbose.
fn text(request: &Request) -> Value {
    let fields = object([
        ("format", format(&request.format)),
        ("verbosity", json!(request.fields.get("verbosity").cloned())),
    ]);
    or_null(fields)
}

fn format(format: &OutputFormat) -> Value {
    match format {
        OutputFormat::Text => Value::Null,
        OutputFormat::JsonObject => json!({"type": "json_object"}),
        OutputFormat::JsonSchema {
            name,
            schema,
            strict,
        } => object([
            ("type", "json_schema".into()),
            ("name", name.as_deref().unwrap_or("answer").into()),
            ("strict", json!(strict)),
            ("schema", schema.clone()),
        ])
        .into(),
    }
}

/// Servers whose model cannot think refuse to be told not to.
fn reasoning(request: &Request, omissions: &mut Omissions) -> Value {
    match &request.effort {
        None => Value::Null,
        Some(Effort::None) => {
            omissions.leave_out(request.places.effort);
            Value::Null
        }
        Some(effort) => json!({"effort": effort.word()}),
    }
}

/// Claude Code's is a JSON document that changes with every session: too long for `OpenAI`, and
/// no name of a user.
fn user(request: &Request, omissions: &mut Omissions) -> Value {
    match &request.user {
        None => Value::Null,
        Some(user) if user.chars().count() > LONGEST_USER || user.starts_with('{') => {
            omissions.leave_out(request.places.user);
            Value::Null
        }
        Some(user) => user.as_str().into(),
    }
}

fn include(request: &Request) -> Value {
    let wants_logprobs = request.fields.get("logprobs") == Some(&true.into());
    let logprobs = wants_logprobs.then_some(LOGPROBS);
    let thinks = request.effort.is_some().then_some(ENCRYPTED_REASONING);
    let wanted: Vec<_> = thinks.into_iter().chain(logprobs).collect();
    json!((!wanted.is_empty()).then_some(wanted))
}

fn or_null(fields: Map<String, Value>) -> Value {
    if fields.is_empty() {
        Value::Null
    } else {
        fields.into()
    }
}

#[cfg(test)]
mod tests;
