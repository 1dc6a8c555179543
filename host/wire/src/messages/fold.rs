//! From the events of a stream to the document that says the same.

use serde_json::{Map, Value, json};

use crate::{FrameKind, Incomplete, complete::is_out_of_tokens};

/// A document in the making.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    /// The document's fields but for its content; none before the stream has started.
    message: Option<Map<String, Value>>,
    blocks: Vec<Map<String, Value>>,
    /// The block that was started and not yet stopped.
    open: Option<OpenBlock>,
    /// The first event that leaves the document unknown.
    fault: Option<Incomplete>,
}

#[derive(Debug)]
struct OpenBlock {
    block: Map<String, Value>,
    /// The pieces of a tool's input.
    input: String,
}

impl Fold {
    /// Takes in the next event.
    pub(crate) fn push(&mut self, mut payload: Value) -> FrameKind {
        let kind = payload.get_mut("type").map(Value::take);
        let kind = kind.as_ref().and_then(Value::as_str);
        let understood = match kind {
            Some("ping") => return FrameKind::Quiet,
            Some("error") => return FrameKind::Error,
            Some("message_stop") if self.message.is_some() && self.open.is_none() => {
                return FrameKind::End;
            }
            Some("message_start") => self.start(payload),
            Some("content_block_start") => self.start_block(payload),
            Some("content_block_delta") => self.push_delta(&mut payload),
            Some("content_block_stop") => self.stop_block(&payload),
            Some("message_delta") => self.push_message_delta(payload),
            Some("message_stop") | None => None,
            Some(_) => {
                self.fault.get_or_insert(Incomplete::UnknownDelta);
                Some(())
            }
        };
        understood.map_or(FrameKind::Broken, |()| FrameKind::Content)
    }

    /// The document. A call that the token limit cut off has no input: half of one could do harm
    /// where a client does not look at the reason why the model stopped.
    pub(crate) fn finish(self) -> Result<Value, Incomplete> {
        let mut message = self.message.ok_or(Incomplete::Broken)?;
        let is_cut = message.get("stop_reason").is_some_and(is_out_of_tokens);
        match self.fault {
            Some(Incomplete::UnparsableToolArguments) if is_cut => {}
            Some(fault) => return Err(fault),
            None => {}
        }
        let blocks: Value = self.blocks.into_iter().map(Value::Object).collect();
        message.insert("content".to_owned(), blocks);
        Ok(Value::Object(message))
    }

    fn start(&mut self, mut event: Value) -> Option<()> {
        let Value::Object(message) = event.get_mut("message")?.take() else {
            return None;
        };
        let first = self.message.is_none();
        let content = message.get("content").and_then(Value::as_array);
        if content.is_some_and(|blocks| !blocks.is_empty()) {
            // No block that follows could be distinguished from those.
            self.fault.get_or_insert(Incomplete::UnknownDelta);
        }
        self.message = Some(message);
        first.then_some(())
    }

    fn start_block(&mut self, mut event: Value) -> Option<()> {
        self.message.as_ref()?;
        let next = event.get("index")?.as_u64()? == self.blocks.len() as u64;
        let Value::Object(block) = event.get_mut("content_block")?.take() else {
            return None;
        };
        let opened = self.open.replace(OpenBlock {
            block,
            input: String::new(),
        });
        (next && opened.is_none()).then_some(())
    }

    /// The open block, if the event is about it.
    fn open_block(&mut self, event: &Value) -> Option<&mut OpenBlock> {
        let index = event.get("index")?.as_u64()?;
        self.open
            .as_mut()
            .filter(|_| index == self.blocks.len() as u64)
    }

    fn push_delta(&mut self, event: &mut Value) -> Option<()> {
        let OpenBlock { block, input } = self.open_block(event)?;
        let delta = event.get_mut("delta")?;
        let piece = |field: &str| delta.get(field)?.as_str();
        match delta.get("type")?.as_str()? {
            "text_delta" => append(block, "text", piece("text")?),
            "thinking_delta" => append(block, "thinking", piece("thinking")?),
            "signature_delta" => append(block, "signature", piece("signature")?),
            "input_json_delta" => input.push_str(piece("partial_json")?),
            "citations_delta" => {
                let citation = delta.get_mut("citation")?.take();
                cite(block, citation);
            }
            _ => {
                self.fault.get_or_insert(Incomplete::UnknownDelta);
            }
        }
        Some(())
    }

    fn stop_block(&mut self, event: &Value) -> Option<()> {
        self.open_block(event)?;
        let OpenBlock { mut block, input } = self.open.take()?;
        if !input.is_empty() {
            let earlier = block.get("input").and_then(Value::as_object);
            if earlier.is_some_and(|fields| !fields.is_empty()) {
                self.fault.get_or_insert(Incomplete::UnknownDelta);
            }
            match serde_json::from_str(&input) {
                Ok(input) => {
                    block.insert("input".to_owned(), input);
                }
                Err(_) => {
                    self.fault
                        .get_or_insert(Incomplete::UnparsableToolArguments);
                }
            }
        }
        self.blocks.push(block);
        Some(())
    }

    /// The last words about the message; its counts are cumulative.
    fn push_message_delta(&mut self, event: Value) -> Option<()> {
        let Value::Object(fields) = event else {
            return None;
        };
        let message = self.message.as_mut().filter(|_| self.open.is_none())?;
        for (key, value) in fields {
            match (key.as_str(), value) {
                ("type", _) => {}
                ("delta", Value::Object(delta)) => {
                    if contradicts(message, &delta) {
                        self.fault.get_or_insert(Incomplete::UnknownDelta);
                    }
                    message.extend(delta);
                }
                ("usage", Value::Object(counts)) => {
                    let usage = message.entry("usage").or_insert_with(|| json!({}));
                    let known = counts.into_iter().filter(|(_, count)| !count.is_null());
                    usage.as_object_mut()?.extend(known);
                }
                (_, value) => {
                    message.insert(key, value);
                }
            }
        }
        Some(())
    }
}

/// Whether a field that is set has another value in `delta`.
fn contradicts(message: &Map<String, Value>, delta: &Map<String, Value>) -> bool {
    delta.iter().any(|(field, value)| {
        let earlier = message.get(field);
        earlier.is_some_and(|earlier| !earlier.is_null() && earlier != value)
    })
}

fn append(block: &mut Map<String, Value>, field: &str, piece: &str) {
    match block.get_mut(field) {
        Some(Value::String(whole)) => whole.push_str(piece),
        _ => {
            block.insert(field.to_owned(), piece.into());
        }
    }
}

fn cite(block: &mut Map<String, Value>, citation: Value) {
    match block.get_mut("citations") {
        Some(Value::Array(citations)) => citations.push(citation),
        _ => {
            block.insert("citations".to_owned(), json!([citation]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Value {
        let usage = json!({"input_tokens": 3, "output_tokens": 1});
        let message = json!({"id": "m", "content": [], "stop_reason": null, "usage": usage});
        json!({"type": "message_start", "message": message})
    }

    fn start_block(index: u64, block: &Value) -> Value {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    }

    fn delta(index: u64, delta: &Value) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn stop_block(index: u64) -> Value {
        json!({"type": "content_block_stop", "index": index})
    }

    fn stop() -> Value {
        json!({"type": "message_stop"})
    }

    fn text(piece: &str) -> Value {
        json!({"type": "text_delta", "text": piece})
    }

    fn block(block: &Value, deltas: &[Value]) -> Result<Value, Incomplete> {
        let mut fold = Fold::default();
        let deltas = deltas.iter().map(|piece| delta(0, piece));
        let start = [start(), start_block(0, block)];
        for event in start.into_iter().chain(deltas).chain([stop_block(0)]) {
            assert_eq!(fold.push(event), FrameKind::Content);
        }
        fold.finish()
            .map(|mut document| document["content"][0].take())
    }

    #[test]
    fn pieces_become_one_block() {
        let empty = json!({"type": "text", "text": "", "citations": null});
        let cited = json!({"type": "citations_delta", "citation": {"a": 1}});
        let whole = block(&empty, &[text("Par"), cited.clone(), text("is"), cited]);
        let expected = json!({"type": "text", "text": "Paris", "citations": [{"a": 1}, {"a": 1}]});
        assert_eq!(whole, Ok(expected));

        let thought = json!({"type": "thinking_delta", "thinking": "hm"});
        let signed = json!({"type": "signature_delta", "signature": "s"});
        let whole = block(
            &json!({"type": "thinking", "thinking": ""}),
            &[thought, signed],
        );
        let expected = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
        assert_eq!(whole, Ok(expected));
    }

    #[test]
    fn a_tools_input_is_parsed_when_it_is_whole() {
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let piece = |json: &str| json!({"type": "input_json_delta", "partial_json": json});
        let whole = block(&call, &[piece(""), piece("{\"a\":"), piece("[1]}")]);
        assert_eq!(whole.expect("it is whole")["input"], json!({"a": [1]}));
        assert_eq!(block(&call, &[piece("")]), Ok(call.clone()));
        let broken = block(&call, &[piece("{\"a\":")]);
        assert_eq!(broken, Err(Incomplete::UnparsableToolArguments));
    }

    #[test]
    fn a_call_that_the_limit_cut_has_no_input() {
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
        let piece = json!({"type": "input_json_delta", "partial_json": "{\"a\": \"b"});
        let last = json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}});
        let mut fold = Fold::default();
        for event in [start(), start_block(0, &call), delta(0, &piece)] {
            fold.push(event);
        }
        fold.push(stop_block(0));
        fold.push(last);
        let document = fold.finish().expect("it is a document");
        assert_eq!(document["content"], json!([call]));
    }

    #[test]
    fn what_is_unknown_cannot_be_folded() {
        let strange = [json!({"type": "strange_delta"})];
        let folded = block(&json!({"type": "text"}), &strange);
        assert_eq!(folded, Err(Incomplete::UnknownDelta));

        let mut fold = Fold::default();
        fold.push(start());
        assert_eq!(fold.push(json!({"type": "strange"})), FrameKind::Content);
        assert_eq!(fold.finish(), Err(Incomplete::UnknownDelta));
    }

    #[test]
    fn what_contradicts_itself_cannot_be_folded() {
        let held = json!({"type": "text", "text": "a"});
        let message = json!({"type": "message_start", "message": {"content": [held]}});
        let last =
            |reason: &str| json!({"type": "message_delta", "delta": {"stop_reason": reason}});
        for events in [
            vec![message],
            vec![start(), last("refusal"), last("end_turn")],
        ] {
            let mut fold = Fold::default();
            for event in events {
                assert_eq!(fold.push(event), FrameKind::Content);
            }
            assert_eq!(fold.finish(), Err(Incomplete::UnknownDelta));
        }
        let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}});
        let piece = json!({"type": "input_json_delta", "partial_json": "{\"b\": 2}"});
        let folded = block(&call, &[piece]);
        assert_eq!(folded, Err(Incomplete::UnknownDelta));
    }

    #[test]
    fn the_last_words_are_merged() {
        let mut fold = Fold::default();
        fold.push(start());
        fold.push(json!({
            "type": "message_delta", "delta": {"stop_reason": "end_turn"}, "new": 1,
            "usage": {"input_tokens": null, "output_tokens": 9},
        }));
        assert_eq!(fold.push(stop()), FrameKind::End);
        let expected = json!({
            "id": "m", "content": [], "stop_reason": "end_turn", "new": 1,
            "usage": {"input_tokens": 3, "output_tokens": 9},
        });
        assert_eq!(fold.finish(), Ok(expected));
    }

    #[test]
    fn events_out_of_order_are_broken() {
        let block = start_block(0, &json!({"type": "text", "text": ""}));
        for (events, last) in [
            (vec![], stop()),
            (vec![], block.clone()),
            (vec![start()], start()),
            (vec![start()], delta(0, &text("x"))),
            (vec![start()], stop_block(0)),
            (vec![start()], start_block(1, &json!({}))),
            (vec![start(), block.clone()], block.clone()),
            (vec![start(), block.clone()], delta(1, &text("x"))),
            (vec![start(), block.clone()], stop()),
            (
                vec![start(), block],
                json!({"type": "message_delta", "delta": {}}),
            ),
            (vec![], json!({"choices": []})),
        ] {
            let mut fold = Fold::default();
            for event in events {
                assert_eq!(fold.push(event), FrameKind::Content);
            }
            assert_eq!(fold.push(last.clone()), FrameKind::Broken, "{last}");
        }
    }

    #[test]
    fn pings_and_errors_may_come_at_any_time() {
        let mut fold = Fold::default();
        assert_eq!(fold.push(json!({"type": "ping"})), FrameKind::Quiet);
        assert_eq!(fold.push(json!({"type": "error"})), FrameKind::Error);
    }
}
