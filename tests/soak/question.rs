//! What is asked, and how it is written.

use deja_tests::{Answer, Api};
use serde_json::{Value, json};

use crate::{fault::Fault, model};

/// Words that fill long questions up.
const FILLER: [&str; 8] = [
    "fox", "river", "ärger", "stone", "“so”", "日本", "window", "seven",
];

/// Who answers a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The scripted upstream that speaks `OpenAI`'s API.
    OpenAi,
    /// The scripted upstream that speaks Anthropic's API.
    Anthropic,
    /// The server's own engine.
    Engine,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// `OpenAI`'s chat completions.
    Chat,
    /// `OpenAI`'s completions.
    Completion,
    /// Anthropic's messages.
    Message,
    /// Anthropic's count of tokens.
    Count,
    /// `OpenAI`'s embeddings.
    Embedding,
}

/// A question with all that its answer depends on.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) call: Call,
    pub(crate) target: Target,
    pub(crate) model: &'static str,
    /// The caller's key, if it shows one.
    pub(crate) caller: Option<&'static str>,
    /// A header that chooses an answer, beside the key.
    pub(crate) organization: Option<u8>,
    pub(crate) topic: u32,
    /// How long the text is at least, in bytes.
    pub(crate) size: usize,
    /// Whether the model is given tools.
    pub(crate) tools: bool,
    /// Whether there are turns before the last one.
    pub(crate) turns: bool,
    /// How the upstream fails at it, most of the time.
    pub(crate) fault: Option<Fault>,
    /// Whether the upstream takes its time.
    pub(crate) slow: bool,
}

/// How a question is written, which does not change its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spelling {
    /// Whether the answer is to be a stream.
    pub(crate) stream: bool,
    /// Whether a stream is to say its token counts.
    pub(crate) usage: bool,
    /// Whether case and space differ from the usual ones.
    pub(crate) odd: bool,
}

impl Call {
    /// The path that is posted to.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => Api::OpenAi.path(),
            Self::Completion => "/v1/completions",
            Self::Message => Api::Anthropic.path(),
            Self::Count => "/v1/messages/count_tokens",
            Self::Embedding => "/v1/embeddings",
        }
    }

    /// The API that it belongs to.
    pub(crate) fn api(self) -> Api {
        match self {
            Self::Chat | Self::Completion | Self::Embedding => Api::OpenAi,
            Self::Message | Self::Count => Api::Anthropic,
        }
    }

    /// Whether its answer can be streamed.
    pub(crate) fn streams(self) -> bool {
        !matches!(self, Self::Count | Self::Embedding)
    }
}

impl Question {
    /// The kind under which it is counted.
    pub(crate) fn kind(&self) -> String {
        format!("{:?} → {:?}", self.call, self.target)
    }

    /// What tells it from all other questions to the engine.
    pub(crate) fn identity(&self) -> String {
        format!(
            "{:?} {} {} {}",
            self.call, self.topic, self.tools, self.turns
        )
    }

    /// Whether the API of the client is the upstream's, whose headers pass then.
    pub(crate) fn is_translated(&self) -> bool {
        match self.target {
            Target::OpenAi => self.call.api() != Api::OpenAi,
            Target::Anthropic => self.call.api() != Api::Anthropic,
            Target::Engine => false,
        }
    }

    /// The text of the last turn, spelt in the usual way.
    fn text(&self) -> String {
        if self.target == Target::Engine {
            return format!("What is {} and {}?", self.topic, self.topic * 7 % 100);
        }
        let fault = self.fault.map_or("none", Fault::name);
        let pace = if self.slow { "slow" } else { "quick" };
        let mut text = format!("question {} fault {fault} pace {pace}", self.topic);
        let mut at = self.topic as usize;
        while text.len() < self.size {
            text.push(' ');
            text.push_str(FILLER[at % FILLER.len()]);
            // Far apart and never the same in two topics.
            at = at
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1 + self.topic as usize);
            at ^= at >> 29;
        }
        text
    }

    fn spelt(&self, odd: bool) -> String {
        let text = self.text();
        match text.split_once(' ') {
            Some((first, rest)) if odd && self.target != Target::Engine => {
                format!("{}  {rest} ", first.to_uppercase())
            }
            _ => text,
        }
    }

    /// The turns of the conversation, each with its role.
    fn conversation(&self, odd: bool) -> Vec<Value> {
        let mut turns = Vec::new();
        if self.turns {
            let earlier = format!("remember {}", self.topic % 7);
            turns.push(json!({"role": "user", "content": earlier}));
            turns.push(json!({"role": "assistant", "content": "so be it"}));
        }
        turns.push(json!({"role": "user", "content": self.spelt(odd)}));
        turns
    }

    /// The request's body.
    pub(crate) fn body(&self, spelling: Spelling) -> Value {
        let mut body = json!({"model": self.model});
        match self.call {
            Call::Chat | Call::Message | Call::Count => {
                body["messages"] = self.conversation(spelling.odd).into();
            }
            Call::Completion => body["prompt"] = self.spelt(spelling.odd).into(),
            Call::Embedding => body["input"] = self.spelt(spelling.odd).into(),
        }
        if self.call.streams() {
            body["max_tokens"] = 12.into();
            body["temperature"] = 0.into();
            if spelling.stream {
                body["stream"] = true.into();
            }
            if spelling.stream && spelling.usage && self.call.api() == Api::OpenAi {
                body["stream_options"] = json!({"include_usage": true});
            }
        }
        if self.tools {
            body["tools"] = tools(self.call.api());
        }
        body
    }

    /// The right answer of a scripted upstream.
    pub(crate) fn answer(&self, caller: Option<&str>) -> Answer {
        let turns = self.conversation(false);
        let prompt = match self.call {
            Call::Chat | Call::Message | Call::Count => model::prompt_of(&turns),
            Call::Completion | Call::Embedding => model::canonical(&self.text()),
        };
        model::Asking {
            caller: caller.unwrap_or_default(),
            organization: &self
                .organization
                .map(|it| it.to_string())
                .unwrap_or_default(),
            model: self.model,
            prompt: &prompt,
            tools: self.tools,
            speaks: matches!(self.call, Call::Chat | Call::Message),
        }
        .answer()
    }
}

fn tools(api: Api) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"number": {"type": "integer"}, "text": {"type": "string"}},
    });
    let tool = |name: &str| match api {
        Api::OpenAi => {
            json!({"type": "function", "function": {"name": name, "parameters": schema}})
        }
        Api::Anthropic => json!({"name": name, "input_schema": schema}),
    };
    model::TOOLS.iter().map(|name| tool(name)).collect()
}
