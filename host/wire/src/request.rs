//! What a client asks, free of any wire format.
//!
//! Each API decodes its requests to a [`Request`] and encodes one for its servers. A field that
//! means the same in all APIs, or that no other API has, stays in [`Request::fields`] under its own
//! name: whoever encodes decides whether it passes, is left out, or is refused by that name.

use serde_json::{Map, Value};

use crate::{BadRequest, Role, ToolCall, ToolChoice};

/// A request for an answer to a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The model asked for, if one was.
    pub model: Option<String>,
    /// The conversation, oldest turn first; system prompts stand where they were given.
    pub turns: Vec<Turn>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it has to, if the client says so.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several tools in one answer, if the client says so.
    pub parallel_tool_calls: Option<bool>,
    /// What the answer has to be.
    pub format: OutputFormat,
    /// The most tokens to generate, those of reasoning included.
    pub max_tokens: Option<u64>,
    /// Texts at which the answer ends.
    pub stop: Vec<String>,
    /// How hard the model is to think, if the client says so.
    pub effort: Option<Effort>,
    /// A name of the client's user.
    pub user: Option<String>,
    /// Whether the answer is wanted as a stream.
    pub stream: bool,
    /// All other fields of the body, in order and as they came: `temperature`, `top_p`, `seed`, and
    /// what only one API has.
    pub fields: Map<String, Value>,
    /// What the client's API puts between two texts of a turn where they have to be one.
    pub text_separator: &'static str,
    /// What the client's body calls its fields, for errors.
    pub places: Places,
    /// What was left out when the body was decoded, as it only concerns the client's own API: where
    /// it stands.
    pub left_out: Vec<String>,
}

impl Request {
    /// Joins texts of one turn as the client's API means it; empty ones are left out.
    pub(crate) fn join<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> String {
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>().join(self.text_separator)
    }

    /// Returns the choice among the tools of a kind that is known to the server. Refuses that of a
    /// tool that is not there.
    pub(crate) fn choice_among(
        &self,
        is_known: fn(&ToolKind) -> bool,
    ) -> Result<Option<&ToolChoice>, BadRequest> {
        if let Some(ToolChoice::Function(name)) = &self.tool_choice {
            let kinds = self.tools.iter().map(|tool| &tool.kind);
            let mut known = kinds.filter(|kind| is_known(kind));
            if !known.any(|kind| kind.name() == Some(name)) {
                let place = self.places.chosen_tool;
                return Err(BadRequest::field(place, "is no tool's name"));
            }
        }
        Ok(self.tool_choice.as_ref())
    }
}

/// Where a request's fields stand in the client's body. By default, where chat completions have
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// The conversation.
    pub turns: &'static str,
    /// The choice of a tool.
    pub tool_choice: &'static str,
    /// The name of the tool that is chosen.
    pub chosen_tool: &'static str,
    /// What the answer has to be.
    pub format: &'static str,
    /// The limit of tokens.
    pub max_tokens: &'static str,
    /// The texts at which the answer ends.
    pub stop: &'static str,
    /// How hard the model is to think.
    pub effort: &'static str,
    /// The name of the client's user.
    pub user: &'static str,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            turns: "messages",
            tool_choice: "tool_choice",
            chosen_tool: "tool_choice.function.name",
            format: "response_format",
            max_tokens: "max_tokens",
            stop: "stop",
            effort: "reasoning_effort",
            user: "user",
        }
    }
}

/// All that one side says at once. Results of tools stand in turns of [`Role::Tool`], which hold
/// nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// The speaker's name.
    pub name: Option<String>,
    /// Where the turn stands in the client's body, like `messages[0]`.
    pub place: String,
}

impl Turn {
    /// A turn of a speaker without a name.
    pub(crate) fn new(role: Role, parts: Vec<Part>, place: String) -> Self {
        let name = None;
        Self {
            role,
            parts,
            name,
            place,
        }
    }
}

/// A part of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Where it stands in the client's body, like `messages[0].content[1]`. For a call, where its
    /// name and arguments stand, like `messages[0].tool_calls[0].function`.
    pub place: String,
}

/// What a part of a turn is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text.
    Text(String),
    /// The model's refusal to answer.
    Refusal(String),
    /// An image, and in which detail it is to be seen.
    Image {
        /// Its bytes, or where they are.
        source: Media,
        /// `low`, `high` or `auto`, where the client says so.
        detail: Option<String>,
    },
    /// A document, like a PDF.
    Document {
        /// Its bytes, or where they are.
        source: Media,
        /// Its name.
        name: Option<String>,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// The thoughts, as far as they may be read.
        text: String,
        /// The vendor's proof of them, to be sent back as it came.
        signature: Option<String>,
    },
    /// Reasoning that only its vendor can read, to be sent back as it came.
    EncryptedReasoning(String),
    /// A call of a tool by the model.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult {
        /// The id of its call.
        id: String,
        /// Texts, images and documents.
        parts: Vec<Part>,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// A part that only the client's own API knows, as it came.
    Other(Value),
}

/// The bytes of an image or a document, or where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// At this URL, which is no data URL.
    Url(String),
    /// Here, in base64.
    Base64 {
        /// Their media type.
        media_type: String,
        /// The bytes.
        data: String,
    },
    /// In a file that the client has uploaded to its vendor.
    File(String),
}

/// A tool that a request offers.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// What it is.
    pub kind: ToolKind,
    /// Where it stands in the client's body, like `tools[0]`.
    pub place: String,
}

/// What a tool is.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// A function whose arguments are JSON.
    Function {
        /// How the model calls it.
        name: String,
        /// What it does.
        description: Option<String>,
        /// The JSON schema of its arguments, an object's.
        parameters: Option<Value>,
        /// Whether calls have to follow that schema, if the client says so.
        strict: Option<bool>,
    },
    /// A tool that takes any text.
    Custom {
        /// How the model calls it.
        name: String,
        /// What it does.
        description: Option<String>,
        /// A grammar that the text has to follow, in the form of `OpenAI`'s Responses.
        format: Option<Value>,
    },
    /// One that the client's vendor runs itself, as it came.
    Hosted(Value),
}

impl ToolKind {
    /// Returns how the model calls a tool that the client runs.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Function { name, .. } | Self::Custom { name, .. } => Some(name),
            Self::Hosted(_) => None,
        }
    }

    /// Whether it is a function whose arguments are JSON.
    pub(crate) fn is_function(&self) -> bool {
        matches!(self, Self::Function { .. })
    }
}

/// What an answer has to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OutputFormat {
    /// Any text.
    #[default]
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that a schema allows.
    JsonSchema {
        /// The schema's name, where the client gives one.
        name: Option<String>,
        /// The schema.
        schema: Value,
        /// Whether the answer has to follow it exactly, if the client says so.
        strict: Option<bool>,
    },
}

/// How hard a model is to think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Not at all, said in another way than by a word. Servers that know only words are not told:
    /// those whose model cannot think refuse it.
    None,
    /// As hard as this word says, like `low`; `none` is one of them.
    Word(String),
    /// For so many tokens.
    Budget(u64),
}
