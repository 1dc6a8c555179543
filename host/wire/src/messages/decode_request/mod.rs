//! Anthropic's requests for messages, decoded to the model of requests.

mod blocks;
mod tools;
mod turns;

use serde_json::{Map, Value};

use crate::{BadRequest, Effort, OutputFormat, Places, Request, field::Field};

/// Fields that are decoded; all others stay as they are.
const DECODED: [&str; 12] = [
    "model",
    "system",
    "messages",
    "tools",
    "tool_choice",
    "max_tokens",
    "stop_sequences",
    "metadata",
    "stream",
    "output_format",
    THINKING,
    OUTPUT_CONFIG,
];

/// How the model is to think.
const THINKING: &str = "thinking";

/// What the answer has to be, and the effort to spend on it.
const OUTPUT_CONFIG: &str = "output_config";

/// What stands between two texts that are made one.
const BETWEEN_TEXTS: &str = "\n\n";

/// Decodes the body of `POST /v1/messages`, or of `POST /v1/messages/count_tokens`.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, or of an unknown kind.
pub fn decode_request(body: &Value) -> Result<Request, BadRequest> {
    let body = Field::body(body);
    let effort = effort(&body)?;
    Ok(Request {
        model: body.optional_text("model")?,
        turns: turns::turns(&body)?,
        tools: tools::tools(&body)?,
        tool_choice: tools::choice(&body)?,
        parallel_tool_calls: tools::parallel_calls(&body),
        format: format(&body)?,
        max_tokens: body.optional_tokens("max_tokens")?,
        stop: stop(&body)?,
        user: user(&body),
        stream: body.optional_boolean("stream")?.unwrap_or_default(),
        fields: fields(&body, effort.is_some()),
        effort,
        text_separator: BETWEEN_TEXTS,
        places: places(&body),
        left_out: Vec::new(),
    })
}

fn places(body: &Field<'_>) -> Places {
    Places {
        turns: "messages",
        tool_choice: "tool_choice",
        chosen_tool: "tool_choice.name",
        format: format_field(body).map_or("output_config.format", |(_, place)| place),
        max_tokens: "max_tokens",
        stop: "stop_sequences",
        effort: THINKING,
        user: "metadata.user_id",
    }
}

/// All that is not decoded. Of `output_config`, all but the format; of `thinking`, what leaves
/// the effort to the model.
fn fields(body: &Field<'_>, has_effort: bool) -> Map<String, Value> {
    let mut fields = body.fields_besides(&DECODED);
    if let Some(config) = body.get(OUTPUT_CONFIG) {
        let config = config.fields_besides(&["format"]);
        if !config.is_empty() {
            fields.insert(OUTPUT_CONFIG.to_owned(), config.into());
        }
    }
    if let Some(thinking) = body.get(THINKING).filter(|_| !has_effort) {
        fields.insert(THINKING.to_owned(), thinking.value.clone());
    }
    fields
}

/// Adaptive thinking leaves the effort to the model, as does saying nothing.
fn effort(body: &Field<'_>) -> Result<Option<Effort>, BadRequest> {
    let Some(thinking) = body.get(THINKING) else {
        return Ok(None);
    };
    Ok(match thinking.text("type")? {
        "disabled" => Some(Effort::None),
        "enabled" => {
            let budget = thinking.need("budget_tokens")?;
            Some(Effort::Budget(budget.integer(0.., "from 0 on")?))
        }
        _ => None,
    })
}

/// The field that says what the answer has to be, by its newer name or its older one.
fn format_field<'a>(body: &Field<'a>) -> Option<(Field<'a>, &'static str)> {
    let config = body.get(OUTPUT_CONFIG);
    match config.and_then(|config| config.get("format")) {
        Some(format) => Some((format, "output_config.format")),
        None => Some((body.get("output_format")?, "output_format")),
    }
}

/// Anthropic holds the model to the schema, as others do only if it is strict.
fn format(body: &Field<'_>) -> Result<OutputFormat, BadRequest> {
    match format_field(body) {
        None => Ok(OutputFormat::Text),
        Some((format, _)) if format.text("type")? == "json_schema" => {
            Ok(OutputFormat::JsonSchema {
                name: None,
                schema: format.need("schema")?.object()?.clone().into(),
                strict: Some(true),
            })
        }
        Some((format, _)) => Err(format.unknown_type()),
    }
}

fn stop(body: &Field<'_>) -> Result<Vec<String>, BadRequest> {
    let Some(stop) = body.get("stop_sequences") else {
        return Ok(Vec::new());
    };
    let texts = stop.items()?.into_iter();
    texts.map(|text| text.string().map(str::to_owned)).collect()
}

fn user(body: &Field<'_>) -> Option<String> {
    let user = body.get("metadata")?.value["user_id"].as_str()?;
    Some(user.to_owned())
}
