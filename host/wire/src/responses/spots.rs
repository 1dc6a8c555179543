//! Where in a document or an event the ids and the time stand.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::slot::Spot;

/// A document, or an event with a response, an item, or a part of one in it.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    created_at: Option<&'a RawValue>,
    output: Option<Vec<Item<'a>>>,
    response: Option<Box<Answer<'a>>>,
    item: Option<Item<'a>>,
    item_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    call_id: Option<&'a RawValue>,
}

/// Returns the spots, borrowed from `json`.
pub(crate) fn spots(json: &[u8]) -> Result<Vec<Spot<'_>>, serde_json::Error> {
    let mut spots = Vec::new();
    push(serde_json::from_slice(json)?, &mut spots);
    Ok(spots)
}

fn push<'a>(answer: Answer<'a>, spots: &mut Vec<Spot<'a>>) {
    spots.extend(answer.id.map(Spot::Reply));
    spots.extend(answer.created_at.map(Spot::Created));
    if let Some(response) = answer.response {
        push(*response, spots);
    }
    for item in answer.output.into_iter().flatten().chain(answer.item) {
        spots.extend(item.id.map(Spot::Item));
        spots.extend(item.call_id.map(Spot::Tool));
    }
    spots.extend(answer.item_id.map(Spot::Item));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(json: &str) -> String {
        let spots = spots(json.as_bytes()).expect("it has the right form");
        let letters = spots.iter().map(|spot| match spot {
            Spot::Reply(_) => 'r',
            Spot::Created(_) => 'c',
            Spot::Item(_) => 'i',
            Spot::Tool(_) => 't',
            Spot::ToolReference(_) => '?',
        });
        letters.collect()
    }

    #[test]
    fn ids_are_found_in_documents_and_events() {
        for (json, expected) in [
            (
                r#"{"created_at": 1, "output": [
                    {"type": "message", "id": "1", "content": [{"id": "2"}]},
                    {"type": "function_call", "call_id": "3", "id": "4"}
                ], "id": "5", "text": {"id": "6"}}"#,
                "rciit",
            ),
            (
                r#"{"type": "a", "response": {"id": "1", "output": [], "created_at": 1}}"#,
                "rc",
            ),
            (r#"{"item": {"id": "1", "call_id": "2"}}"#, "it"),
            (r#"{"item_id": "1", "delta": "1"}"#, "i"),
            (r#"{"id": null, "item_id": null, "output": null}"#, ""),
        ] {
            assert_eq!(kinds(json), expected, "{json}");
        }
    }
}
