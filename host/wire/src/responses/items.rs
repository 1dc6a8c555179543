//! The output items of a response while their events come.

use serde_json::{Value, json};

use crate::Delta;

/// An item of the output.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// Its text, or a call's arguments.
    pub(super) text: String,
    /// The tokens of its text, where their probabilities are wanted.
    pub(super) logprobs: Vec<Value>,
    pub(super) is_done: bool,
}

/// What an item is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message with a text.
    Text,
    /// A message with a refusal.
    Refusal,
    /// Reasoning, and what its vendor wants back.
    Reasoning { encrypted: Option<String> },
    /// A call of this number among the answer's calls.
    Call {
        number: u32,
        id: String,
        name: String,
        namespace: Option<String>,
    },
}

/// How the events of an item's text are called, and the field of its part that holds it.
pub(super) struct Pieces {
    pub(super) subject: &'static str,
    pub(super) field: &'static str,
    /// The type of the part; none where the item itself holds the text.
    pub(super) part: Option<&'static str>,
}

impl Item {
    /// Returns an empty item of the kind that a delta begins or goes on with.
    pub(super) fn begun(delta: &Delta) -> Self {
        let kind = match delta {
            Delta::Text { .. } => Kind::Text,
            Delta::Refusal(_) => Kind::Refusal,
            Delta::Reasoning(_) | Delta::Signature(_) | Delta::EncryptedReasoning(_) => {
                Kind::Reasoning { encrypted: None }
            }
            Delta::ToolCall { index, id, name } => Kind::Call {
                number: *index,
                id: id.clone(),
                name: name.clone(),
                namespace: None,
            },
            Delta::ToolArguments { index, .. } => Kind::Call {
                number: *index,
                id: String::new(),
                name: String::new(),
                namespace: None,
            },
        };
        Self {
            kind,
            text: String::new(),
            logprobs: Vec::new(),
            is_done: false,
        }
    }

    /// Returns whether a delta goes on with this item.
    pub(super) fn takes(&self, delta: &Delta) -> bool {
        match (&self.kind, delta) {
            (Kind::Text, Delta::Text { .. }) | (Kind::Refusal, Delta::Refusal(_)) => !self.is_done,
            (Kind::Reasoning { encrypted: None }, Delta::Reasoning(_) | Delta::Signature(_)) => {
                !self.is_done
            }
            (Kind::Call { number, .. }, Delta::ToolArguments { index, .. }) => number == index,
            _ => false,
        }
    }

    /// Returns whether it is a call, which may grow while others do.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, Kind::Call { .. })
    }

    pub(super) fn prefix(&self) -> &'static str {
        match self.kind {
            Kind::Text | Kind::Refusal => "msg_",
            Kind::Reasoning { .. } => "rs_",
            Kind::Call { .. } => "fc_",
        }
    }

    pub(super) fn pieces(&self) -> Pieces {
        let (subject, field, part) = match self.kind {
            Kind::Text => ("output_text", "text", Some("output_text")),
            Kind::Refusal => ("refusal", "refusal", Some("refusal")),
            Kind::Reasoning { .. } => ("reasoning_text", "text", Some("reasoning_text")),
            Kind::Call { .. } => ("function_call_arguments", "arguments", None),
        };
        Pieces {
            subject,
            field,
            part,
        }
    }

    /// Returns the part that holds the text; none where the item itself does.
    pub(super) fn part(&self) -> Option<Value> {
        let mut part = self.empty_part()?;
        part[self.pieces().field] = self.text.as_str().into();
        if self.kind == Kind::Text {
            part["logprobs"] = self.logprobs.as_slice().into();
        }
        Some(part)
    }

    /// Returns the part that will hold the text; none where the item itself does.
    pub(super) fn empty_part(&self) -> Option<Value> {
        let Pieces { field, part, .. } = self.pieces();
        let mut part = json!({"type": part?, field: ""});
        if self.kind == Kind::Text {
            part["annotations"] = json!([]);
            part["logprobs"] = json!([]);
        }
        Some(part)
    }

    /// Returns the item with its text, in this API's form.
    pub(super) fn encode(&self, id: &str, status: &str) -> Value {
        let parts: Vec<_> = self.part().into_iter().collect();
        self.with(id, status, &parts, &self.text)
    }

    /// Returns the item without its text, in this API's form.
    pub(super) fn encode_empty(&self, id: &str) -> Value {
        self.with(id, "in_progress", &[], "")
    }

    fn with(&self, id: &str, status: &str, parts: &[Value], arguments: &str) -> Value {
        match &self.kind {
            Kind::Text | Kind::Refusal => json!({
                "id": id, "type": "message", "status": status, "role": "assistant",
                "content": parts,
            }),
            Kind::Reasoning { encrypted } => {
                let parts = if self.text.is_empty() { &[] } else { parts };
                json!({
                    "id": id, "type": "reasoning", "status": status, "summary": [],
                    "content": parts, "encrypted_content": encrypted,
                })
            }
            Kind::Call {
                id: call_id,
                name,
                namespace,
                ..
            } => {
                let mut call = json!({
                    "id": id, "type": "function_call", "status": status, "call_id": call_id,
                    "name": name, "arguments": arguments,
                });
                if let Some(namespace) = namespace {
                    call["namespace"] = namespace.as_str().into();
                }
                call
            }
        }
    }
}
