//! Which tools requests offer, and which are used.

use serde_json::Value;

/// The names of the tools that a body offers, in either API.
pub(super) fn offered(body: &Value) -> Vec<Box<str>> {
    let names = items(&body["tools"]).filter_map(|tool| {
        let name = tool.get("name").or_else(|| tool.pointer("/function/name"));
        Some(name?.as_str()?.into())
    });
    names.collect()
}

/// The names of the tools that the answer calls. Where there is none, those that the last answer in
/// the conversation calls: all others were counted with the requests before.
pub(super) fn used(body: &Value, answer: Option<&Value>) -> Vec<Box<str>> {
    let last = || {
        let mut messages = items(&body["messages"]).rev();
        messages.find(|message| message["role"] == "assistant")
    };
    let message = match answer {
        Some(answer) => answer.pointer("/choices/0/message").or(Some(answer)),
        None => last(),
    };
    message.map(calls).unwrap_or_default()
}

/// The names of the tools that a message calls.
fn calls(message: &Value) -> Vec<Box<str>> {
    let blocks = items(&message["content"]).filter(|block| block["type"] == "tool_use");
    let blocks = blocks.map(|block| &block["name"]);
    let calls = items(&message["tool_calls"]).map(|call| &call["function"]["name"]);
    let names = blocks.chain(calls).filter_map(Value::as_str);
    names.map(Into::into).collect()
}

fn items(list: &Value) -> std::slice::Iter<'_, Value> {
    list.as_array().map_or(&[][..], Vec::as_slice).iter()
}
