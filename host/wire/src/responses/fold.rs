//! From the events of a stream to the document that says the same: the response that the last event
//! carries, if it holds all that the events before it said.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    claims::Claims,
    said::{self, Known},
};
use crate::{FrameKind, Incomplete};

/// A document in the making.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    claims: Claims,
    /// The items that are done, by their place in the output.
    items: BTreeMap<u64, Value>,
    /// The response of the last event.
    response: Option<Map<String, Value>>,
    /// An event came of which it is not known what it says.
    is_unclear: bool,
}

impl Fold {
    /// Takes in the next event.
    pub(crate) fn push(&mut self, mut payload: Value) -> FrameKind {
        let kind = payload.get_mut("type").map(Value::take);
        let understood = match kind.as_ref().and_then(Value::as_str) {
            None => None,
            Some("keepalive") => return FrameKind::Quiet,
            Some("error" | "response.failed") => return FrameKind::Error,
            Some(kind @ ("response.completed" | "response.incomplete")) => {
                return self
                    .end(kind, &mut payload)
                    .map_or(FrameKind::Broken, |()| FrameKind::End);
            }
            Some(kind) => self.hear(kind, &mut payload),
        };
        understood.map_or(FrameKind::Broken, |()| FrameKind::Content)
    }

    /// Returns the document, which may lack what makes it a whole answer.
    pub(crate) fn finish(self) -> Result<Value, Incomplete> {
        let mut response = self.response.ok_or(Incomplete::Broken)?;
        let output = response.get("output").and_then(Value::as_array);
        if output.is_none_or(Vec::is_empty) {
            // Some servers say at the end only that it is one.
            let items: Value = self.items.into_values().collect();
            response.insert("output".to_owned(), items);
        }
        let response = Value::Object(response);
        if self.is_unclear || !self.claims.hold_in(&response) {
            return Err(Incomplete::UnknownDelta);
        }
        Ok(response)
    }

    fn hear(&mut self, kind: &str, event: &mut Value) -> Option<()> {
        if kind == "response.output_item.done" {
            let index = event.get("output_index")?.as_u64()?;
            self.items.insert(index, event.get("item")?.clone());
        }
        let known = said::read(kind, event, &mut self.claims)?;
        self.is_unclear |= known == Known::No;
        Some(())
    }

    fn end(&mut self, kind: &str, event: &mut Value) -> Option<()> {
        let Value::Object(mut response) = event.get_mut("response")?.take() else {
            return None;
        };
        let status = kind.trim_start_matches("response.");
        response.entry("status").or_insert_with(|| status.into());
        self.response = Some(response);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delta(text: &str) -> Value {
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0,
            "delta": text})
    }

    fn message(text: &str) -> Value {
        let part = json!({"type": "output_text", "text": text});
        json!({"type": "message", "id": "msg_1", "content": [part]})
    }

    fn done(item: &Value) -> Value {
        json!({"type": "response.output_item.done", "output_index": 0, "item": item})
    }

    fn completed(output: &Value) -> Value {
        json!({"type": "response.completed", "response": {"id": "resp_1", "output": output}})
    }

    fn folded(events: &[Value]) -> Result<Value, Incomplete> {
        let mut fold = Fold::default();
        let kinds: Vec<_> = events
            .iter()
            .map(|event| fold.push(event.clone()))
            .collect();
        assert_eq!(kinds.last(), Some(&FrameKind::End));
        assert!(
            kinds[..kinds.len() - 1]
                .iter()
                .all(|kind| *kind == FrameKind::Content)
        );
        fold.finish()
    }

    #[test]
    fn the_last_event_carries_the_document() {
        let output = json!([message("hi")]);
        let events = [delta("h"), delta("i"), done(&output[0]), completed(&output)];
        let expected = json!({"id": "resp_1", "output": output, "status": "completed"});
        assert_eq!(folded(&events), Ok(expected));
    }

    #[test]
    fn items_make_up_for_an_output_that_is_left_out() {
        for output in [json!([]), Value::Null] {
            let events = [delta("hi"), done(&message("hi")), completed(&output)];
            let document = folded(&events).expect("it is a document");
            assert_eq!(document["output"], json!([message("hi")]));
        }
    }

    #[test]
    fn what_contradicts_itself_cannot_be_folded() {
        let output = json!([message("hi")]);
        let added = json!({"type": "response.output_item.added", "output_index": 1,
            "item": {"type": "function_call"}});
        let new = json!({"type": "response.new_thing.delta", "delta": "x"});
        for event in [delta("ho"), done(&message("ho")), added, new] {
            let events = [event.clone(), completed(&output)];
            assert_eq!(folded(&events), Err(Incomplete::UnknownDelta), "{event}");
        }
        let only_said = [delta("hi"), completed(&json!([]))];
        assert_eq!(folded(&only_said), Err(Incomplete::UnknownDelta));
    }

    #[test]
    fn other_events_are_told_apart() {
        for (event, kind) in [
            (json!({"type": "error", "message": "no"}), FrameKind::Error),
            (json!({"type": "response.failed"}), FrameKind::Error),
            (json!({"type": "keepalive"}), FrameKind::Quiet),
            (json!({"type": "response.in_progress"}), FrameKind::Content),
            (json!({"type": "response.completed"}), FrameKind::Broken),
            (
                json!({"type": "response.output_text.delta"}),
                FrameKind::Broken,
            ),
            (json!({"type": 1}), FrameKind::Broken),
            (json!({}), FrameKind::Broken),
            (json!(7), FrameKind::Broken),
        ] {
            assert_eq!(Fold::default().push(event.clone()), kind, "{event}");
        }
    }
}
