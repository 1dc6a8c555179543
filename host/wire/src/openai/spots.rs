//! Where in a document or a chunk the ids and the time stand.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::slot::Spot;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    created: Option<&'a RawValue>,
    choices: Option<Vec<Choice<'a>>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    delta: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    tool_calls: Option<Vec<Identified<'a>>>,
    /// Of a router's own making, so that any JSON may stand here.
    reasoning_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// The spots, borrowed from `json`.
pub(crate) fn spots(json: &[u8]) -> Result<Vec<Spot<'_>>, serde_json::Error> {
    let answer: Answer<'_> = serde_json::from_slice(json)?;
    let choices = answer.choices.unwrap_or_default().into_iter();
    let messages = choices
        .flat_map(|choice| [choice.message, choice.delta])
        .flatten();
    let own = answer.id.map(Spot::Reply).into_iter();
    let mut spots: Vec<_> = own.chain(answer.created.map(Spot::Created)).collect();
    let mut references = Vec::new();
    for message in messages {
        let calls = message.tool_calls.into_iter().flatten();
        spots.extend(calls.filter_map(|call| call.id).map(Spot::Tool));
        references.extend(message.reasoning_details.into_iter().flat_map(details));
    }
    // Behind the calls that they refer to.
    spots.extend(references);
    Ok(spots)
}

/// Returns the ids of thoughts, each of which may be that of the tool call that it led to.
fn details(raw: &RawValue) -> Vec<Spot<'_>> {
    let details: Vec<Identified<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
    details
        .into_iter()
        .filter_map(|detail| detail.id)
        .map(Spot::ToolReference)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str) -> Vec<(&'static str, String)> {
        let spots = spots(json.as_bytes()).expect("it has the right form");
        let told = spots.into_iter().map(|spot| match spot {
            Spot::Reply(raw) => ("reply", raw.get().to_owned()),
            Spot::Created(raw) => ("created", raw.get().to_owned()),
            Spot::Item(raw) => ("item", raw.get().to_owned()),
            Spot::Tool(raw) => ("tool", raw.get().to_owned()),
            Spot::ToolReference(raw) => ("reference", raw.get().to_owned()),
        });
        told.collect()
    }

    #[test]
    fn ids_are_found_in_documents_and_chunks() {
        for field in ["message", "delta"] {
            let calls = r#"[{"id": "1", "function": {"arguments": "1"}}, {"index": 1}]"#;
            let message = format!(r#"{{"content": "1", "tool_calls": {calls}}}"#);
            let choice = format!(r#"{{"index": 1, "{field}": {message}}}"#);
            let json = format!(r#"{{"choices": [{choice}], "created": 1, "x": "1", "id": "1"}}"#);
            let expected = [("reply", "\"1\""), ("created", "1"), ("tool", "\"1\"")];
            let expected = expected.map(|(kind, raw)| (kind, raw.to_owned()));
            assert_eq!(found(&json), expected);
        }
    }

    #[test]
    fn thoughts_refer_to_the_calls_that_they_led_to() {
        let details = r#"[{"id": "1", "data": "x"}, {"id": "rs_2"}, {}]"#;
        let calls = r#"[{"id": "1"}]"#;
        let message = format!(r#"{{"reasoning_details": {details}, "tool_calls": {calls}}}"#);
        let json = format!(r#"{{"choices": [{{"message": {message}}}]}}"#);
        let kinds: Vec<_> = found(&json).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["tool", "reference", "reference"]);
        assert!(found(r#"{"choices": [{"delta": {"reasoning_details": "x"}}]}"#).is_empty());
    }

    #[test]
    fn missing_ids_are_no_spots() {
        assert!(found(r#"{"id": null, "choices": [{"delta": {}}, {"text": ""}]}"#).is_empty());
    }
}
