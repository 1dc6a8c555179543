//! Tools and which of them to call.

use serde_json::Value;

use crate::{BadRequest, ToolChoice, ToolKind, ToolSpec, field::Field, responses::namespace};

/// Decodes the tools that the model may call, and whether it is to call one. Those that only
/// `OpenAI` runs are left out.
pub(super) fn tools(
    body: &Field<'_>,
    left_out: &mut Vec<String>,
) -> Result<(Vec<ToolSpec>, Option<ToolChoice>), BadRequest> {
    let mut tools = Vec::new();
    if let Some(offered) = body.get("tools") {
        for tool in offered.items()? {
            push(&tool, None, &mut tools, left_out)?;
        }
    }
    let choice = body.get("tool_choice").map(|choice| {
        if choice.value["type"] == "allowed_tools" {
            return allowed(&choice, &mut tools);
        }
        self::choice(&choice)
    });
    Ok((tools, choice.transpose()?))
}

/// Adds a tool, which may be in a namespace, or all tools of one.
fn push(
    tool: &Field<'_>,
    space: Option<&str>,
    tools: &mut Vec<ToolSpec>,
    left_out: &mut Vec<String>,
) -> Result<(), BadRequest> {
    let kind = match tool.text("type")? {
        "function" => function(tool, space)?,
        "custom" => custom(tool, space)?,
        "namespace" if space.is_none() => {
            let space = tool.name()?;
            for tool in tool.need("tools")?.items()? {
                push(&tool, Some(&space), tools, left_out)?;
            }
            return Ok(());
        }
        _ => {
            left_out.push(tool.place());
            return Ok(());
        }
    };
    let place = tool.place();
    tools.push(ToolSpec { kind, place });
    Ok(())
}

fn function(tool: &Field<'_>, space: Option<&str>) -> Result<ToolKind, BadRequest> {
    let parameters = tool.get("parameters");
    let parameters = parameters.map(|schema| schema.object()).transpose()?;
    Ok(ToolKind::Function {
        name: name(tool, space)?,
        description: tool.optional_text("description")?,
        parameters: parameters.cloned().map(Value::Object),
        strict: tool.optional_boolean("strict")?,
    })
}

fn custom(tool: &Field<'_>, space: Option<&str>) -> Result<ToolKind, BadRequest> {
    Ok(ToolKind::Custom {
        name: name(tool, space)?,
        description: tool.optional_text("description")?,
        format: tool.get("format").map(|format| format.value.clone()),
    })
}

fn name(tool: &Field<'_>, space: Option<&str>) -> Result<String, BadRequest> {
    let name = tool.name()?;
    Ok(match space {
        Some(space) => namespace::flat(space, &name),
        None => name,
    })
}

fn choice(choice: &Field<'_>) -> Result<ToolChoice, BadRequest> {
    match choice.value.as_str() {
        Some(mode) => self::mode(mode)
            .ok_or_else(|| choice.wrong("must be `auto`, `none`, `required` or a tool")),
        None if matches!(choice.text("type")?, "function" | "custom") => {
            Ok(ToolChoice::Function(choice.name()?))
        }
        None => Err(choice.unknown_type()),
    }
}

fn mode(mode: &str) -> Option<ToolChoice> {
    match mode {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    }
}

/// Decodes a choice among some of the tools, and removes the others.
fn allowed(choice: &Field<'_>, tools: &mut Vec<ToolSpec>) -> Result<ToolChoice, BadRequest> {
    let mode = choice.need("mode")?;
    let found = self::mode(mode.string()?);
    let found = found.ok_or_else(|| mode.wrong("must be `auto` or `required`"))?;
    let allowed = choice.need("tools")?.items()?;
    let names: Result<Vec<_>, _> = allowed
        .iter()
        .map(|tool| tool.optional_text("name"))
        .collect();
    let names: Vec<_> = names?.into_iter().flatten().collect();
    tools.retain(|tool| {
        let name = tool.kind.name();
        name.is_some_and(|name| names.iter().any(|allowed| allowed == name))
    });
    Ok(found)
}
