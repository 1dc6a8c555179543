//! Tools and which of them to call.

use serde_json::{Value, json};

use super::super::without_nulls;
use crate::BadRequest;
use crate::field::Field;

/// The functions that these tools are, if there are any: `OpenAI` refuses an empty list.
pub(super) fn functions(tools: &Field<'_>) -> Result<Option<Vec<Value>>, BadRequest> {
    let functions: Vec<_> = tools
        .items()?
        .iter()
        .map(function)
        .collect::<Result<_, _>>()?;
    Ok(Some(functions).filter(|functions| !functions.is_empty()))
}

/// Tools of another type than `custom` have no schema: Anthropic's servers run them, or its models
/// know them by heart.
fn function(tool: &Field<'_>) -> Result<Value, BadRequest> {
    if tool.get("type").is_some_and(|kind| kind.value != "custom") {
        return Err(tool.unknown_type());
    }
    let function = without_nulls(json!({
        "name": tool.text("name")?,
        "description": tool.value["description"],
        "parameters": tool.need("input_schema")?.value,
        "strict": tool.value["strict"],
    }));
    Ok(json!({"type": "function", "function": function}))
}

/// The fields that say which tools to call, and how many at once.
pub(super) fn choice(choice: &Field<'_>) -> Result<Vec<(&'static str, Value)>, BadRequest> {
    let tools = match choice.text("type")? {
        "auto" => json!("auto"),
        "none" => json!("none"),
        "any" => json!("required"),
        "tool" => json!({"type": "function", "function": {"name": choice.text("name")?}}),
        _ => return Err(choice.unknown_type()),
    };
    let mut fields = vec![("tool_choice", tools)];
    if choice.value["disable_parallel_tool_use"] == true {
        fields.push(("parallel_tool_calls", json!(false)));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_tool_is_a_function() {
        let tools = json!([
            {"name": "a", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "name": "b", "description": "B.", "input_schema": {}, "strict": true},
        ]);
        let expected = vec![
            json!({"type": "function", "function": {
                "name": "a", "parameters": {"type": "object"},
            }}),
            json!({"type": "function", "function": {
                "name": "b", "description": "B.", "parameters": {}, "strict": true,
            }}),
        ];
        assert_eq!(functions(&Field::body(&tools)), Ok(Some(expected)));
        assert_eq!(functions(&Field::body(&json!([]))), Ok(None));
    }

    #[test]
    fn a_server_tool_is_refused_by_name() {
        let body = json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]});
        let tools = Field::body(&body).need("tools").expect("it is there");
        let error = functions(&tools).expect_err("the tool is refused");
        assert_eq!(error.field.as_deref(), Some("tools[0].type"));
        assert!(error.message.contains("web_search_20250305"), "{error}");
    }

    #[test]
    fn every_choice_has_its_form() {
        for (anthropic, openai) in [
            (
                json!({"type": "auto"}),
                vec![("tool_choice", json!("auto"))],
            ),
            (
                json!({"type": "none"}),
                vec![("tool_choice", json!("none"))],
            ),
            (
                json!({"type": "any", "disable_parallel_tool_use": true}),
                vec![
                    ("tool_choice", json!("required")),
                    ("parallel_tool_calls", json!(false)),
                ],
            ),
            (
                json!({"type": "tool", "name": "f"}),
                vec![(
                    "tool_choice",
                    json!({"type": "function", "function": {"name": "f"}}),
                )],
            ),
        ] {
            assert_eq!(choice(&Field::body(&anthropic)), Ok(openai), "{anthropic}");
        }
        assert!(choice(&Field::body(&json!({"type": "some"}))).is_err());
    }
}
