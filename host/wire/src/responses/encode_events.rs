//! From the events of an answer to the frames that a client of the Responses API reads.

use serde_json::{Value, json};

use super::{
    OWN_ID,
    items::{Item, Kind},
    namespace::Namespaces,
};
use crate::{
    Api, Delta, Event, Failure, FinishReason, FrameKind, Fresh, TokenLogprob, Usage,
    encoded::Encoded,
    folded_answer::FoldedAnswer,
    frame,
    openai::{SIGN_OF_LIFE, logprobs::chat_logprobs},
};

/// Encodes a reply to `POST /v1/responses`, which is the first choice of an answer.
#[derive(Debug)]
pub(crate) struct EventEncoder {
    /// The random part of the reply's ids.
    id: String,
    created: u64,
    model: String,
    started: bool,
    /// The number of the next event.
    next: u64,
    items: Vec<Item>,
    finish: FinishReason,
    namespaces: Namespaces,
}

impl EventEncoder {
    /// Returns the encoder of a reply with a new id.
    pub(crate) fn new(model: &str) -> Self {
        let fresh = Fresh::new();
        Self {
            id: fresh.id(),
            created: fresh.created(),
            model: model.to_owned(),
            started: false,
            next: 0,
            items: Vec::new(),
            finish: FinishReason::Stop,
            namespaces: Namespaces::default(),
        }
    }

    /// Takes the names of tools from the body of the request that is answered.
    pub(crate) fn set_request(&mut self, body: &Value) {
        self.namespaces = Namespaces::of(body);
    }

    /// Returns the frames of the next event. The first of an answer begins the response.
    pub(crate) fn encode(&mut self, event: &Event) -> Vec<Encoded> {
        let mut frames = Vec::new();
        match event {
            Event::Start { model, .. } => {
                model.clone_into(&mut self.model);
                self.start(&mut frames);
            }
            Event::Progress { .. } => {
                self.start(&mut frames);
                frames.push(Encoded::plain(SIGN_OF_LIFE).of_kind(FrameKind::Quiet));
            }
            Event::Delta { choice: 0, delta } => {
                self.start(&mut frames);
                self.delta(delta, &mut frames);
            }
            Event::Finished { choice: 0, finish } => self.finish = finish.clone(),
            Event::End { usage } => {
                self.start(&mut frames);
                self.end(*usage, &mut frames);
            }
            Event::Failed(failure) => self.fail(failure, &mut frames),
            Event::Delta { .. } | Event::Finished { .. } | Event::Dropped { .. } => {}
        }
        frames
    }

    /// Returns the document of the whole answer.
    pub(crate) fn document(&self, answer: &FoldedAnswer) -> Value {
        let (status, reason) = self.status();
        let items = 0..self.items.len();
        let output: Vec<_> = items.map(|index| self.done_item(index)).collect();
        let mut response = self.response(status, &output);
        response["usage"] = usage(answer.usage);
        if let Some(reason) = reason {
            response["incomplete_details"] = json!({"reason": reason});
        }
        response
    }

    fn start(&mut self, frames: &mut Vec<Encoded>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let response = self.response("in_progress", &[]);
        for name in ["created", "in_progress"] {
            self.push(name, json!({"response": response}), frames);
        }
    }

    /// Calls may grow in turn; anything else is done when something else begins.
    fn delta(&mut self, delta: &Delta, frames: &mut Vec<Encoded>) {
        let known = self.items.iter().rposition(|item| item.takes(delta));
        let index = known.unwrap_or_else(|| self.begin(delta, frames));
        match delta {
            Delta::Text { text, logprobs } => self.piece(index, text, logprobs, frames),
            Delta::Refusal(text)
            | Delta::Reasoning(text)
            | Delta::ToolArguments {
                arguments: text, ..
            } => self.piece(index, text, &[], frames),
            Delta::Signature(proof) | Delta::EncryptedReasoning(proof) => {
                if let Kind::Reasoning { encrypted } = &mut self.items[index].kind {
                    *encrypted = Some(proof.clone());
                }
            }
            Delta::ToolCall { .. } => {}
        }
    }

    /// Begins the item of a delta, and returns its place in the output.
    fn begin(&mut self, delta: &Delta, frames: &mut Vec<Encoded>) -> usize {
        if let Some(last) = self.items.len().checked_sub(1)
            && !self.items[last].is_call()
        {
            self.close(last, frames);
        }
        let index = self.items.len();
        let mut item = Item::begun(delta);
        self.complete(&mut item.kind);
        self.items.push(item);
        let item = self.items[index].encode_empty(&self.item_id(index));
        let added = json!({"output_index": index, "item": item});
        self.push("output_item.added", added, frames);
        index
    }

    /// Gives a call the id that its server did not, and the namespace that its API has not.
    fn complete(&self, kind: &mut Kind) {
        let Kind::Call {
            number,
            id,
            name,
            namespace,
        } = kind
        else {
            return;
        };
        if id.is_empty() {
            *id = format!("call_{}{number}", self.id);
        }
        if let Some((space, own)) = self.namespaces.find(name) {
            *namespace = Some(space.clone());
            own.clone_into(name);
        }
    }

    /// Adds a piece to the text of an item, whose part begins with the first.
    fn piece(
        &mut self,
        index: usize,
        piece: &str,
        logprobs: &[TokenLogprob],
        frames: &mut Vec<Encoded>,
    ) {
        let logprobs = json!(chat_logprobs(logprobs));
        let logprobs = logprobs["content"].as_array().cloned().unwrap_or_default();
        let item = &mut self.items[index];
        let is_first = item.text.is_empty();
        item.text.push_str(piece);
        item.logprobs.extend_from_slice(&logprobs);
        let subject = item.pieces().subject;
        if let Some(part) = item.empty_part().filter(|_| is_first) {
            let added = self.about(index, "part", part);
            self.push("content_part.added", added, frames);
        }
        let mut delta = self.about(index, "delta", piece.into());
        if self.items[index].kind == Kind::Text {
            delta["logprobs"] = logprobs.into();
        }
        self.push(&format!("{subject}.delta"), delta, frames);
    }

    fn close(&mut self, index: usize, frames: &mut Vec<Encoded>) {
        if std::mem::replace(&mut self.items[index].is_done, true) {
            return;
        }
        let item = &self.items[index];
        let (pieces, text) = (item.pieces(), item.text.clone());
        let (part, logprobs) = (item.part(), item.logprobs.clone());
        if item.is_call() || !text.is_empty() {
            let mut done = self.about(index, pieces.field, text.into());
            if self.items[index].kind == Kind::Text {
                done["logprobs"] = logprobs.into();
            }
            self.push(&format!("{}.done", pieces.subject), done, frames);
            if let Some(part) = part {
                let done = self.about(index, "part", part);
                self.push("content_part.done", done, frames);
            }
        }
        let done = json!({"output_index": index, "item": self.done_item(index)});
        self.push("output_item.done", done, frames);
    }

    fn end(&mut self, counts: Usage, frames: &mut Vec<Encoded>) {
        for index in 0..self.items.len() {
            self.close(index, frames);
        }
        let answer = FoldedAnswer {
            usage: counts,
            ..FoldedAnswer::default()
        };
        let response = self.document(&answer);
        let (status, _) = self.status();
        let begin = frames.len();
        self.push(status, json!({"response": response}), frames);
        let last = frames.split_off(begin).into_iter();
        frames.extend(last.map(|frame| frame.of_kind(FrameKind::End)));
    }

    fn fail(&mut self, failure: &Failure, frames: &mut Vec<Encoded>) {
        let mut response = self.response("failed", &[]);
        let code = failure.code.as_deref().unwrap_or("server_error");
        response["error"] = json!({"code": code, "message": failure.message});
        let begin = frames.len();
        self.push("failed", json!({"response": response}), frames);
        let last = frames.split_off(begin).into_iter();
        frames.extend(last.map(|frame| frame.of_kind(FrameKind::Error)));
    }

    /// Adds the frame of the event `response.{name}` with these fields.
    fn push(&mut self, name: &str, fields: Value, frames: &mut Vec<Encoded>) {
        let mut payload = json!({"type": format!("response.{name}"), "sequence_number": self.next});
        if let (Value::Object(payload), Value::Object(fields)) = (&mut payload, fields) {
            payload.extend(fields);
        }
        self.next += 1;
        let frame = frame(Api::Responses, &payload);
        frames.push(Encoded::with_ids(String::from_utf8_lossy(&frame)));
    }

    /// Returns the fields of an event about the text of an item.
    fn about(&self, index: usize, name: &str, value: Value) -> Value {
        let item = &self.items[index];
        let mut fields = json!({"item_id": self.item_id(index), "output_index": index});
        if !item.is_call() {
            fields["content_index"] = 0.into();
        }
        fields[name] = value;
        fields
    }

    fn item_id(&self, index: usize) -> String {
        format!("{}{}{index}", self.items[index].prefix(), self.id)
    }

    /// Returns an item as it is when it is done. Only the last can be cut off.
    fn done_item(&self, index: usize) -> Value {
        let is_last = index + 1 == self.items.len();
        let is_cut = is_last && self.finish == FinishReason::Length;
        let status = if is_cut { "incomplete" } else { "completed" };
        self.items[index].encode(&self.item_id(index), status)
    }

    /// Returns the status of the response, and why it is incomplete if it is.
    fn status(&self) -> (&'static str, Option<&str>) {
        match &self.finish {
            FinishReason::Stop | FinishReason::StopString(_) | FinishReason::ToolCalls => {
                ("completed", None)
            }
            FinishReason::Length => ("incomplete", Some("max_output_tokens")),
            FinishReason::Refusal => ("incomplete", Some("content_filter")),
            FinishReason::Other(reason) => ("incomplete", Some(reason)),
        }
    }

    fn response(&self, status: &str, output: &[Value]) -> Value {
        json!({
            "id": format!("{OWN_ID}{}", self.id),
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "metadata": {},
            "model": self.model,
            "output": output,
            "parallel_tool_calls": true,
            "temperature": null,
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "usage": null,
        })
    }
}

/// Returns token counts in this API's form.
fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens.saturating_add(usage.completion_tokens),
    })
}

#[cfg(test)]
mod tests;
