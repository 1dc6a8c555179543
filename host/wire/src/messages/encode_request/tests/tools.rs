use serde_json::{Value, json};

use super::{refused, translated, with};

#[test]
fn a_function_is_a_custom_tool_of_anthropic() {
    let functions = json!([
        {"type": "function", "function": {"name": "a"}},
        {"type": "function", "function": {
            "name": "b", "description": "B.", "parameters": {"type": "object"}, "strict": true,
        }},
    ]);
    let expected = json!([
        {"name": "a", "input_schema": {"type": "object", "properties": {}}},
        {"name": "b", "description": "B.", "input_schema": {"type": "object"}, "strict": true},
    ]);
    assert_eq!(translated(&with("tools", functions))["tools"], expected);
    assert_eq!(translated(&with("tools", json!([]))).get("tools"), None);
}

#[test]
fn a_tool_of_another_type_is_refused_by_name() {
    for tool in [
        json!({"type": "custom", "custom": {"name": "f"}}),
        json!({"type": "web_search"}),
    ] {
        let error = refused(&with("tools", json!([tool])));
        assert_eq!(error.field.as_deref(), Some("tools[0].type"));
    }
}

#[test]
fn every_choice_has_its_form() {
    let function = json!({"type": "function", "function": {"name": "f"}});
    for (openai, parallel, anthropic) in [
        (json!("auto"), true, json!({"type": "auto"})),
        (json!("required"), true, json!({"type": "any"})),
        (json!("none"), false, json!({"type": "none"})),
        (
            function.clone(),
            false,
            json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true}),
        ),
        (
            Value::Null,
            false,
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (Value::Null, true, Value::Null),
    ] {
        let mut body = with("tools", json!([function]));
        body["tool_choice"] = openai;
        body["parallel_tool_calls"] = parallel.into();
        assert_eq!(translated(&body)["tool_choice"], anthropic, "{body}");
    }
}

#[test]
fn without_tools_there_is_nothing_to_choose() {
    let mut body = with("tool_choice", json!("auto"));
    body["parallel_tool_calls"] = json!(false);
    assert_eq!(translated(&body).get("tool_choice"), None);
}
