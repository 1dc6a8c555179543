//! Conversations and the turns that they are made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Tool, ToolChoice};

/// A conversation that a model continues, and the tools that it may call for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its turns, oldest first.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may, and which.
    pub tool_choice: ToolChoice,
    /// Whether it may call several in one answer.
    pub parallel_tool_calls: bool,
    /// Variables for the model's chat template, like `enable_thinking`.
    pub template_arguments: Map<String, Value>,
}

impl From<Vec<Message>> for Conversation {
    /// A conversation without tools.
    fn from(messages: Vec<Message>) -> Self {
        Self {
            messages,
            parallel_tool_calls: true,
            ..Self::default()
        }
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// What the model thought before it spoke.
    pub reasoning: Option<String>,
    /// The tools that the model called.
    pub tool_calls: Vec<ToolCall>,
    /// The call whose result this is.
    pub tool_call_id: Option<String>,
    /// The speaker's name, or that of the tool.
    pub name: Option<String>,
}

impl Message {
    /// A turn that only says something.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            reasoning: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
        }
    }
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// What the tool's result refers to.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, JSON if the model made no mistake.
    pub arguments: String,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The one who sets the rules.
    #[serde(alias = "developer")]
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}
