//! Requests for responses, decoded to the model of requests.

mod calls;
mod parts;
mod tools;
mod turns;

use serde_json::{Map, Value};

use crate::{BadRequest, Effort, OutputFormat, Places, Request, field::Field};

/// Fields that are decoded.
const DECODED: [&str; 16] = [
    "background",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "reasoning",
    "safety_identifier",
    "stream",
    "text",
    "tool_choice",
    "tools",
];

/// Fields that steer `OpenAI`'s own servers, and do not change what is asked.
const ONLY_A_WISH: [&str; 13] = [
    "access_programs",
    "background_options",
    "client_metadata",
    "context_management",
    "image",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "stream_options",
    "truncation",
];

/// Fields for what a server has kept.
const KEPT_ELSEWHERE: [&str; 3] = ["conversation", "previous_response_id", "prompt"];

/// What a client adds to `include` to see how likely the tokens were.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Decodes the body of `POST /v1/responses`, for a server of another API. What only `OpenAI` can
/// run or has kept, and a request can do without, is left out and named in [`Request::left_out`].
///
/// # Errors
/// Names the first field that is missing, of the wrong type, or that refers to what a server of
/// another API has not kept; a call without its output, and an output without its call.
pub fn decode_request(body: &Value) -> Result<Request, BadRequest> {
    let body = Field::body(body);
    refuse_what_is_elsewhere(&body)?;
    let mut left_out = Vec::new();
    let mut fields = fields(&body, &mut left_out)?;
    let turns = turns::turns(&body, &mut left_out)?;
    calls::check(&turns)?;
    let (tools, tool_choice) = tools::tools(&body, &mut left_out)?;
    let format = format(&body, &mut fields)?;
    Ok(Request {
        model: body.optional_text("model")?,
        turns,
        tools,
        tool_choice,
        parallel_tool_calls: body.optional_boolean("parallel_tool_calls")?,
        format,
        max_tokens: body.optional_tokens("max_output_tokens")?,
        stop: Vec::new(),
        effort: effort(&body, &mut left_out)?,
        user: user(&body)?,
        stream: body.optional_boolean("stream")?.unwrap_or_default(),
        fields,
        text_separator: "",
        places: Places {
            turns: "input",
            chosen_tool: "tool_choice.name",
            format: "text.format",
            max_tokens: "max_output_tokens",
            effort: "reasoning.effort",
            ..Places::default()
        },
        left_out,
    })
}

fn refuse_what_is_elsewhere(body: &Field<'_>) -> Result<(), BadRequest> {
    if body.optional_boolean("background")?.unwrap_or_default() {
        return Err(BadRequest::unsupported("background"));
    }
    let mut kept = KEPT_ELSEWHERE.into_iter().filter_map(|name| body.get(name));
    kept.next().map_or(Ok(()), |field| Err(field.unsupported()))
}

/// Returns the fields that are not decoded and that other APIs have, too.
fn fields(body: &Field<'_>, left_out: &mut Vec<String>) -> Result<Map<String, Value>, BadRequest> {
    let mut fields = body.fields_besides(&DECODED);
    fields.shift_remove("user");
    for name in ONLY_A_WISH {
        if fields.shift_remove(name).is_some() {
            left_out.push(name.to_owned());
        }
    }
    if let Some(include) = body.get("include") {
        for wanted in include.items()? {
            match wanted.string()? {
                LOGPROBS => {
                    fields.insert("logprobs".to_owned(), true.into());
                }
                _ => left_out.push(wanted.place()),
            }
        }
    }
    Ok(fields)
}

/// Decodes what the answer has to be; how verbose it is to be is a field of its own elsewhere.
fn format(body: &Field<'_>, fields: &mut Map<String, Value>) -> Result<OutputFormat, BadRequest> {
    let Some(text) = body.get("text") else {
        return Ok(OutputFormat::Text);
    };
    if let Some(verbosity) = text.optional_text("verbosity")? {
        fields.insert("verbosity".to_owned(), verbosity.into());
    }
    let Some(format) = text.get("format") else {
        return Ok(OutputFormat::Text);
    };
    match format.text("type")? {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => Ok(OutputFormat::JsonSchema {
            name: format.optional_text("name")?,
            schema: format.need("schema")?.object()?.clone().into(),
            strict: format.optional_boolean("strict")?,
        }),
        _ => Err(format.unknown_type()),
    }
}

fn effort(body: &Field<'_>, left_out: &mut Vec<String>) -> Result<Option<Effort>, BadRequest> {
    let Some(reasoning) = body.get("reasoning") else {
        return Ok(None);
    };
    reasoning.object()?;
    let others = reasoning.fields().filter(|(name, _)| *name != "effort");
    left_out.extend(others.map(|(_, field)| field.place()));
    Ok(reasoning.optional_text("effort")?.map(Effort::Word))
}

/// `safety_identifier` wins over the older `user`.
fn user(body: &Field<'_>) -> Result<Option<String>, BadRequest> {
    match body.optional_text("safety_identifier")? {
        None => body.optional_text("user"),
        user => Ok(user),
    }
}

#[cfg(test)]
mod tests;
