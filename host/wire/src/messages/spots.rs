//! Where in a document or an event the ids stand.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::slot::Spot;

/// A document, or an event with a message or a block in it.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    message: Option<Message<'a>>,
    content: Option<Vec<Block<'a>>>,
    content_block: Option<Block<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    r#type: Option<Cow<'a, str>>,
    id: Option<&'a RawValue>,
    tool_use_id: Option<&'a RawValue>,
    caller: Option<Caller<'a>>,
}

/// The tool call whose program made this one.
#[derive(Deserialize)]
struct Caller<'a> {
    #[serde(borrow)]
    tool_id: Option<&'a RawValue>,
}

/// The spots, borrowed from `json`.
pub(crate) fn spots(json: &[u8]) -> Result<Vec<Spot<'_>>, serde_json::Error> {
    let answer: Answer<'_> = serde_json::from_slice(json)?;
    let message = answer.message.and_then(|message| message.id);
    let blocks = answer.content.into_iter().flatten();
    let own = answer.id.into_iter().chain(message).map(Spot::Reply);
    Ok(own
        .chain(blocks.chain(answer.content_block).flat_map(block_spots))
        .collect())
}

fn block_spots(block: Block<'_>) -> impl Iterator<Item = Spot<'_>> {
    let calls = block.r#type.is_some_and(|kind| kind.ends_with("tool_use"));
    let own = block.id.filter(|_| calls).map(Spot::Tool);
    let caller = block.caller.and_then(|caller| caller.tool_id);
    let references = block.tool_use_id.into_iter().chain(caller);
    own.into_iter().chain(references.map(Spot::ToolReference))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(json: &str) -> String {
        let spots = spots(json.as_bytes()).expect("it has the right form");
        let letters = spots.iter().map(|spot| match spot {
            Spot::Reply(_) => 'm',
            Spot::Created(_) => 'c',
            Spot::Item(_) => 'i',
            Spot::Tool(_) => 't',
            Spot::ToolReference(_) => 'r',
        });
        letters.collect()
    }

    #[test]
    fn ids_are_found_in_documents_and_events() {
        for (json, expected) in [
            (
                r#"{"type": "message_start", "message": {"id": "1", "content": []}}"#,
                "m",
            ),
            (
                r#"{"content_block": {"type": "tool_use", "id": "1", "input": {"id": "1"}}}"#,
                "t",
            ),
            (r#"{"content_block": {"type": "document", "id": "1"}}"#, ""),
            (
                r#"{"type": "content_block_delta", "delta": {"text": "1"}}"#,
                "",
            ),
            (
                r#"{"id": "1", "content": [
                    {"type": "text", "text": "1"},
                    {"type": "server_tool_use", "id": "2"},
                    {"type": "web_search_tool_result", "tool_use_id": "2", "content": []},
                    {"type": "tool_use", "id": "3", "caller": {"type": "code", "tool_id": "2"}}
                ]}"#,
                "mtrtr",
            ),
        ] {
            assert_eq!(kinds(json), expected, "{json}");
        }
    }
}
