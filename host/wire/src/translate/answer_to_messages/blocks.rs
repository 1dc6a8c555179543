//! The content blocks of an answer in the making.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::super::text;

/// Anthropic's blocks follow one another, while `OpenAI`'s tool calls may interleave. So the block
/// that comes first streams, and those behind it wait until it can get no more: thoughts and text
/// when another block begins, a tool call when the answer ends.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Those that are not over; the first is the one that streams.
    open: VecDeque<Block>,
    /// How many are over.
    closed: usize,
    /// How many of all are tool calls.
    calls: usize,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    started: bool,
    /// What it holds that no event has told yet.
    untold: String,
}

/// What a block holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the model thinks before it speaks.
    Thinking,
    /// What it says.
    Text,
    /// A tool that it calls.
    ToolUse {
        /// The call's number in the source.
        number: u64,
        /// What the tool's result will refer to.
        id: String,
        /// The tool.
        name: String,
    },
}

/// A piece of a tool call, as the source sends it: with an id and a name if it is the first.
#[derive(Debug)]
pub(super) struct CallPiece<'a> {
    number: u64,
    id: &'a str,
    name: &'a str,
    arguments: &'a str,
}

impl<'a> CallPiece<'a> {
    /// Reads the piece that stands at this position in its chunk.
    pub(super) fn read(position: usize, piece: &'a Value) -> Self {
        let function = &piece["function"];
        Self {
            number: piece["index"].as_u64().unwrap_or(position as u64),
            id: text(piece, "id"),
            name: text(function, "name"),
            arguments: text(function, "arguments"),
        }
    }

    /// Some servers give all calls the same number, others give a call a new id with each piece:
    /// another call has an id and a name of its own.
    fn continues(&self, block: &Block) -> bool {
        match &block.kind {
            Kind::ToolUse { number, id, .. } => {
                let is_another = !self.id.is_empty() && self.id != id && !self.name.is_empty();
                *number == self.number && !is_another
            }
            Kind::Thinking | Kind::Text => false,
        }
    }
}

impl Blocks {
    /// Adds to the last block if it is of this kind, and else begins one.
    pub(super) fn say(&mut self, kind: Kind, piece: &str) {
        match self.open.back_mut() {
            _ if piece.is_empty() => {}
            Some(block) if block.kind == kind => block.untold.push_str(piece),
            _ => self.begin(kind, piece),
        }
    }

    /// Adds to the call that this piece continues, or begins one, whose id is made of `fallback_id`
    /// where the source gives none.
    pub(super) fn call(&mut self, piece: &CallPiece<'_>, fallback_id: &str) {
        let mut newest_first = self.open.iter_mut().rev();
        if let Some(block) = newest_first.find(|block| piece.continues(block)) {
            block.untold.push_str(piece.arguments);
            return;
        }
        let kind = Kind::ToolUse {
            number: piece.number,
            id: match piece.id {
                "" => format!("toolu_{fallback_id}_{}", self.calls),
                id => id.to_owned(),
            },
            name: piece.name.to_owned(),
        };
        self.calls += 1;
        self.begin(kind, piece.arguments);
    }

    fn begin(&mut self, kind: Kind, piece: &str) {
        self.open.push_back(Block {
            kind,
            started: false,
            untold: piece.to_owned(),
        });
    }

    /// Whether there is a tool call among them.
    pub(super) fn hold_calls(&self) -> bool {
        self.calls > 0
    }

    /// The events for what can be told by now.
    pub(super) fn tell(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(first) = self.open.front_mut() {
            first.tell(self.closed, &mut events);
            let may_grow = matches!(first.kind, Kind::ToolUse { .. }) || self.open.len() == 1;
            if may_grow {
                break;
            }
            self.close_first(&mut events);
        }
        events
    }

    /// The events for all that is left, as nothing more will come.
    pub(super) fn tell_rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(first) = self.open.front_mut() {
            first.tell(self.closed, &mut events);
            self.close_first(&mut events);
        }
        events
    }

    fn close_first(&mut self, events: &mut Vec<Value>) {
        events.push(json!({"type": "content_block_stop", "index": self.closed}));
        self.open.pop_front();
        self.closed += 1;
    }
}

impl Block {
    /// Tells its start, once, and what has come since.
    fn tell(&mut self, index: usize, events: &mut Vec<Value>) {
        if !self.started {
            self.started = true;
            let block = self.kind.empty();
            let start =
                json!({"type": "content_block_start", "index": index, "content_block": block});
            events.push(start);
        }
        if !self.untold.is_empty() {
            let delta = self.kind.delta(&std::mem::take(&mut self.untold));
            events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
    }
}

impl Kind {
    /// A block of this kind with nothing in it. Clients want a signature on every thought, also
    /// where there is nobody to sign it.
    fn empty(&self) -> Value {
        match self {
            Self::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Self::Text => json!({"type": "text", "text": ""}),
            Self::ToolUse { id, name, .. } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": {}})
            }
        }
    }

    fn delta(&self, piece: &str) -> Value {
        match self {
            Self::Thinking => json!({"type": "thinking_delta", "thinking": piece}),
            Self::Text => json!({"type": "text_delta", "text": piece}),
            Self::ToolUse { .. } => json!({"type": "input_json_delta", "partial_json": piece}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pieces: &[Value]) -> Blocks {
        let mut blocks = Blocks::default();
        for piece in pieces {
            blocks.call(&CallPiece::read(0, piece), "7");
        }
        blocks
    }

    /// The id and the arguments of each call.
    fn calls(pieces: &[Value]) -> Vec<(String, String)> {
        let mut calls = Vec::new();
        for event in after(pieces).tell_rest() {
            match event["type"].as_str() {
                Some("content_block_start") => {
                    calls.push((
                        text(&event["content_block"], "id").to_owned(),
                        String::new(),
                    ));
                }
                Some("content_block_delta") => {
                    let (_, arguments) = calls.last_mut().expect("a block starts first");
                    arguments.push_str(text(&event["delta"], "partial_json"));
                }
                _ => {}
            }
        }
        calls
    }

    fn pair(id: &str, arguments: &str) -> (String, String) {
        (id.to_owned(), arguments.to_owned())
    }

    #[test]
    fn calls_that_interleave_come_one_after_the_other() {
        let pieces = [
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}),
            json!({"index": 1, "id": "b", "function": {"name": "g", "arguments": "{\"y\""}}),
            json!({"index": 0, "function": {"arguments": "{}"}}),
            json!({"index": 1, "function": {"arguments": ":1}"}}),
        ];
        assert_eq!(calls(&pieces), [pair("a", "{}"), pair("b", "{\"y\":1}")]);
    }

    #[test]
    fn calls_of_one_number_are_told_apart_by_id_and_name() {
        let pieces = [
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}),
            json!({"index": 0, "id": "b", "function": {"name": "f", "arguments": "{"}}),
            json!({"index": 0, "id": "c", "function": {"arguments": "}"}}),
        ];
        assert_eq!(calls(&pieces), [pair("a", "{}"), pair("b", "{}")]);
    }

    #[test]
    fn a_call_without_an_id_gets_one() {
        let call = |index| json!({"index": index, "function": {"name": "f", "arguments": "{}"}});
        let expected = [pair("toolu_7_0", "{}"), pair("toolu_7_1", "{}")];
        assert_eq!(calls(&[call(0), call(1)]), expected);
    }

    #[test]
    fn the_first_call_streams_and_the_second_waits() {
        let mut blocks = after(&[json!({"index": 0, "id": "a", "function": {"name": "f"}})]);
        assert_eq!(blocks.tell().len(), 1);
        let second = json!({"index": 1, "id": "b", "function": {"name": "g"}});
        blocks.call(&CallPiece::read(0, &second), "7");
        assert!(blocks.tell().is_empty());
        let more = json!({"index": 0, "function": {"arguments": "{}"}});
        blocks.call(&CallPiece::read(0, &more), "7");
        assert_eq!(blocks.tell()[0]["delta"]["partial_json"], "{}");
    }

    #[test]
    fn text_is_told_at_once_and_closed_by_what_follows() {
        let mut blocks = Blocks::default();
        blocks.say(Kind::Text, "a");
        assert_eq!(blocks.tell().len(), 2);
        blocks.say(Kind::Thinking, "");
        assert!(blocks.tell().is_empty());
        blocks.say(Kind::Thinking, "b");
        let types: Vec<_> = blocks
            .tell()
            .iter()
            .map(|e| text(e, "type").to_owned())
            .collect();
        let expected = [
            "content_block_stop",
            "content_block_start",
            "content_block_delta",
        ];
        assert_eq!(types, expected);
    }
}
