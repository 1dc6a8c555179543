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
    let choice = omissions.or_omit(request.choice_among(|kind| kind.name().is_some()))?;
    let choice = choice.map(|choice| encoded(choice, request));
    Ok(object([
        ("tools", tools.into()),
        ("tool_choice", json!(choice)),
        ("parallel_tool_calls", json!(request.parallel_tool_calls)),
    ]))
}

/// A schema has to be followed here unless the tool says otherwise.
fn tool(spec: &ToolSpec) -> Option<Value> {
    let fields = match &spec.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => object([
            ("type", "function".into()),
            ("name", json!(name)),
            ("description", json!(description)),
            ("parameters", json!(parameters)),
            ("strict", strict.unwrap_or_default().into()),
        ]),
        ToolKind::Custom {
            name,
            description,
            format,
        } => object([
            ("type", "custom".into()),
            ("name", json!(name)),
            ("description", json!(description)),
            ("format", json!(format)),
        ]),
        ToolKind::Hosted(_) => return None,
    };
    Some(fields.into())
}

fn encoded(choice: &ToolChoice, request: &Request) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) if is_custom(name, request) => {
            json!({"type": "custom", "name": name})
        }
        ToolChoice::Function(name) => json!({"type": "function", "name": name}),
    }
}

/// Returns whether this tool takes any text.
pub(super) fn is_custom(name: &str, request: &Request) -> bool {
    let is_named =
        |kind: &ToolKind| matches!(kind, ToolKind::Custom { name: custom, .. } if custom == name);
    request.tools.iter().any(|tool| is_named(&tool.kind))
}
