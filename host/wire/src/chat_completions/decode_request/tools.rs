//! Tools and which of them to call.

use serde_json::{Value, json};

use crate::{BadRequest, ToolChoice, ToolKind, ToolSpec, field::Field};

/// Decodes the tools that the model may call.
pub(super) fn tools(body: &Field<'_>) -> Result<Vec<ToolSpec>, BadRequest> {
    match body.get("tools") {
        Some(tools) => tools.items()?.iter().map(tool).collect(),
        None => Ok(Vec::new()),
    }
}

fn tool(tool: &Field<'_>) -> Result<ToolSpec, BadRequest> {
    let kind = match tool.text("type")? {
        "function" => function(&tool.need("function")?)?,
        "custom" => custom(&tool.need("custom")?)?,
        _ => ToolKind::Hosted(tool.value.clone()),
    };
    let place = tool.place();
    Ok(ToolSpec { kind, place })
}

fn function(function: &Field<'_>) -> Result<ToolKind, BadRequest> {
    let parameters = function.get("parameters");
    let parameters = parameters.map(|schema| schema.object()).transpose()?;
    Ok(ToolKind::Function {
        name: function.name()?,
        description: function.optional_text("description")?,
        parameters: parameters.cloned().map(Value::Object),
        strict: function.optional_boolean("strict")?,
    })
}

fn custom(custom: &Field<'_>) -> Result<ToolKind, BadRequest> {
    Ok(ToolKind::Custom {
        name: custom.name()?,
        description: custom.optional_text("description")?,
        format: custom.get("format").map(|format| flat_format(format.value)),
    })
}

/// Here a grammar is an object of its own; in the model its fields stand beside the type.
fn flat_format(format: &Value) -> Value {
    let grammar = &format["grammar"];
    if !grammar.is_object() {
        return format.clone();
    }
    json!({
        "type": format["type"],
        "syntax": grammar["syntax"],
        "definition": grammar["definition"],
    })
}

/// Decodes whether the model is to call a tool.
pub(super) fn choice(body: &Field<'_>) -> Result<Option<ToolChoice>, BadRequest> {
    let Some(choice) = body.get("tool_choice") else {
        return Ok(None);
    };
    Ok(Some(match choice.value.as_str() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("required") => ToolChoice::Required,
        Some(_) => return Err(choice.wrong("must be `auto`, `none`, `required` or a function")),
        None if choice.text("type")? == "function" => {
            ToolChoice::Function(choice.need("function")?.name()?)
        }
        None => return Err(choice.unknown_type()),
    }))
}
