//! From a chat request's body to what a model is asked.

use serde_json::{Map, Value};

use super::{
    conversation::messages,
    tools::{tool_choice, tools},
};
use crate::{
    BadRequest, ChatRequest, Conversation, Format, Prompt, ToolChoice,
    field::Field,
    openai::parameters::{
        IsNeutral, choices, model, refuse_unsupported, sampling, stop_strings, token_limit,
    },
};

/// Fields that change the answer, each with the values under which it does not. The fields that
/// are neither read nor here (`user`, `metadata`, …) change nothing.
const UNSUPPORTED: [(&str, IsNeutral); 4] = [
    ("audio", |_| false),
    ("modalities", |kinds| {
        *kinds.value == serde_json::json!(["text"])
    }),
    ("prediction", |_| false),
    ("web_search_options", |_| false),
];

/// Reads what is asked of the model, and refuses what it could not honour.
///
/// # Errors
/// Names the first field that is missing, of the wrong type, out of range or not supported.
pub fn chat_request(body: &Value) -> Result<ChatRequest, BadRequest> {
    let body = Field::body(body);
    refuse_unsupported(&body, &UNSUPPORTED)?;
    let conversation = conversation(&body)?;
    let format = format(&body)?;
    if format != Format::Text && offers_tools(&conversation) {
        let format = body.need("response_format")?;
        return Err(format.wrong("cannot be had together with `tools`"));
    }
    Ok(ChatRequest {
        model: model(&body)?,
        sampling: sampling(&body)?,
        format,
        choices: choices(&body)?,
        logprobs: logprobs(&body)?,
        max_tokens: max_tokens(&body)?,
        stop: stop_strings(&body)?,
        ..ChatRequest::new(Prompt::Conversation(conversation))
    })
}

fn conversation(body: &Field<'_>) -> Result<Conversation, BadRequest> {
    let tools = tools(body)?;
    let tool_choice = tool_choice(body, &tools)?;
    let parallel = body.get("parallel_tool_calls");
    Ok(Conversation {
        messages: messages(body)?,
        tools,
        tool_choice,
        parallel_tool_calls: parallel.map_or(Ok(true), |wanted| wanted.boolean())?,
        template_arguments: template_arguments(body)?,
    })
}

fn offers_tools(conversation: &Conversation) -> bool {
    !conversation.tools.is_empty() && conversation.tool_choice != ToolChoice::None
}

/// Templates have no common name for how hard a model thinks; whether it does at all is
/// `enable_thinking` to most.
fn template_arguments(body: &Field<'_>) -> Result<Map<String, Value>, BadRequest> {
    let mut arguments = Map::new();
    if let Some(effort) = body.get("reasoning_effort") {
        let effort = effort.string()?;
        arguments.insert("reasoning_effort".to_owned(), effort.into());
        if effort == "none" {
            arguments.insert("enable_thinking".to_owned(), false.into());
        }
    }
    if let Some(named) = body.get("chat_template_kwargs") {
        arguments.extend(named.object()?.clone());
    }
    Ok(arguments)
}

fn format(body: &Field<'_>) -> Result<Format, BadRequest> {
    let Some(format) = body.get("response_format") else {
        return Ok(Format::Text);
    };
    match format.text("type")? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::JsonObject),
        "json_schema" => {
            let schema = format.need("json_schema")?.need("schema")?;
            Ok(Format::JsonSchema(schema.object()?.clone().into()))
        }
        _ => Err(format.unknown_type()),
    }
}

/// `top_logprobs` says how many others are told, if `logprobs` wants any told.
fn logprobs(body: &Field<'_>) -> Result<Option<u8>, BadRequest> {
    let wanted = body.get("logprobs");
    let wanted = wanted.map_or(Ok(false), |wanted| wanted.boolean())?;
    let others = body.get("top_logprobs");
    let count = match &others {
        Some(others) => others.integer(0..=20, "from 0 to 20")?,
        None => 0,
    };
    match others {
        Some(others) if count > 0 && !wanted => Err(others.wrong("wants `logprobs` to be true")),
        _ => Ok(wanted.then_some(count)),
    }
}

/// `max_completion_tokens` wins over the older `max_tokens`.
fn max_tokens(body: &Field<'_>) -> Result<Option<u32>, BadRequest> {
    match token_limit(body, "max_completion_tokens", 1)? {
        None => token_limit(body, "max_tokens", 1),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Message, Role, Sampling, Tool};

    fn with(fields: Value) -> Value {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        let Value::Object(fields) = fields else {
            panic!("{fields} are no fields");
        };
        for (field, value) in fields {
            body[field] = value;
        }
        body
    }

    fn plain() -> Conversation {
        vec![Message::new(Role::User, "hi")].into()
    }

    #[test]
    fn reads_every_field_that_the_model_honours() {
        let schema = json!({"type": "object"});
        let request = chat_request(&with(json!({
            "model": "m", "temperature": 0, "n": 2, "logprobs": true, "top_logprobs": 3,
            "stop": "END", "max_tokens": 9, "max_completion_tokens": 7, "user": "somebody",
            "response_format": {"type": "json_schema", "json_schema": {
                "name": "answer", "strict": true, "schema": schema,
            }},
            "tools": [{"type": "function", "function": {"name": "ls", "parameters": schema}}],
            "tool_choice": "none", "parallel_tool_calls": false,
            "reasoning_effort": "none", "chat_template_kwargs": {"add_date": true},
        })));
        let conversation = Conversation {
            tools: vec![Tool {
                name: "ls".to_owned(),
                description: None,
                parameters: schema.clone(),
                strict: false,
            }],
            tool_choice: ToolChoice::None,
            parallel_tool_calls: false,
            template_arguments: Map::from_iter([
                ("reasoning_effort".to_owned(), json!("none")),
                ("enable_thinking".to_owned(), json!(false)),
                ("add_date".to_owned(), json!(true)),
            ]),
            ..plain()
        };
        let expected = ChatRequest {
            model: Some("m".to_owned()),
            sampling: Sampling::greedy(),
            format: Format::JsonSchema(schema),
            choices: 2,
            logprobs: Some(3),
            max_tokens: Some(7),
            stop: vec!["END".to_owned()],
            ..ChatRequest::new(Prompt::Conversation(conversation))
        };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn neutral_values_are_as_if_left_out() {
        let request = chat_request(&with(json!({
            "tools": [], "functions": [], "n": 1, "logprobs": false, "top_logprobs": 0,
            "response_format": {"type": "text"}, "audio": null, "modalities": ["text"],
        })));
        let expected = ChatRequest::new(Prompt::Conversation(plain()));
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn names_the_field_at_fault() {
        let tool = json!([{"type": "function", "function": {"name": "f"}}]);
        let json_object = json!({"type": "json_object"});
        for (fields, field) in [
            (json!({"messages": null}), "messages"),
            (json!({"model": 7}), "model"),
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"max_tokens": -1}), "max_tokens"),
            (
                json!({"max_completion_tokens": "9"}),
                "max_completion_tokens",
            ),
            (json!({"n": 0}), "n"),
            (json!({"n": 129}), "n"),
            (json!({"logprobs": 3}), "logprobs"),
            (
                json!({"logprobs": true, "top_logprobs": 21}),
                "top_logprobs",
            ),
            (json!({"top_logprobs": 2}), "top_logprobs"),
            (json!({"response_format": {}}), "response_format.type"),
            (
                json!({"response_format": {"type": "xml"}}),
                "response_format.type",
            ),
            (
                json!({"response_format": {"type": "json_schema", "json_schema": {}}}),
                "response_format.json_schema.schema",
            ),
            (
                json!({"response_format": json_object, "tools": tool}),
                "response_format",
            ),
            (json!({"chat_template_kwargs": []}), "chat_template_kwargs"),
            (json!({"modalities": ["audio"]}), "modalities"),
            (json!({"prediction": {}}), "prediction"),
        ] {
            let body = with(fields);
            let error = chat_request(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
            assert!(error.message.contains(field), "{error}");
        }
    }
}
