//! Chat completion requests, decoded to the model of requests.

mod tools;
mod turns;

use serde_json::Value;

use crate::{
    BadRequest, Effort, OutputFormat, Places, Request, field::Field,
    openai::parameters::stop_strings,
};

/// Fields that are decoded; all others stay as they are.
const DECODED: [&str; 13] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "reasoning_effort",
    "user",
    "safety_identifier",
    "stream",
];

/// Decodes the body of `POST /v1/chat/completions`.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, or of an unknown kind.
pub fn decode_request(body: &Value) -> Result<Request, BadRequest> {
    let body = Field::body(body);
    let limit = limit_name(&body);
    Ok(Request {
        model: body.optional_text("model")?,
        turns: turns::turns(&body)?,
        tools: tools::tools(&body)?,
        tool_choice: tools::choice(&body)?,
        parallel_tool_calls: body.optional_boolean("parallel_tool_calls")?,
        format: format(&body)?,
        max_tokens: body.optional_tokens(limit)?,
        stop: stop_strings(&body)?,
        effort: body.optional_text("reasoning_effort")?.map(Effort::Word),
        user: user(&body)?,
        stream: body.optional_boolean("stream")?.unwrap_or_default(),
        fields: body.fields_besides(&DECODED),
        text_separator: "",
        places: Places {
            max_tokens: limit,
            ..Places::default()
        },
        left_out: Vec::new(),
    })
}

/// `max_completion_tokens` wins over the older `max_tokens`.
fn limit_name(body: &Field<'_>) -> &'static str {
    let newer = "max_completion_tokens";
    body.get(newer).map_or("max_tokens", |_| newer)
}

/// `safety_identifier` wins over the older `user`.
fn user(body: &Field<'_>) -> Result<Option<String>, BadRequest> {
    match body.optional_text("safety_identifier")? {
        None => body.optional_text("user"),
        user => Ok(user),
    }
}

fn format(body: &Field<'_>) -> Result<OutputFormat, BadRequest> {
    let Some(format) = body.get("response_format") else {
        return Ok(OutputFormat::Text);
    };
    match format.text("type")? {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => {
            let format = format.need("json_schema")?;
            Ok(OutputFormat::JsonSchema {
                name: format.optional_text("name")?,
                schema: format.need("schema")?.object()?.clone().into(),
                strict: format.optional_boolean("strict")?,
            })
        }
        _ => Err(format.unknown_type()),
    }
}
