//! The pieces of tool calls in the chunks of a chat completion.

use serde_json::Value;

use crate::{Delta, decoder::text};

/// Assigns the pieces of tool calls to their calls.
#[derive(Debug, Default)]
pub(super) struct ToolCalls {
    /// The calls so far, each with the number and the id that the server gave it.
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    number: u64,
    id: String,
}

impl ToolCalls {
    /// Returns whether there was any.
    pub(super) fn any(&self) -> bool {
        !self.known.is_empty()
    }

    /// Decodes the piece that stands at this position in its chunk.
    pub(super) fn push(&mut self, position: usize, piece: &Value) -> Vec<Delta> {
        let number = piece["index"].as_u64().unwrap_or(position as u64);
        let function = &piece["function"];
        let (id, name) = (text(piece, "id"), text(function, "name"));
        let mut deltas = Vec::new();
        let index = self.continued(number, id, name).unwrap_or_else(|| {
            let index = self.begin(number, id);
            deltas.push(Delta::ToolCall {
                index,
                id: id.to_owned(),
                name: name.to_owned(),
            });
            index
        });
        let arguments = text(function, "arguments");
        if !arguments.is_empty() {
            deltas.push(Delta::ToolArguments {
                index,
                arguments: arguments.to_owned(),
            });
        }
        deltas
    }

    /// Returns the index of the call that a piece continues. Some servers give all calls the same
    /// number, others give a call a new id with each piece: another call has an id and a name of
    /// its own.
    fn continued(&self, number: u64, id: &str, name: &str) -> Option<u32> {
        let continues = |call: &Known| {
            let is_another = !id.is_empty() && id != call.id && !name.is_empty();
            call.number == number && !is_another
        };
        let index = self.known.iter().rposition(continues)?;
        u32::try_from(index).ok()
    }

    fn begin(&mut self, number: u64, id: &str) -> u32 {
        let index = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(Known {
            number,
            id: id.to_owned(),
        });
        index
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The index, id and arguments of each call.
    fn calls(pieces: &[Value]) -> Vec<(u32, String, String)> {
        let mut calls = ToolCalls::default();
        let mut found: Vec<(u32, String, String)> = Vec::new();
        for delta in pieces.iter().flat_map(|piece| calls.push(0, piece)) {
            match delta {
                Delta::ToolCall { index, id, .. } => found.push((index, id, String::new())),
                Delta::ToolArguments { index, arguments } => {
                    let call = found.iter_mut().find(|(number, ..)| *number == index);
                    call.expect("it has begun").2.push_str(&arguments);
                }
                other => panic!("{other:?}"),
            }
        }
        found
    }

    fn call(index: u32, id: &str, arguments: &str) -> (u32, String, String) {
        (index, id.to_owned(), arguments.to_owned())
    }

    #[test]
    fn calls_may_interleave() {
        let pieces = [
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}),
            json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{\"y\""}}),
            json!({"index": 0, "function": {"arguments": "{}"}}),
            json!({"index": 1, "function": {"arguments": ":1}"}}),
        ];
        assert_eq!(
            calls(&pieces),
            [call(0, "a", "{}"), call(1, "b", "{\"y\":1}")]
        );
    }

    #[test]
    fn calls_of_one_number_differ_by_id_and_name() {
        let pieces = [
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}),
            json!({"index": 0, "id": "b", "function": {"name": "f", "arguments": "{"}}),
            json!({"index": 0, "id": "c", "function": {"arguments": "}"}}),
        ];
        assert_eq!(calls(&pieces), [call(0, "a", "{}"), call(1, "b", "{}")]);
    }
}
