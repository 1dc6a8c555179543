//! The tools that the built-in model may call.

use serde_json::json;

use crate::{
    BadRequest, Request, Tool, ToolChoice, ToolKind, ToolSpec, encode_request::unsupported_tool,
};

/// What the model may call.
pub(super) fn tools(request: &Request) -> Result<Vec<Tool>, BadRequest> {
    request.tools.iter().map(tool).collect()
}

fn tool(spec: &ToolSpec) -> Result<Tool, BadRequest> {
    let ToolKind::Function {
        name,
        description,
        parameters,
        strict,
    } = &spec.kind
    else {
        return Err(unsupported_tool(spec));
    };
    let without_parameters = || json!({"type": "object", "properties": {}});
    Ok(Tool {
        name: name.clone(),
        description: description.clone(),
        parameters: parameters.clone().unwrap_or_else(without_parameters),
        strict: strict.unwrap_or_default(),
    })
}

/// Whether the model is to call one of these tools.
pub(super) fn tool_choice(request: &Request) -> Result<ToolChoice, BadRequest> {
    let choice = request.choice_among(ToolKind::is_function)?;
    if choice == Some(&ToolChoice::Required) && request.tools.is_empty() {
        let problem = "wants a tool, but there is none";
        return Err(BadRequest::field(request.places.tool_choice, problem));
    }
    Ok(choice.cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::chat_completions::decode_request;

    fn read(body: &Value) -> Result<(Vec<Tool>, ToolChoice), BadRequest> {
        let mut body = body.clone();
        body["messages"] = json!([]);
        let request = decode_request(&body)?;
        Ok((tools(&request)?, tool_choice(&request)?))
    }

    fn with_tool(function: &Value, choice: &Value) -> Value {
        json!({"tools": [{"type": "function", "function": function}], "tool_choice": choice})
    }

    #[test]
    fn a_function_is_a_tool() {
        let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        let full = json!({
            "name": "ls", "description": "Lists.", "parameters": schema, "strict": true,
        });
        let choice = json!({"type": "function", "function": {"name": "ls"}});
        let (tools, choice) = read(&with_tool(&full, &choice)).expect("the request is good");
        let expected = Tool {
            name: "ls".to_owned(),
            description: Some("Lists.".to_owned()),
            parameters: schema,
            strict: true,
        };
        assert_eq!(tools, [expected]);
        assert_eq!(choice, ToolChoice::Function("ls".to_owned()));
        let (tools, _) = read(&with_tool(&json!({"name": "pwd"}), &json!(null))).expect("is good");
        assert_eq!(tools[0].parameters["type"], "object");
    }

    #[test]
    fn a_choice_without_tools_is_none() {
        for choice in [json!(null), json!("auto")] {
            let read = read(&json!({"tools": [], "tool_choice": choice}));
            assert_eq!(read, Ok((Vec::new(), ToolChoice::Auto)));
        }
    }

    #[test]
    fn names_the_field_at_fault() {
        let ls = || json!({"name": "ls"});
        for (body, field) in [
            (json!({"tools": {}}), "tools"),
            (
                json!({"tools": [{"type": "custom", "custom": {"name": "f"}}]}),
                "tools[0].type",
            ),
            (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
            (
                json!({"tools": [{"type": "function"}]}),
                "tools[0].function",
            ),
            (
                with_tool(&json!({}), &json!(null)),
                "tools[0].function.name",
            ),
            (
                with_tool(&json!({"name": ""}), &json!(null)),
                "tools[0].function.name",
            ),
            (
                with_tool(&json!({"name": "f", "parameters": []}), &json!(null)),
                "tools[0].function.parameters",
            ),
            (
                with_tool(&json!({"name": "f", "strict": 1}), &json!(null)),
                "tools[0].function.strict",
            ),
            (with_tool(&ls(), &json!("maybe")), "tool_choice"),
            (
                with_tool(&ls(), &json!({"type": "allowed_tools"})),
                "tool_choice.type",
            ),
            (
                with_tool(
                    &ls(),
                    &json!({"type": "function", "function": {"name": "cd"}}),
                ),
                "tool_choice.function.name",
            ),
            (json!({"tool_choice": "required"}), "tool_choice"),
        ] {
            let error = read(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }
}
