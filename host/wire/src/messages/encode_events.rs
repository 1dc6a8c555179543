//! From the events of an answer to the frames that a client of messages reads.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    ID, SIGN_OF_LIFE, STREAM_END,
    blocks::{Blocks, Kind, Piece, Step},
    encode_answer,
};
use crate::{
    Event, Failure, FinishReason, FrameKind, Fresh, Incomplete, Usage, encoded::Encoded, errors,
    folded_answer::FoldedAnswer, openai::json as written,
};

/// Encodes a reply to `POST /v1/messages`, which is the first choice of an answer.
#[derive(Debug)]
pub(crate) struct EventEncoder {
    /// The answer's id without its prefix.
    id: String,
    model: String,
    started: bool,
    blocks: Blocks,
    finish: FinishReason,
}

impl EventEncoder {
    /// Returns the encoder of a reply with a new id.
    pub(crate) fn new(model: &str) -> Self {
        Self {
            id: Fresh::new().id(),
            model: model.to_owned(),
            started: false,
            blocks: Blocks::default(),
            finish: FinishReason::Stop,
        }
    }

    /// Returns the frames of the next event. The first of an answer begins the message.
    pub(crate) fn encode(&mut self, event: &Event) -> Vec<Encoded> {
        match event {
            Event::Start { id, model } => {
                if !id.is_empty() {
                    id.clone_into(&mut self.id);
                }
                model.clone_into(&mut self.model);
                self.start().into_iter().collect()
            }
            Event::Progress { .. } => self.after_start(vec![heartbeat()]),
            Event::Delta { choice: 0, delta } => {
                let steps = self.blocks.push(delta);
                let frames = self.frames(&steps);
                self.after_start(frames)
            }
            Event::Finished { choice: 0, finish } => {
                self.finish = finish.clone();
                Vec::new()
            }
            Event::End { usage } => {
                let steps = self.blocks.finish();
                let mut frames = self.frames(&steps);
                frames.extend(self.end(*usage));
                self.after_start(frames)
            }
            Event::Failed(failure) => vec![failed(failure)],
            Event::Delta { .. } | Event::Finished { .. } | Event::Dropped { .. } => Vec::new(),
        }
    }

    /// Returns the document of the whole answer.
    pub(crate) fn document(&self, answer: &FoldedAnswer) -> Result<Value, Incomplete> {
        let (reason, sequence) = self.stop();
        let content = encode_answer::content(answer, reason == "max_tokens", |number| {
            self.call_id(number)
        })?;
        let mut message = self.message(&content, answer.usage);
        message["stop_reason"] = reason.into();
        message["stop_sequence"] = sequence.into();
        Ok(message)
    }

    fn after_start(&mut self, frames: Vec<Encoded>) -> Vec<Encoded> {
        self.start().into_iter().chain(frames).collect()
    }

    /// Returns the frame that begins the message, unless one did.
    fn start(&mut self) -> Option<Encoded> {
        if std::mem::replace(&mut self.started, true) {
            return None;
        }
        let message = self.message(&[], Usage::default());
        let start = json!({"type": "message_start", "message": message});
        Some(Encoded::with_ids(event("message_start", &start)))
    }

    fn message(&self, content: &[Value], counts: Usage) -> Value {
        json!({
            "id": format!("{ID}{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage(counts),
        })
    }

    fn frames(&self, steps: &[Step]) -> Vec<Encoded> {
        steps.iter().map(|step| self.frame(step)).collect()
    }

    fn frame(&self, step: &Step) -> Encoded {
        match step {
            Step::Start(index, kind) => {
                let block = self.empty(kind);
                let start =
                    json!({"type": "content_block_start", "index": index, "content_block": block});
                Encoded::with_ids(event("content_block_start", &start))
            }
            Step::Piece(index, piece) => Encoded::plain(piece_frame(*index, piece)),
            Step::Stop(index) => {
                let end = json!({"type": "content_block_stop", "index": index});
                Encoded::plain(event("content_block_stop", &end))
            }
        }
    }

    /// Returns a block with nothing in it. Clients want a signature on every thought, also where
    /// there is nobody to sign it.
    fn empty(&self, kind: &Kind) -> Value {
        match kind {
            Kind::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Kind::RedactedThinking(data) => json!({"type": "redacted_thinking", "data": data}),
            Kind::Text => json!({"type": "text", "text": ""}),
            Kind::ToolUse { number, id, name } => {
                let id = match id.as_str() {
                    "" => self.call_id(*number),
                    id => id.to_owned(),
                };
                json!({"type": "tool_use", "id": id, "name": name, "input": {}})
            }
        }
    }

    /// Returns the id of a call that its server gave none.
    fn call_id(&self, number: u32) -> String {
        format!("toolu_{}_{number}", self.id)
    }

    fn end(&self, counts: Usage) -> [Encoded; 2] {
        let (reason, sequence) = self.stop();
        let last = json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": sequence},
            "usage": usage(counts),
        });
        [
            Encoded::plain(event("message_delta", &last)),
            Encoded::plain(STREAM_END).of_kind(FrameKind::End),
        ]
    }

    /// Returns the reason to stop, and the stop string that was met. One after tool calls is for
    /// them, whatever the server says.
    fn stop(&self) -> (&str, Option<&str>) {
        match &self.finish {
            FinishReason::Length => ("max_tokens", None),
            FinishReason::Refusal => ("refusal", None),
            FinishReason::Other(reason) => (reason, None),
            FinishReason::ToolCalls => ("tool_use", None),
            _ if self.blocks.hold_calls() => ("tool_use", None),
            FinishReason::StopString(stop) => ("stop_sequence", Some(stop)),
            FinishReason::Stop => ("end_turn", None),
        }
    }
}

/// Returns the frame that keeps a connection alive.
fn heartbeat() -> Encoded {
    Encoded::plain(SIGN_OF_LIFE).of_kind(FrameKind::Quiet)
}

fn failed(failure: &Failure) -> Encoded {
    let payload = errors::anthropic(failure);
    Encoded::plain(event("error", &payload)).of_kind(FrameKind::Error)
}

/// Returns the frame of a block's next piece: there is one for each token, so its text is put
/// together by hand.
fn piece_frame(index: usize, piece: &Piece) -> String {
    let (kind, field, piece) = match piece {
        Piece::Thinking(piece) => ("thinking_delta", "thinking", piece),
        Piece::Signature(piece) => ("signature_delta", "signature", piece),
        Piece::Text(piece) => ("text_delta", "text", piece),
        Piece::Input(piece) => ("input_json_delta", "partial_json", piece),
    };
    let piece = written(piece);
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\
         \"delta\":{{\"type\":\"{kind}\",\"{field}\":{piece}}}}}\n\n"
    )
}

fn event(name: &str, payload: &impl Serialize) -> String {
    format!("event: {name}\ndata: {}\n\n", written(payload))
}

/// Returns token counts in this API's form, where input tokens are those that no cache served.
fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}
