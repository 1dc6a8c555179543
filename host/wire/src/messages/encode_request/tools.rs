//! Tools and which of them to call.

use serde_json::{Map, Value, json};

use crate::{
    BadRequest, Request, ToolChoice, ToolKind, ToolSpec,
    encode_request::{Omissions, object, unsupported_tool},
};

/// Encodes the fields for tools. Without tools there is nothing to choose.
pub(super) fn tools(
    request: &Request,
    omissions: &mut Omissions,
) -> Result<Map<String, Value>, BadRequest> {
    let mut tools = Vec::new();
    for spec in &request.tools {
        match tool(spec) {
            Some(tool) => tools.push(tool),
            None => omissions.refuse(unsupported_tool(spec))?,
        }
    }
    if tools.is_empty() {
        return Ok(Map::new());
    }
    let choice = omissions.or_omit(request.choice_among(ToolKind::is_function))?;
    Ok(object([
        ("tools", tools.into()),
        ("tool_choice", encoded(choice, request.parallel_tool_calls)),
    ]))
}

fn tool(spec: &ToolSpec) -> Option<Value> {
    let ToolKind::Function {
        name,
        description,
        parameters,
        strict,
    } = &spec.kind
    else {
        return None;
    };
    let without_parameters = json!({"type": "object", "properties": {}});
    let tool = object([
        ("name", json!(name)),
        ("description", json!(description)),
        (
            "input_schema",
            json!(parameters.as_ref().unwrap_or(&without_parameters)),
        ),
        ("strict", json!(strict)),
    ]);
    Some(tool.into())
}

/// Which tools to call, and how many at once.
fn encoded(choice: Option<&ToolChoice>, parallel: Option<bool>) -> Value {
    let one_at_a_time = parallel == Some(false);
    let mut encoded = match choice {
        Some(ToolChoice::None) => return json!({"type": "none"}),
        None if !one_at_a_time => return Value::Null,
        None | Some(ToolChoice::Auto) => json!({"type": "auto"}),
        Some(ToolChoice::Required) => json!({"type": "any"}),
        Some(ToolChoice::Function(name)) => json!({"type": "tool", "name": name}),
    };
    if one_at_a_time {
        encoded["disable_parallel_tool_use"] = true.into();
    }
    encoded
}
