//! The tools that a request offers.

use serde_json::json;

use crate::{
    BadRequest, Tool, ToolChoice,
    field::Field,
    openai::parameters::{IsNeutral, is_empty, refuse_unsupported},
};

/// The older way to offer tools.
const OLDER: [(&str, IsNeutral); 2] = [
    ("functions", is_empty),
    ("function_call", |choice| choice.value == "none"),
];

/// What the model may call.
pub(crate) fn tools(body: &Field<'_>) -> Result<Vec<Tool>, BadRequest> {
    refuse_unsupported(body, &OLDER)?;
    match body.get("tools") {
        Some(tools) => tools.items()?.iter().map(tool).collect(),
        None => Ok(Vec::new()),
    }
}

fn tool(tool: &Field<'_>) -> Result<Tool, BadRequest> {
    if tool.text("type")? != "function" {
        return Err(tool.unknown_type());
    }
    let function = tool.need("function")?;
    let description = function.get("description");
    let description = description.map(|text| text.string()).transpose()?;
    let parameters = match function.get("parameters") {
        Some(schema) => schema.object()?.clone().into(),
        None => json!({"type": "object", "properties": {}}),
    };
    Ok(Tool {
        name: name(&function)?,
        description: description.map(str::to_owned),
        parameters,
        strict: function
            .get("strict")
            .map_or(Ok(false), |strict| strict.boolean())?,
    })
}

fn name(function: &Field<'_>) -> Result<String, BadRequest> {
    match function.text("name")? {
        "" => Err(function.need("name")?.wrong("must not be empty")),
        name => Ok(name.to_owned()),
    }
}

/// Whether the model is to call one of these tools.
pub(crate) fn tool_choice(body: &Field<'_>, tools: &[Tool]) -> Result<ToolChoice, BadRequest> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(ToolChoice::Auto);
    };
    match choice.value.as_str() {
        Some("auto") => Ok(ToolChoice::Auto),
        Some("none") => Ok(ToolChoice::None),
        Some("required") if tools.is_empty() => {
            Err(choice.wrong("wants a tool, but there is none"))
        }
        Some("required") => Ok(ToolChoice::Required),
        Some(_) => Err(choice.wrong("must be `auto`, `none`, `required` or a function")),
        None if choice.text("type")? == "function" => {
            let function = choice.need("function")?;
            let name = name(&function)?;
            let is_there = tools.iter().any(|tool| tool.name == name);
            let missing = || {
                function
                    .need("name")
                    .map(|name| name.wrong("is no tool's name"))
            };
            if is_there {
                Ok(ToolChoice::Function(name))
            } else {
                Err(missing()?)
            }
        }
        None => Err(choice.unknown_type()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(body: &Value) -> Result<(Vec<Tool>, ToolChoice), BadRequest> {
        let body = Field::body(body);
        let tools = tools(&body)?;
        let choice = tool_choice(&body, &tools)?;
        Ok((tools, choice))
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
            let read = read(&json!({"tools": [], "tool_choice": choice, "functions": []}));
            assert_eq!(read, Ok((Vec::new(), ToolChoice::Auto)));
        }
    }

    #[test]
    fn names_the_field_at_fault() {
        let ls = || json!({"name": "ls"});
        for (body, field) in [
            (json!({"tools": {}}), "tools"),
            (json!({"tools": [{"type": "custom"}]}), "tools[0].type"),
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
            (json!({"functions": [{"name": "ls"}]}), "functions"),
        ] {
            let error = read(&body).expect_err("the request is refused");
            assert_eq!(error.field.as_deref(), Some(field), "{body}");
        }
    }
}
