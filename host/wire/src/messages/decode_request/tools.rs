//! Tools and which of them to call.

use serde_json::Value;

use crate::{BadRequest, ToolChoice, ToolKind, ToolSpec, field::Field};

/// Decodes the tools that the model may call.
pub(super) fn tools(body: &Field<'_>) -> Result<Vec<ToolSpec>, BadRequest> {
    match body.get("tools") {
        Some(tools) => tools.items()?.iter().map(tool).collect(),
        None => Ok(Vec::new()),
    }
}

/// Tools of another type than `custom` have no schema: Anthropic's servers run them, or its models
/// know them by heart.
fn tool(tool: &Field<'_>) -> Result<ToolSpec, BadRequest> {
    let kind = match tool.get("type") {
        Some(kind) if kind.string()? != "custom" => ToolKind::Hosted(tool.value.clone()),
        _ => function(tool)?,
    };
    let place = tool.place();
    Ok(ToolSpec { kind, place })
}

fn function(tool: &Field<'_>) -> Result<ToolKind, BadRequest> {
    let schema = tool.need("input_schema")?.object()?;
    Ok(ToolKind::Function {
        name: tool.name()?,
        description: tool.optional_text("description")?,
        parameters: Some(Value::Object(schema.clone())),
        strict: tool.optional_boolean("strict")?,
    })
}

/// Decodes whether the model is to call a tool.
pub(super) fn choice(body: &Field<'_>) -> Result<Option<ToolChoice>, BadRequest> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(None);
    };
    Ok(Some(match choice.text("type")? {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Function(choice.name()?),
        _ => return Err(choice.unknown_type()),
    }))
}

/// Decodes whether the model may call several tools in one answer, if the client forbids it.
pub(super) fn parallel_calls(body: &Field<'_>) -> Option<bool> {
    let choice = body.get("tool_choice")?;
    (choice.value["disable_parallel_tool_use"] == true).then_some(false)
}
