//! Tools and which of them to call.

use serde_json::{Value, json};

use super::super::without_nulls;
use crate::BadRequest;
use crate::field::Field;

/// The tools that these functions are, if there are any.
pub(super) fn tools(tools: &Field<'_>) -> Result<Option<Vec<Value>>, BadRequest> {
    let tools: Vec<_> = tools.items()?.iter().map(tool).collect::<Result<_, _>>()?;
    Ok(Some(tools).filter(|tools| !tools.is_empty()))
}

fn tool(tool: &Field<'_>) -> Result<Value, BadRequest> {
    if tool.text("type")? != "function" {
        return Err(tool.unknown_type());
    }
    let function = tool.need("function")?;
    let without_parameters = json!({"type": "object", "properties": {}});
    let parameters = function.get("parameters");
    Ok(without_nulls(json!({
        "name": function.text("name")?,
        "description": function.value["description"],
        "input_schema": parameters.map_or(&without_parameters, |parameters| parameters.value),
        "strict": function.value["strict"],
    })))
}

/// Which tools to call, and how many at once. Without tools there is nothing to choose.
pub(super) fn choice(body: &Field<'_>) -> Result<Option<Value>, BadRequest> {
    let has_tools = body.value["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    let one_at_a_time = body.value["parallel_tool_calls"] == false;
    let choice = match body.get("tool_choice") {
        Some(choice) => named_choice(&choice)?,
        None if one_at_a_time => json!({"type": "auto"}),
        None => return Ok(None),
    };
    let calls_some = choice["type"] != "none";
    let mut choice = Some(choice).filter(|_| has_tools);
    if let Some(choice) = choice.as_mut().filter(|_| one_at_a_time && calls_some) {
        choice["disable_parallel_tool_use"] = json!(true);
    }
    Ok(choice)
}

fn named_choice(choice: &Field<'_>) -> Result<Value, BadRequest> {
    match choice.value.as_str() {
        Some("auto") => Ok(json!({"type": "auto"})),
        Some("none") => Ok(json!({"type": "none"})),
        Some("required") => Ok(json!({"type": "any"})),
        Some(_) => Err(choice.wrong("must be `auto`, `none`, `required` or a function")),
        None if choice.text("type")? == "function" => {
            let name = choice.need("function")?.text("name")?;
            Ok(json!({"type": "tool", "name": name}))
        }
        None => Err(choice.unknown_type()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice_of(choice: &Value, parallel: bool) -> Option<Value> {
        let body = json!({
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": choice, "parallel_tool_calls": parallel,
        });
        super::choice(&Field::body(&body)).expect("the choice is good")
    }

    #[test]
    fn a_function_is_a_custom_tool() {
        let functions = json!([
            {"type": "function", "function": {"name": "a"}},
            {"type": "function", "function": {
                "name": "b", "description": "B.", "parameters": {"type": "object"}, "strict": true,
            }},
        ]);
        let expected = vec![
            json!({"name": "a", "input_schema": {"type": "object", "properties": {}}}),
            json!({
                "name": "b", "description": "B.", "input_schema": {"type": "object"}, "strict": true,
            }),
        ];
        assert_eq!(tools(&Field::body(&functions)), Ok(Some(expected)));
        assert_eq!(tools(&Field::body(&json!([]))), Ok(None));
    }

    #[test]
    fn a_tool_of_another_type_is_refused_by_name() {
        let body = json!({"tools": [{"type": "custom", "custom": {"name": "f"}}]});
        let field = Field::body(&body).need("tools").expect("it is there");
        let error = tools(&field).expect_err("the tool is refused");
        assert_eq!(error.field.as_deref(), Some("tools[0].type"));
    }

    #[test]
    fn every_choice_has_its_form() {
        let function = json!({"type": "function", "function": {"name": "f"}});
        for (openai, parallel, anthropic) in [
            (json!("auto"), true, json!({"type": "auto"})),
            (json!("required"), true, json!({"type": "any"})),
            (json!("none"), false, json!({"type": "none"})),
            (
                function,
                false,
                json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
            ),
            (
                Value::Null,
                false,
                json!({"type": "auto", "disable_parallel_tool_use": true}),
            ),
        ] {
            assert_eq!(choice_of(&openai, parallel), Some(anthropic), "{openai}");
        }
        assert_eq!(choice_of(&Value::Null, true), None);
    }

    #[test]
    fn without_tools_there_is_nothing_to_choose() {
        let body = json!({"tool_choice": "auto", "parallel_tool_calls": false});
        assert_eq!(choice(&Field::body(&body)), Ok(None));
    }
}
