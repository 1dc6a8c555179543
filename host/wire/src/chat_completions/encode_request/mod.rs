//! Requests, encoded as chat completion requests.

mod parts;
mod tools;
mod turns;

use serde_json::{Map, Value, json};

use crate::{
    BadRequest, Effort, EncodedRequest, OutputFormat, Request, Unsupported,
    encode_request::{Omissions, object},
    openai::parameters::{IsNeutral, is_empty},
};

/// The longest `user` that `OpenAI` takes, in characters.
const LONGEST_USER: usize = 64;

/// Fields that steer Anthropic's servers, and do not change what is asked; `stream_options` are
/// set by the encoder. Servers whose model cannot think refuse an effort, and Claude Code always
/// sends one, so only thinking with a budget is passed on.
const ONLY_A_WISH: [&str; 11] = [
    "betas",
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "output_config",
    "service_tier",
    "speed",
    "stream_options",
    "thinking",
];

/// Fields that change the answer, each with the values under which it does not.
const UNSUPPORTED: [(&str, IsNeutral); 1] = [("mcp_servers", is_empty)];

/// Encodes a request as the body of `POST /v1/chat/completions`. A field that the encoder does not
/// know passes unchanged.
///
/// # Errors
/// Names the first part without a form in the API, unless what is unsupported is dropped: hosted
/// tools, blocks of their results, MCP servers, files by id.
pub fn encode_request(
    request: &Request,
    unsupported: Unsupported,
) -> Result<EncodedRequest, BadRequest> {
    let mut omissions = Omissions::new(request, unsupported);
    let mut body = object([
        ("model", json!(request.model)),
        ("messages", turns::messages(request, &mut omissions)?.into()),
    ]);
    body.extend(tools::tools(request, &mut omissions)?);
    body.extend(object([
        ("response_format", response_format(&request.format)),
        ("max_tokens", json!(request.max_tokens)),
        ("stop", stop(&request.stop)),
        ("reasoning_effort", effort(request, &mut omissions)),
        ("user", user(request, &mut omissions)),
    ]));
    body.extend(stream(request.stream));
    let others = omissions.passing(&request.fields, &ONLY_A_WISH, &UNSUPPORTED)?;
    Ok(omissions.with_body(body, others))
}

fn response_format(format: &OutputFormat) -> Value {
    match format {
        OutputFormat::Text => Value::Null,
        OutputFormat::JsonObject => json!({"type": "json_object"}),
        OutputFormat::JsonSchema {
            name,
            schema,
            strict,
        } => {
            let name = name.as_deref().unwrap_or("answer");
            let fields = [
                ("name", json!(name)),
                ("strict", json!(strict)),
                ("schema", schema.clone()),
            ];
            json!({"type": "json_schema", "json_schema": object(fields)})
        }
    }
}

fn stop(texts: &[String]) -> Value {
    match texts {
        [] => Value::Null,
        texts => json!(texts),
    }
}

/// Servers whose model cannot think refuse to be told not to.
fn effort(request: &Request, omissions: &mut Omissions) -> Value {
    match &request.effort {
        None => Value::Null,
        Some(Effort::None) => {
            omissions.leave_out(request.places.effort);
            Value::Null
        }
        Some(effort) => effort.word().into(),
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

/// Streams of this API tell the token counts only when asked; those of the others always do.
fn stream(stream: bool) -> Map<String, Value> {
    if !stream {
        return Map::new();
    }
    object([
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
    ])
}

#[cfg(test)]
mod tests;
