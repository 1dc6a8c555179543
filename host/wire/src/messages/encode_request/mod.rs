//! Requests, encoded as Anthropic's requests for messages.

mod blocks;
mod thinking;
mod tools;
mod turns;

use serde_json::{Map, Value, json};

use crate::{
    BadRequest, EncodedRequest, OutputFormat, Request, Unsupported,
    encode_request::{Omissions, object},
    openai::parameters::{IsNeutral, is_empty},
};
use turns::Conversation;

/// Fields that steer `OpenAI`'s servers, or are only a wish; the answer is as good without.
const ONLY_A_WISH: [&str; 8] = [
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "seed",
    "service_tier",
    "store",
    "stream_options",
];

/// Fields that change the answer, each with the values under which it does not. An answer to
/// `functions` would have to call them in a form of its own, which no client needs any more.
const UNSUPPORTED: [(&str, IsNeutral); 12] = [
    ("n", |value| value == 1),
    ("logprobs", |value| value == false),
    ("top_logprobs", |value| value == 0),
    ("logit_bias", is_empty),
    ("presence_penalty", is_zero),
    ("frequency_penalty", is_zero),
    ("functions", is_empty),
    ("function_call", |value| value == "none" || value == "auto"),
    ("audio", |_| false),
    ("modalities", |value| *value == json!(["text"])),
    ("verbosity", |value| value == "medium"),
    ("web_search_options", |_| false),
];

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

/// Encodes a request as the body of `POST /v1/messages`. A field that the encoder does not know
/// passes unchanged. Anthropic wants a token limit: `default_max_tokens` where the client sets
/// none. A temperature above 1, where Anthropic's range ends, becomes 1.
///
/// # Errors
/// Names the first part without a form in the API, unless what is unsupported is dropped: audio,
/// files by id, JSON without a schema, several choices, log probabilities, penalties, and the
/// `functions` that `tools` have replaced. Arguments of calls that are no JSON object, a
/// temperature that is no number, and a conversation without a turn are always refused.
pub fn encode_request(
    request: &Request,
    unsupported: Unsupported,
    default_max_tokens: u32,
) -> Result<EncodedRequest, BadRequest> {
    let mut omissions = Omissions::new(request, unsupported);
    let Conversation { system, turns } = turns::conversation(request, &mut omissions)?;
    let tools = tools::tools(request, &mut omissions)?;
    let thinking = thinking::thinking(request, &turns, &tools, &mut omissions)?;
    let limit = request.max_tokens.unwrap_or(default_max_tokens.into());
    let mut body = object([
        ("model", json!(request.model)),
        ("max_tokens", thinking::limit_above(limit, &thinking).into()),
        ("system", list(system)),
        ("messages", json!(turns)),
    ]);
    body.extend(tools);
    body.extend(object([
        ("thinking", thinking),
        ("stop_sequences", list(request.stop.clone())),
        ("metadata", user(request.user.as_deref())),
        ("stream", json!(request.stream.then_some(true))),
    ]));
    let others = others(request, &mut omissions)?;
    Ok(omissions.with_body(body, others))
}

/// Returns a list, unless it is empty.
fn list<T: Into<Value>>(items: Vec<T>) -> Value {
    if items.is_empty() {
        return Value::Null;
    }
    items.into()
}

fn user(user: Option<&str>) -> Value {
    json!(user.map(|user| json!({"user_id": user})))
}

/// The fields that pass, with the format of the answer in the one that holds it.
fn others(request: &Request, omissions: &mut Omissions) -> Result<Map<String, Value>, BadRequest> {
    let mut fields = omissions.passing(&request.fields, &ONLY_A_WISH, &UNSUPPORTED)?;
    if let Some(temperature) = fields.get_mut("temperature") {
        *temperature = within_range(temperature)?;
    }
    if let Some(format) = format(request, omissions)? {
        let config = fields.shift_remove("output_config");
        let mut config = config.filter(Value::is_object).unwrap_or(json!({}));
        config["format"] = format;
        fields.insert("output_config".to_owned(), config);
    }
    Ok(fields)
}

fn within_range(temperature: &Value) -> Result<Value, BadRequest> {
    match temperature.as_f64() {
        Some(above) if above > 1.0 => Ok(json!(1.0)),
        Some(_) => Ok(temperature.clone()),
        None => Err(BadRequest::field("temperature", "must be a number")),
    }
}

fn format(request: &Request, omissions: &mut Omissions) -> Result<Option<Value>, BadRequest> {
    match &request.format {
        OutputFormat::Text => Ok(None),
        OutputFormat::JsonObject => {
            omissions.refuse(BadRequest::unsupported(request.places.format))?;
            Ok(None)
        }
        OutputFormat::JsonSchema { schema, .. } => {
            Ok(Some(json!({"type": "json_schema", "schema": schema})))
        }
    }
}

#[cfg(test)]
mod tests;
