//! Which responses are whole.

use serde_json::Value;

use crate::{
    Incomplete,
    complete::{is_there, no_error, not_cut, parsable},
};

/// Items that the model writes itself. Calls among them are run by the client.
const OWN_ITEMS: [&str; 7] = [
    "message",
    "reasoning",
    "compaction",
    "function_call",
    "custom_tool_call",
    "local_shell_call",
    "apply_patch_call",
];

/// Checks whether this document is a whole answer. That a hosted tool was used is found last: it is
/// all that is wrong then.
pub(crate) fn check(document: &Value) -> Result<(), Incomplete> {
    let output = document["output"].as_array();
    let output = output.ok_or(Incomplete::NotAnAnswer)?;
    let is_out_of_tokens = ended(document)?;
    output
        .iter()
        .try_for_each(|item| good_item(item, is_out_of_tokens))?;
    let ends_with_call = output.last().is_some_and(is_call);
    not_cut(is_out_of_tokens && ends_with_call)?;
    let is_own = |item: &Value| OWN_ITEMS.iter().any(|kind| item["type"] == *kind);
    let uses_none = output.iter().all(is_own);
    uses_none.then_some(()).ok_or(Incomplete::HostedTool)
}

/// Checks how a response ended, and returns whether the token limit ended it.
fn ended(document: &Value) -> Result<bool, Incomplete> {
    let reason = &document["incomplete_details"]["reason"];
    match document["status"].as_str() {
        Some("completed") if reason.is_null() => Ok(false),
        Some("incomplete") if reason == "max_output_tokens" => Ok(true),
        Some(_) => Err(Incomplete::BadEnd),
        None => Err(Incomplete::NoFinishReason),
    }
}

fn good_item(item: &Value, is_out_of_tokens: bool) -> Result<(), Incomplete> {
    is_there(item["type"].is_string())?;
    no_error(item)?;
    match item["status"].as_str() {
        None | Some("completed") => {}
        Some("incomplete") if is_out_of_tokens => not_cut(is_call(item))?,
        Some("failed") => return Err(Incomplete::ErrorEvent),
        Some(_) => return Err(Incomplete::BadEnd),
    }
    if is_call(item) {
        return good_call(item);
    }
    let parts = item["content"].as_array().into_iter().flatten();
    let refuses = parts.into_iter().any(|part| part["type"] == "refusal");
    (!refuses).then_some(()).ok_or(Incomplete::BadEnd)
}

/// Whether an item is a call of a tool that the client runs by its name.
fn is_call(item: &Value) -> bool {
    item["type"] == "function_call" || item["type"] == "custom_tool_call"
}

fn good_call(item: &Value) -> Result<(), Incomplete> {
    let is_named = item["name"].as_str().is_some_and(|name| !name.is_empty());
    is_named.then_some(()).ok_or(Incomplete::NamelessCall)?;
    item["arguments"].as_str().map_or(Ok(()), parsable)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed(output: &Value) -> Value {
        json!({"status": "completed", "error": null, "incomplete_details": null, "output": output})
    }

    fn out_of_tokens(output: &Value) -> Value {
        let details = json!({"reason": "max_output_tokens"});
        json!({"status": "incomplete", "incomplete_details": details, "output": output})
    }

    fn message(part: &Value) -> Value {
        json!({"type": "message", "status": "completed", "content": [part]})
    }

    fn call(arguments: &str) -> Value {
        json!({"type": "function_call", "name": "f", "call_id": "1", "arguments": arguments})
    }

    #[test]
    fn whole_responses_pass() {
        let text = message(&json!({"type": "output_text", "text": "a"}));
        let custom = json!({"type": "custom_tool_call", "name": "f", "input": "{"});
        let mut cut = text.clone();
        cut["status"] = json!("incomplete");
        for document in [
            completed(&json!([])),
            completed(&json!([{"type": "reasoning", "summary": []}, text])),
            completed(&json!([call("{}"), call(""), custom])),
            out_of_tokens(&json!([call("{}"), cut])),
            out_of_tokens(&json!([{"type": "reasoning", "summary": []}])),
        ] {
            assert_eq!(check(&document), Ok(()), "{document}");
        }
    }

    #[test]
    fn others_say_what_they_lack() {
        let refusal = message(&json!({"type": "refusal", "refusal": "No."}));
        let mut running = message(&json!({"type": "output_text", "text": "a"}));
        running["status"] = json!("in_progress");
        let nameless = json!({"type": "function_call", "arguments": "{}"});
        let failed = json!({"type": "mcp_call", "status": "failed"});
        for (document, reason) in [
            (json!({"status": "completed"}), Incomplete::NotAnAnswer),
            (completed(&json!([1])), Incomplete::NotAnAnswer),
            (json!({"output": []}), Incomplete::NoFinishReason),
            (completed(&json!([refusal])), Incomplete::BadEnd),
            (completed(&json!([running])), Incomplete::BadEnd),
            (completed(&json!([nameless])), Incomplete::NamelessCall),
            (
                completed(&json!([call("{")])),
                Incomplete::UnparsableToolArguments,
            ),
            (out_of_tokens(&json!([call("{}")])), Incomplete::CutToolCall),
            (completed(&json!([failed])), Incomplete::ErrorEvent),
        ] {
            assert_eq!(check(&document), Err(reason), "{document}");
        }
    }

    #[test]
    fn only_known_ends_are_good() {
        for status in ["failed", "cancelled", "queued", "in_progress", "complete"] {
            let document = json!({"status": status, "output": []});
            assert_eq!(check(&document), Err(Incomplete::BadEnd), "{status}");
        }
        for reason in ["content_filter", "steered", "new"] {
            let details = json!({"reason": reason});
            let document =
                json!({"status": "incomplete", "incomplete_details": details, "output": []});
            assert_eq!(check(&document), Err(Incomplete::BadEnd), "{reason}");
        }
    }

    #[test]
    fn a_hosted_tool_is_found_where_nothing_else_is_wrong() {
        let search = json!({"type": "web_search_call", "status": "completed"});
        let document = completed(&json!([search]));
        assert_eq!(check(&document), Err(Incomplete::HostedTool));
        let document = completed(&json!([search, call("{")]));
        assert_eq!(check(&document), Err(Incomplete::UnparsableToolArguments));
    }
}
