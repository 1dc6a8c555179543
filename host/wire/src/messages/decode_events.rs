//! From the events of an Anthropic message to the events of an answer.

use serde_json::Value;

use super::ID;
use crate::{Delta, Event, FinishReason, Usage, decoder::text, errors};

/// Decodes one streamed answer.
#[derive(Debug, Default)]
pub(crate) struct EventDecoder {
    ended: bool,
    /// Tool calls so far.
    calls: u32,
    open: Block,
    finish: Option<FinishReason>,
    usage: Counts,
}

/// The block that deltas belong to.
#[derive(Debug, Default)]
enum Block {
    /// One whose deltas name what they add to.
    #[default]
    Speech,
    /// Reasoning, whose proof comes in pieces.
    Reasoning { signature: String },
    /// The tool call of this number.
    ToolCall(u32),
    /// A step of a tool that the vendor runs, which is left out.
    VendorStep,
}

/// Token counts as Anthropic gives them: some at the start, some at the end, the later ones final.
#[derive(Debug, Default)]
struct Counts {
    input: u64,
    cache_creation: u64,
    cache_read: u64,
    output: u64,
}

impl EventDecoder {
    /// Returns the events of this payload. An error ends the answer.
    pub(crate) fn push(&mut self, payload: &Value) -> Vec<Event> {
        if self.ended {
            return Vec::new();
        }
        let events = match text(payload, "type") {
            "message_start" => self.start(&payload["message"]),
            "content_block_start" => self.open(&payload["content_block"]),
            "content_block_delta" => self.delta(&payload["delta"]),
            "content_block_stop" => self.close(),
            "message_delta" => self.last_words(payload),
            "message_stop" => self.stop(),
            "error" => vec![Event::Failed(errors::failure(payload))],
            _ => Vec::new(),
        };
        let is_last = |event: &Event| matches!(event, Event::End { .. } | Event::Failed(_));
        self.ended = events.last().is_some_and(is_last);
        events
    }

    fn start(&mut self, message: &Value) -> Vec<Event> {
        self.usage.update(&message["usage"]);
        let id = text(message, "id");
        vec![Event::Start {
            id: id.strip_prefix(ID).unwrap_or(id).to_owned(),
            model: text(message, "model").to_owned(),
        }]
    }

    fn open(&mut self, block: &Value) -> Vec<Event> {
        self.open = Block::Speech;
        match text(block, "type") {
            "text" => {
                let cites = block["citations"].as_array();
                let dropped = cites.is_some_and(|citations| !citations.is_empty());
                let mut events = said(text(block, "text"), Delta::text);
                events.extend(dropped.then(|| drop_part("citations")));
                events
            }
            "thinking" => {
                let signature = text(block, "signature").to_owned();
                self.open = Block::Reasoning { signature };
                said(text(block, "thinking"), Delta::Reasoning)
            }
            "redacted_thinking" => said(text(block, "data"), Delta::EncryptedReasoning),
            "tool_use" => self.call(block),
            kind if kind.ends_with("tool_use") || kind.ends_with("tool_result") => {
                self.open = Block::VendorStep;
                vec![drop_part(kind)]
            }
            kind => vec![errors::uncarried(kind)],
        }
    }

    /// Some servers give the whole input at once, here.
    fn call(&mut self, block: &Value) -> Vec<Event> {
        let index = self.calls;
        self.calls += 1;
        self.open = Block::ToolCall(index);
        let mut events = vec![delta(Delta::ToolCall {
            index,
            id: text(block, "id").to_owned(),
            name: text(block, "name").to_owned(),
        })];
        let input = block["input"].as_object();
        if input.is_some_and(|input| !input.is_empty()) {
            events.push(delta(Delta::ToolArguments {
                index,
                arguments: block["input"].to_string(),
            }));
        }
        let caller = &block["caller"];
        if !caller.is_null() && caller["type"] != "direct" {
            events.push(drop_part("caller"));
        }
        events
    }

    fn delta(&mut self, piece: &Value) -> Vec<Event> {
        match (text(piece, "type"), &mut self.open) {
            ("text_delta", _) => said(text(piece, "text"), Delta::text),
            ("thinking_delta", _) => said(text(piece, "thinking"), Delta::Reasoning),
            ("signature_delta", Block::Reasoning { signature }) => {
                signature.push_str(text(piece, "signature"));
                Vec::new()
            }
            ("input_json_delta", Block::ToolCall(index)) => {
                let index = *index;
                said(text(piece, "partial_json"), |arguments| {
                    Delta::ToolArguments { index, arguments }
                })
            }
            (_, Block::VendorStep) => Vec::new(),
            ("citations_delta", _) => vec![drop_part("citations")],
            (kind, _) => vec![errors::uncarried(kind)],
        }
    }

    fn close(&mut self) -> Vec<Event> {
        match std::mem::take(&mut self.open) {
            Block::Reasoning { signature } => said(&signature, Delta::Signature),
            Block::Speech | Block::ToolCall(_) | Block::VendorStep => Vec::new(),
        }
    }

    fn last_words(&mut self, event: &Value) -> Vec<Event> {
        let last = &event["delta"];
        if let Some(reason) = last["stop_reason"].as_str() {
            self.finish = Some(finish_reason(reason, last["stop_sequence"].as_str()));
        }
        self.usage.update(&event["usage"]);
        Vec::new()
    }

    fn stop(&mut self) -> Vec<Event> {
        let Some(finish) = self.finish.take() else {
            return vec![errors::cut()];
        };
        vec![
            Event::Finished { choice: 0, finish },
            Event::End {
                usage: self.usage.total(),
            },
        ]
    }
}

impl Counts {
    fn update(&mut self, usage: &Value) {
        for (name, count) in [
            ("input_tokens", &mut self.input),
            ("cache_creation_input_tokens", &mut self.cache_creation),
            ("cache_read_input_tokens", &mut self.cache_read),
            ("output_tokens", &mut self.output),
        ] {
            *count = usage[name].as_u64().unwrap_or(*count);
        }
    }

    /// To Anthropic, input tokens are those that no cache served.
    fn total(&self) -> Usage {
        let read = self.input.saturating_add(self.cache_creation);
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Usage {
            prompt_tokens: count(read.saturating_add(self.cache_read)),
            cached_tokens: count(self.cache_read),
            completion_tokens: count(self.output),
        }
    }
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn said(piece: &str, said: impl FnOnce(String) -> Delta) -> Vec<Event> {
    let piece = Some(piece).filter(|piece| !piece.is_empty());
    let said = piece.map(|piece| delta(said(piece.to_owned())));
    said.into_iter().collect()
}

fn drop_part(part: &str) -> Event {
    Event::Dropped {
        part: part.to_owned(),
    }
}

fn finish_reason(reason: &str, stop_sequence: Option<&str>) -> FinishReason {
    match (reason, stop_sequence) {
        ("stop_sequence", Some(stop)) => FinishReason::StopString(stop.to_owned()),
        ("end_turn" | "stop_sequence", _) => FinishReason::Stop,
        ("max_tokens" | "model_context_window_exceeded", _) => FinishReason::Length,
        ("tool_use", _) => FinishReason::ToolCalls,
        ("refusal", _) => FinishReason::Refusal,
        (reason, _) => FinishReason::Other(reason.to_owned()),
    }
}
