//! Whether the model is to think, and the room that it needs for that.

use serde_json::{Map, Value, json};

use super::turns::Turn;
use crate::{BadRequest, Effort, Request, encode_request::Omissions};

/// Encodes the effort that the client wishes. The wish yields where Anthropic refuses thinking:
/// under a forced tool, under sampling settings, and within a turn of tool calls whose thoughts
/// are not there, signed.
pub(super) fn thinking(
    request: &Request,
    turns: &[Turn],
    tools: &Map<String, Value>,
    omissions: &mut Omissions,
) -> Result<Value, BadRequest> {
    let Some(effort) = &request.effort else {
        return Ok(Value::Null);
    };
    if *effort == Effort::None {
        return Ok(json!({"type": "disabled"}));
    }
    let place = request.places.effort;
    let budget = effort.budget().map(Some);
    let unknown = || BadRequest::field(place, "is no effort that the model's server knows");
    match omissions.or_omit(budget.ok_or_else(unknown))? {
        Some(0) | None => Ok(Value::Null),
        Some(_) if is_refused(request, turns, tools) => {
            omissions.leave_out(place);
            Ok(Value::Null)
        }
        Some(budget) => Ok(json!({"type": "enabled", "budget_tokens": budget})),
    }
}

fn is_refused(request: &Request, turns: &[Turn], tools: &Map<String, Value>) -> bool {
    let choice = tools.get("tool_choice");
    let forced = choice.is_some_and(|choice| choice["type"] == "any" || choice["type"] == "tool");
    let mut sampling = ["temperature", "top_p"].into_iter();
    let sampled = sampling.any(|name| request.fields.contains_key(name));
    forced || sampled || calls_without_reasoning(turns)
}

/// Whether the last turn answers calls whose thoughts are not there.
fn calls_without_reasoning(turns: &[Turn]) -> bool {
    match turns {
        [.., calling, results] if results.holds_result() => !calling.begins_with_reasoning(),
        turns => turns.last().is_some_and(Turn::holds_result),
    }
}

/// Returns a limit that exceeds the budget for thinking, as it must; one that does not is taken to
/// mean the answer alone.
pub(super) fn limit_above(limit: u64, thinking: &Value) -> u64 {
    match thinking["budget_tokens"].as_u64() {
        Some(budget) if limit <= budget => limit.saturating_add(budget),
        _ => limit,
    }
}
