//! From the model of requests to what the built-in model is asked.

use serde_json::{Map, Value, json};

use super::{
    conversation::messages,
    tools::{tool_choice, tools},
};
use crate::{
    BadRequest, ChatRequest, Conversation, Format, OutputFormat, Prompt, Request, ToolChoice,
    field::Field,
    openai::parameters::{
        IsNeutral, choices, is_empty, refuse_unsupported, refuse_unusable_stops, sampling,
    },
};

/// Fields that change the answer, each with the values under which it does not. The fields that
/// are neither read nor here (`metadata`, `store`, …) change nothing.
const UNSUPPORTED: [(&str, IsNeutral); 7] = [
    ("audio", |_| false),
    ("modalities", |kinds| *kinds == json!(["text"])),
    ("prediction", |_| false),
    ("web_search_options", |_| false),
    ("functions", is_empty),
    ("function_call", |choice| choice == "none"),
    ("mcp_servers", is_empty),
];

impl ChatRequest {
    /// Takes from a request what the built-in model can do, and refuses what it could not honour.
    ///
    /// # Errors
    /// Names the first field that is of the wrong type, out of range or not supported.
    pub fn from_request(request: &Request) -> Result<Self, BadRequest> {
        let fields = Value::Object(request.fields.clone());
        let fields = Field::body(&fields);
        refuse_unsupported(&fields, &UNSUPPORTED)?;
        refuse_unusable_stops(&request.stop, request.places.stop)?;
        let conversation = conversation(request, &fields)?;
        Ok(Self {
            model: request.model.clone(),
            sampling: sampling(&fields)?,
            format: format(request, &conversation)?,
            choices: choices(&fields)?,
            logprobs: logprobs(&fields)?,
            max_tokens: max_tokens(request)?,
            stop: request.stop.clone(),
            ..Self::new(Prompt::Conversation(conversation))
        })
    }
}

fn conversation(request: &Request, fields: &Field<'_>) -> Result<Conversation, BadRequest> {
    Ok(Conversation {
        messages: messages(request)?,
        tools: tools(request)?,
        tool_choice: tool_choice(request)?,
        parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
        template_arguments: template_arguments(request, fields)?,
    })
}

/// Templates have no common name for how hard a model thinks; whether it does at all is
/// `enable_thinking` to most.
fn template_arguments(
    request: &Request,
    fields: &Field<'_>,
) -> Result<Map<String, Value>, BadRequest> {
    let mut arguments = Map::new();
    if let Some(effort) = &request.effort {
        let effort = effort.word();
        arguments.insert("reasoning_effort".to_owned(), effort.into());
        if effort == "none" {
            arguments.insert("enable_thinking".to_owned(), false.into());
        }
    }
    if let Some(named) = fields.get("chat_template_kwargs") {
        arguments.extend(named.object()?.clone());
    }
    Ok(arguments)
}

fn format(request: &Request, conversation: &Conversation) -> Result<Format, BadRequest> {
    let offers_tools =
        !conversation.tools.is_empty() && conversation.tool_choice != ToolChoice::None;
    match &request.format {
        OutputFormat::Text => Ok(Format::Text),
        _ if offers_tools => {
            let problem = "cannot be had together with `tools`";
            Err(BadRequest::field(request.places.format, problem))
        }
        OutputFormat::JsonObject => Ok(Format::JsonObject),
        OutputFormat::JsonSchema { schema, .. } => Ok(Format::JsonSchema(schema.clone())),
    }
}

/// `top_logprobs` says how many others are told, if `logprobs` wants any told.
fn logprobs(fields: &Field<'_>) -> Result<Option<u8>, BadRequest> {
    let wanted = fields.optional_boolean("logprobs")?.unwrap_or_default();
    let others = fields.get("top_logprobs");
    let count = match &others {
        Some(others) => others.integer(0..=20, "from 0 to 20")?,
        None => 0,
    };
    match others {
        Some(others) if count > 0 && !wanted => Err(others.wrong("wants `logprobs` to be true")),
        _ => Ok(wanted.then_some(count)),
    }
}

fn max_tokens(request: &Request) -> Result<Option<u32>, BadRequest> {
    let Some(limit) = request.max_tokens else {
        return Ok(None);
    };
    if let Ok(limit @ 1..) = u32::try_from(limit) {
        return Ok(Some(limit));
    }
    let problem = format!("is {limit}, but must be a whole number from 1 on");
    Err(BadRequest::field(request.places.max_tokens, &problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, Role, Sampling, Tool, chat_completions, messages};

    fn chat_request(body: &Value) -> Result<ChatRequest, BadRequest> {
        ChatRequest::from_request(&chat_completions::decode_request(body)?)
    }

    fn messages_request(body: &Value) -> Result<ChatRequest, BadRequest> {
        ChatRequest::from_request(&messages::decode_request(body)?)
    }

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
            (json!({"functions": [{"name": "f"}]}), "functions"),
            (json!({"stop": ["a", ""]}), "stop"),
        ] {
            let body = with(fields);
            let error = chat_request(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
            assert!(error.message.contains(field), "{error}");
        }
    }
    #[test]
    fn names_the_field_at_fault_as_anthropic_does() {
        let schema = json!({"type": "object"});
        let tool = json!({"name": "f", "input_schema": schema});
        let format = json!({"type": "json_schema", "schema": schema});
        for (fields, field) in [
            (json!({"messages": []}), "messages"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"stop_sequences": ["a", ""]}), "stop_sequences"),
            (json!({"tool_choice": {"type": "any"}}), "tool_choice"),
            (
                json!({"tools": [tool], "tool_choice": {"type": "tool", "name": "g"}}),
                "tool_choice.name",
            ),
            (
                json!({"tools": [tool], "output_config": {"format": format}}),
                "output_config.format",
            ),
            (
                json!({"tools": [tool], "output_format": format}),
                "output_format",
            ),
            (
                json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}),
                "tools[0].type",
            ),
            (json!({"mcp_servers": [{"type": "url"}]}), "mcp_servers"),
        ] {
            let error = messages_request(&with(fields)).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{error}");
        }
    }

    #[test]
    fn thinking_is_what_the_template_is_told() {
        let arguments = |thinking: Value| {
            let request = messages_request(&with(json!({ "thinking": thinking })));
            match request.expect("the request is good").prompt {
                Prompt::Conversation(conversation) => Value::from(conversation.template_arguments),
                Prompt::Text(_) => panic!("a conversation has no prompt of text"),
            }
        };
        let disabled = json!({"reasoning_effort": "none", "enable_thinking": false});
        assert_eq!(arguments(json!({"type": "disabled"})), disabled);
        let enabled = json!({"type": "enabled", "budget_tokens": 5000});
        assert_eq!(arguments(enabled), json!({"reasoning_effort": "medium"}));
        assert_eq!(arguments(json!({"type": "adaptive"})), json!({}));
    }
}
