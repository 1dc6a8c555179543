//! The conversation: the system prompt, and turns that the two sides take.

use serde::Serialize;
use serde_json::Value;

use super::blocks::{blocks, text_block, texts};
use crate::{BadRequest, Request, Role, encode_request::Omissions};

/// A conversation as Anthropic's API holds it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// Text blocks that set the rules.
    pub(super) system: Vec<Value>,
    /// What is said; the roles take turns.
    pub(super) turns: Vec<Turn>,
}

/// All that one side says at once.
#[derive(Debug, Serialize)]
pub(super) struct Turn {
    role: &'static str,
    content: Vec<Value>,
}

impl Turn {
    /// Whether a tool answers in it.
    pub(super) fn holds_result(&self) -> bool {
        let mut blocks = self.content.iter();
        blocks.any(|block| block["type"] == "tool_result")
    }

    /// Whether the model thought before it spoke.
    pub(super) fn begins_with_reasoning(&self) -> bool {
        let first = self.content.first();
        first.is_some_and(|block| {
            block["type"] == "thinking" || block["type"] == "redacted_thinking"
        })
    }
}

impl Conversation {
    /// Adds to the last turn or begins the next: messages in a row by one side are one turn, as
    /// the results of several tools must be.
    fn say(&mut self, role: &'static str, blocks: Vec<Value>) {
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ => self.turns.push(Turn {
                role,
                content: blocks,
            }),
        }
    }

    /// Rules that come late stay at their place, marked, in the user's turn. Few models take the
    /// role `system` within a conversation, and moved to the front they would change the meaning
    /// of what came before, and the prefix that the server has cached.
    fn instruct(&mut self, texts: Vec<&str>) {
        if self.turns.is_empty() {
            self.system.extend(texts.into_iter().map(text_block));
            return;
        }
        let marked = |text| text_block(&format!("<system>\n{text}\n</system>"));
        self.say("user", texts.into_iter().map(marked).collect());
    }
}

/// Encodes the turns.
pub(super) fn conversation(
    request: &Request,
    omissions: &mut Omissions,
) -> Result<Conversation, BadRequest> {
    let mut conversation = Conversation::default();
    for turn in &request.turns {
        if turn.name.is_some() {
            omissions.leave_out(format!("{}.name", turn.place));
        }
        match turn.role {
            Role::System => conversation.instruct(texts(&turn.parts, omissions)?),
            Role::Assistant => conversation.say("assistant", blocks(turn, omissions)?),
            Role::User | Role::Tool => conversation.say("user", blocks(turn, omissions)?),
        }
    }
    if conversation.turns.is_empty() {
        let problem = "must hold at least one message of the user";
        return Err(BadRequest::field(request.places.turns, problem));
    }
    Ok(conversation)
}
