//! What comes out of the reading of a text.

use deja_wire::{Delta, Tool};
use rand::{RngExt, distr::Alphanumeric};

/// Random characters of a call's id.
const ID_LENGTH: usize = 24;

/// Collects the deltas of one answer.
#[derive(Clone, Debug)]
pub(super) struct Sink {
    tools: Vec<Tool>,
    deltas: Vec<Delta>,
    calls: u32,
}

impl Sink {
    pub(super) fn new(tools: Vec<Tool>) -> Self {
        Self {
            tools,
            deltas: Vec::new(),
            calls: 0,
        }
    }

    /// How many calls have begun.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// The tool of this name, if the model may call one.
    pub(super) fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    pub(super) fn text(&mut self, piece: &str) {
        match self.deltas.last_mut() {
            _ if piece.is_empty() => {}
            Some(Delta::Text { text, .. }) => text.push_str(piece),
            _ => self.deltas.push(Delta::text(piece)),
        }
    }

    /// Begins a call, if there is such a tool.
    pub(super) fn call(&mut self, name: &str) -> bool {
        if self.tool(name).is_none() {
            return false;
        }
        let random = rand::rng().sample_iter(Alphanumeric).take(ID_LENGTH);
        let random: String = random.map(char::from).collect();
        self.deltas.push(Delta::ToolCall {
            index: self.calls,
            id: format!("call_{random}"),
            name: name.to_owned(),
        });
        self.calls += 1;
        true
    }

    /// Adds to the arguments of the last call.
    pub(super) fn arguments(&mut self, piece: &str) {
        let last = self.calls.saturating_sub(1);
        match self.deltas.last_mut() {
            _ if piece.is_empty() => {}
            Some(Delta::ToolArguments { arguments, .. }) => arguments.push_str(piece),
            _ => self.deltas.push(Delta::ToolArguments {
                index: last,
                arguments: piece.to_owned(),
            }),
        }
    }

    /// What came out since the last time.
    pub(super) fn take(&mut self) -> Vec<Delta> {
        std::mem::take(&mut self.deltas)
    }
}
