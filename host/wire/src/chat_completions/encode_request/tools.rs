//! Tools and which of them to call.

use serde_json::{Map, Value, json};

use crate::{
    BadRequest, Request, ToolChoice, ToolKind, ToolSpec,
    encode_request::{Omissions, object, unsupported_tool},
};

/// Encodes the fields for tools. Without tools there is nothing to choose, and `OpenAI` refuses an
/// empty list.
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
    let choice = omissions.or_omit(request.choice_among(|kind| kind.name().is_some()))?;
    Ok(object([
        ("tools", tools.into()),
        (
            "tool_choice",
            json!(choice.map(|choice| encoded(choice, request))),
        ),
        ("parallel_tool_calls", json!(request.parallel_tool_calls)),
    ]))
}

fn tool(spec: &ToolSpec) -> Option<Value> {
    match &spec.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            let function = object([
                ("name", json!(name)),
                ("description", json!(description)),
                ("parameters", json!(parameters)),
                ("strict", json!(strict)),
            ]);
            Some(json!({"type": "function", "function": function}))
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            let custom = object([
                ("name", json!(name)),
                ("description", json!(description)),
                ("format", json!(format.as_ref().map(nested_format))),
            ]);
            Some(json!({"type": "custom", "custom": custom}))
        }
        ToolKind::Hosted(_) => None,
    }
}

/// In the model a grammar's fields stand beside the type; here it is an object of its own.
fn nested_format(format: &Value) -> Value {
    if format["type"] != "grammar" {
        return format.clone();
    }
    let grammar = json!({"syntax": format["syntax"], "definition": format["definition"]});
    json!({"type": "grammar", "grammar": grammar})
}

fn encoded(choice: &ToolChoice, request: &Request) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) if is_custom(name, request) => {
            json!({"type": "custom", "custom": {"name": name}})
        }
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

/// Whether this tool takes any text.
pub(super) fn is_custom(name: &str, request: &Request) -> bool {
    let is_named =
        |kind: &ToolKind| matches!(kind, ToolKind::Custom { name: custom, .. } if custom == name);
    request.tools.iter().any(|tool| is_named(&tool.kind))
}
