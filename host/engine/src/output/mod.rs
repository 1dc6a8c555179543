//! From the text that a model writes to what it thinks, says and calls.

mod calls;
mod grammar;
mod json;
mod marker;
mod mistral;
mod sink;
mod style;
mod thoughts;
mod xml;

#[cfg(test)]
mod tests;

use deja_wire::{Conversation, Delta, FinishReason, ToolChoice};

pub(crate) use grammar::grammar;
pub(crate) use marker::longest_beginning;
pub(crate) use style::{MARKERS, Style};

use calls::CallParser;
use thoughts::{Said, ThoughtParser};

/// Reads the text of one answer as it grows. However the text is cut into pieces, the deltas say
/// the same.
#[derive(Clone, Debug)]
pub(crate) struct OutputParser {
    thoughts: Option<ThoughtParser>,
    calls: Option<CallParser>,
    /// Whether one call is all.
    one_call: bool,
}

impl OutputParser {
    /// A parser for a text that is only a text.
    pub(crate) fn plain() -> Self {
        Self {
            thoughts: None,
            calls: None,
            one_call: false,
        }
    }

    /// A parser for the answer in a conversation, whose prompt is this text.
    pub(crate) fn new(style: Style, conversation: &Conversation, prompt: &str) -> Self {
        let calls = offers_tools(conversation);
        let opened = style.has_opened_thoughts(prompt);
        Self {
            thoughts: style
                .thoughts
                .map(|markers| ThoughtParser::new(markers, opened)),
            calls: calls.then(|| CallParser::new(style.calls, conversation.tools.clone())),
            one_call: !conversation.parallel_tool_calls,
        }
    }

    /// What was held back, for nothing follows.
    pub(crate) fn finish(&mut self) -> Vec<Delta> {
        let mut deltas = Vec::new();
        let rest = self.thoughts.as_mut().and_then(ThoughtParser::finish);
        deltas.extend(rest.into_iter().flat_map(|said| self.tell(said)));
        if let Some(calls) = &mut self.calls {
            deltas.extend(calls.finish());
        }
        deltas
    }

    /// Whether the answer is over, although its text may go on: one call was wanted, and made.
    pub(crate) fn is_over(&self) -> bool {
        let calls = self.calls.as_ref().filter(|_| self.one_call);
        calls.is_some_and(|calls| calls.calls() > 0 && !calls.is_in_call())
    }

    /// Why the model stopped, when its text ended for this reason.
    pub(crate) fn finish_reason(&self, finish: FinishReason) -> FinishReason {
        let called = self.calls.as_ref().is_some_and(|calls| calls.calls() > 0);
        match finish {
            FinishReason::Stop | FinishReason::StopString(_) if called => FinishReason::ToolCalls,
            finish => finish,
        }
    }

    /// What this text makes certain.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Delta> {
        let said = match &mut self.thoughts {
            Some(thoughts) => thoughts.push(text),
            None => vec![Said::Text(text.to_owned())],
        };
        said.into_iter().flat_map(|said| self.tell(said)).collect()
    }

    fn tell(&mut self, said: Said) -> Vec<Delta> {
        match (said, &mut self.calls) {
            (Said::Text(text), Some(calls)) => calls.push(&text),
            (Said::Text(text), None) if text.is_empty() => Vec::new(),
            (Said::Text(text), None) => vec![Delta::text(text)],
            (Said::Thought(thought), _) => vec![Delta::Reasoning(thought)],
        }
    }
}

/// Whether the model may call something.
pub(crate) fn offers_tools(conversation: &Conversation) -> bool {
    !conversation.tools.is_empty() && conversation.tool_choice != ToolChoice::None
}
