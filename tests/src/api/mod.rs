//! The two APIs as the tests speak them, towards Deja and on behalf of a scripted upstream.

mod anthropic;
mod openai;

use serde_json::Value;

use crate::upstream::{Asked, Gate, Reply};

/// An API that clients and upstreams speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `OpenAI`'s chat completions.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
}

/// Each client with each upstream.
pub const PAIRS: [(Api, Api); 4] = [
    (Api::OpenAi, Api::OpenAi),
    (Api::OpenAi, Api::Anthropic),
    (Api::Anthropic, Api::OpenAi),
    (Api::Anthropic, Api::Anthropic),
];

/// The prompt's tokens in a scripted answer that names no others.
pub const PROMPT_TOKENS: u32 = 11;

/// The answer's tokens in a scripted answer that names no others.
pub const ANSWER_TOKENS: u32 = 7;

/// What a scripted model answers, in no API's form.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it thought before.
    pub thinking: Option<String>,
    /// Its text, in the pieces in which it is streamed.
    pub pieces: Vec<String>,
    /// The tools it calls.
    pub calls: Vec<ToolCall>,
    /// Why it ended.
    pub stop: Stop,
    /// The tokens of its prompt.
    pub prompt_tokens: u32,
    /// Its own tokens.
    pub answer_tokens: u32,
}

/// A call of a tool.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// Its id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What the tool is given, as JSON.
    pub arguments: Value,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model had said all.
    End,
    /// It was as long as was allowed.
    Length,
    /// The model calls tools.
    Tools,
    /// The model would not answer.
    Refusal,
}

impl Answer {
    /// A text, which is streamed word by word.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self {
            thinking: None,
            pieces: text.split_inclusive(' ').map(str::to_owned).collect(),
            calls: Vec::new(),
            stop: Stop::End,
            prompt_tokens: PROMPT_TOKENS,
            answer_tokens: ANSWER_TOKENS,
        }
    }

    /// The same after some thought.
    #[must_use]
    pub fn after_thinking(mut self, thinking: &str) -> Self {
        self.thinking = Some(thinking.to_owned());
        self
    }

    /// The same with one call of a tool more.
    #[must_use]
    pub fn calling(mut self, id: &str, name: &str, arguments: Value) -> Self {
        self.calls.push(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments,
        });
        self.stop = Stop::Tools;
        self
    }

    /// The same with another reason to stop.
    #[must_use]
    pub fn stopping(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// The text in one piece.
    #[must_use]
    pub fn whole_text(&self) -> String {
        self.pieces.concat()
    }
}

impl Api {
    /// Where clients ask.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// The settings of a backend of this API at an address.
    #[must_use]
    pub fn backend(self, url: &str) -> String {
        let (name, base) = match self {
            Self::OpenAi => ("openai", "/v1"),
            Self::Anthropic => ("anthropic", ""),
        };
        format!("[[backend]]\nkind = \"upstream\"\napi = \"{name}\"\nurl = \"{url}{base}\"\n")
    }

    /// A request with one question.
    #[must_use]
    pub fn question(self, content: &str) -> Value {
        serde_json::json!({
            "model": "scripted",
            "max_tokens": 64,
            "messages": [{"role": "user", "content": content}],
        })
    }

    /// A request with one question whose answer is to be streamed.
    #[must_use]
    pub fn streamed_question(self, content: &str) -> Value {
        let mut request = self.question(content);
        request["stream"] = true.into();
        request
    }

    /// The text of a whole answer.
    #[must_use]
    pub fn text(self, answer: &Value) -> &str {
        let text = match self {
            Self::OpenAi => answer["choices"][0]["message"]["content"].as_str(),
            Self::Anthropic => answer["content"]
                .as_array()
                .and_then(|blocks| blocks.iter().find_map(|block| block["text"].as_str())),
        };
        text.unwrap_or_else(|| panic!("no text in {answer}"))
    }

    /// A whole answer's document.
    #[must_use]
    pub fn document(self, answer: &Answer) -> Value {
        match self {
            Self::OpenAi => openai::document(answer),
            Self::Anthropic => anthropic::document(answer),
        }
    }

    /// The frames of a streamed answer, with the count of tokens where that is optional.
    #[must_use]
    pub fn frames(self, answer: &Answer, usage: bool) -> Vec<String> {
        match self {
            Self::OpenAi => openai::frames(answer, usage),
            Self::Anthropic => anthropic::frames(answer),
        }
    }

    /// The answer as the request wants it.
    #[must_use]
    pub fn reply(self, asked: &Asked, answer: &Answer) -> Reply {
        if asked.wants_stream() {
            let usage = asked.json()["stream_options"]["include_usage"] == true;
            Reply::frames(self.frames(answer, usage))
        } else {
            Reply::json(&self.document(answer))
        }
    }

    /// A streamed answer whose first piece of text comes at once, and the rest when the gate opens.
    #[must_use]
    pub fn held_back(self, answer: &Answer, gate: &Gate) -> Reply {
        let mut frames = self.frames(answer, false);
        let first = frames
            .iter()
            .position(|frame| frame.contains(&answer.pieces[0]));
        let rest = frames.split_off(first.expect("it holds the text") + 1);
        Reply::frames(frames).wait(gate).then_all(rest)
    }

    /// An error as the API tells it.
    #[must_use]
    pub fn error(self, status: u16, message: &str) -> Reply {
        let document = match self {
            Self::OpenAi => openai::error(status, message),
            Self::Anthropic => anthropic::error(status, message),
        };
        Reply::json(&document).status(status)
    }

    /// An error in mid-stream, as the API tells it.
    #[must_use]
    pub fn error_frame(self, message: &str) -> String {
        match self {
            Self::OpenAi => openai::frame(&openai::error(500, message)),
            Self::Anthropic => anthropic::frame(&anthropic::error(529, message)),
        }
    }

    /// Where an answer's document tells why it ended.
    #[must_use]
    pub fn stop(self, answer: &Value) -> &str {
        let stop = match self {
            Self::OpenAi => &answer["choices"][0]["finish_reason"],
            Self::Anthropic => &answer["stop_reason"],
        };
        stop.as_str()
            .unwrap_or_else(|| panic!("no reason in {answer}"))
    }

    /// A reason to stop in this API's words.
    #[must_use]
    pub fn stop_name(self, stop: Stop) -> &'static str {
        match self {
            Self::OpenAi => openai::stop_name(stop),
            Self::Anthropic => anthropic::stop_name(stop),
        }
    }

    /// The tokens of a whole answer: the prompt's, and the answer's.
    #[must_use]
    pub fn tokens(self, answer: &Value) -> (&Value, &Value) {
        let usage = &answer["usage"];
        match self {
            Self::OpenAi => (&usage["prompt_tokens"], &usage["completion_tokens"]),
            Self::Anthropic => (&usage["input_tokens"], &usage["output_tokens"]),
        }
    }
}
