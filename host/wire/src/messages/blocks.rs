//! The order of an answer's content blocks.

use std::collections::VecDeque;

use crate::Delta;

/// Anthropic's blocks follow one another, while the tool calls of other APIs may interleave. So the
/// first block that is open streams, and those behind it wait until it can get no more: reasoning
/// and text when another block begins, a tool call when the answer ends.
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
    /// Whether it is thinking that has its proof already.
    signed: bool,
    /// Its pieces that are not encoded yet.
    waiting: Vec<Piece>,
}

/// What a block holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the model thinks before it speaks.
    Thinking,
    /// Reasoning that only Anthropic can read.
    RedactedThinking(String),
    /// What it says.
    Text,
    /// A tool that it calls.
    ToolUse {
        /// The call's number among the answer's calls.
        number: u32,
        /// What the tool's result will refer to; may be empty.
        id: String,
        /// The tool.
        name: String,
    },
}

/// A piece of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Of its thinking.
    Thinking(String),
    /// The proof of its thinking.
    Signature(String),
    /// Of its text.
    Text(String),
    /// Of its input.
    Input(String),
}

/// A step of the stream of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A block begins.
    Start(usize, Kind),
    /// It gets a piece.
    Piece(usize, Piece),
    /// It is over.
    Stop(usize),
}

impl Blocks {
    /// Returns whether there is a tool call among them.
    pub(super) fn hold_calls(&self) -> bool {
        self.calls > 0
    }

    /// Adds what an event says, and returns the steps that are possible now.
    pub(super) fn push(&mut self, delta: &Delta) -> Vec<Step> {
        match delta {
            // Anthropic's API has no other form for a refusal.
            Delta::Text { text, .. } | Delta::Refusal(text) => {
                self.add(Kind::Text, Piece::Text(text.clone()));
            }
            Delta::Reasoning(text) => self.think(Piece::Thinking(text.clone())),
            Delta::Signature(proof) => self.think(Piece::Signature(proof.clone())),
            Delta::EncryptedReasoning(data) => {
                self.begin(Kind::RedactedThinking(data.clone()), None);
            }
            Delta::ToolCall { index, id, name } => {
                self.calls += 1;
                let kind = Kind::ToolUse {
                    number: *index,
                    id: id.clone(),
                    name: name.clone(),
                };
                self.begin(kind, None);
            }
            Delta::ToolArguments { index, arguments } => self.arguments(*index, arguments),
        }
        self.advance()
    }

    /// Returns the steps that are left, as nothing more will come.
    pub(super) fn finish(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(first) = self.open.front_mut() {
            first.encode(self.closed, &mut steps);
            self.close_first(&mut steps);
        }
        steps
    }

    fn advance(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(first) = self.open.front_mut() {
            first.encode(self.closed, &mut steps);
            let may_grow = matches!(first.kind, Kind::ToolUse { .. }) || self.open.len() == 1;
            if may_grow {
                break;
            }
            self.close_first(&mut steps);
        }
        steps
    }

    /// Adds to the last block if it is of this kind, and else begins one.
    fn add(&mut self, kind: Kind, piece: Piece) {
        match self.open.back_mut() {
            Some(block) if block.kind == kind => block.waiting.push(piece),
            _ => self.begin(kind, Some(piece)),
        }
    }

    /// Adds to the thinking at the end, unless that has its proof already.
    fn think(&mut self, piece: Piece) {
        let proves = matches!(piece, Piece::Signature(_));
        let is_open = |block: &Block| block.kind == Kind::Thinking && !block.signed;
        if !self.open.back().is_some_and(is_open) {
            self.begin(Kind::Thinking, None);
        }
        if let Some(block) = self.open.back_mut() {
            block.waiting.push(piece);
            block.signed = proves;
        }
    }

    fn arguments(&mut self, number: u32, arguments: &str) {
        let is_this = |block: &&mut Block| matches!(&block.kind, Kind::ToolUse { number: own, .. } if *own == number);
        if let Some(block) = self.open.iter_mut().rev().find(is_this) {
            block.waiting.push(Piece::Input(arguments.to_owned()));
        }
    }

    fn begin(&mut self, kind: Kind, piece: Option<Piece>) {
        self.open.push_back(Block {
            kind,
            started: false,
            signed: false,
            waiting: piece.into_iter().collect(),
        });
    }

    fn close_first(&mut self, steps: &mut Vec<Step>) {
        steps.push(Step::Stop(self.closed));
        self.open.pop_front();
        self.closed += 1;
    }
}

impl Block {
    /// Adds its start, once, and the pieces that came since.
    fn encode(&mut self, index: usize, steps: &mut Vec<Step>) {
        if !self.started {
            self.started = true;
            steps.push(Step::Start(index, self.kind.clone()));
        }
        let pieces = self.waiting.drain(..);
        steps.extend(pieces.map(|piece| Step::Piece(index, piece)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(index: u32) -> Delta {
        Delta::ToolCall {
            index,
            id: format!("call_{index}"),
            name: "f".to_owned(),
        }
    }

    fn arguments(index: u32, arguments: &str) -> Delta {
        Delta::ToolArguments {
            index,
            arguments: arguments.to_owned(),
        }
    }

    fn input(index: usize, piece: &str) -> Step {
        Step::Piece(index, Piece::Input(piece.to_owned()))
    }

    #[test]
    fn the_first_call_streams_and_the_second_waits() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.push(&call(0)).len(), 1);
        assert!(blocks.push(&call(1)).is_empty());
        assert!(blocks.push(&arguments(1, "{\"y\":1}")).is_empty());
        assert_eq!(blocks.push(&arguments(0, "{}")), [input(0, "{}")]);
        let rest = blocks.finish();
        assert_eq!(rest[0], Step::Stop(0));
        assert_eq!(rest[2..], [input(1, "{\"y\":1}"), Step::Stop(1)]);
    }

    #[test]
    fn text_streams_at_once_and_is_closed_by_what_follows() {
        let mut blocks = Blocks::default();
        let text = Step::Piece(0, Piece::Text("a".to_owned()));
        assert_eq!(
            blocks.push(&Delta::text("a")),
            [Step::Start(0, Kind::Text), text]
        );
        let thinking = Step::Piece(1, Piece::Thinking("b".to_owned()));
        assert_eq!(
            blocks.push(&Delta::Reasoning("b".to_owned())),
            [Step::Stop(0), Step::Start(1, Kind::Thinking), thinking]
        );
    }

    #[test]
    fn a_proof_belongs_to_the_thinking_before_it() {
        let mut blocks = Blocks::default();
        blocks.push(&Delta::Reasoning("hm".to_owned()));
        let proof = Step::Piece(0, Piece::Signature("c2ln".to_owned()));
        assert_eq!(blocks.push(&Delta::Signature("c2ln".to_owned())), [proof]);
    }
}
