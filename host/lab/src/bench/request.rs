//! What is asked: requests of every shape that agents send.

use std::fmt;

use bytes::Bytes;
use deja_wire::{Api, Endpoint};
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Lines of a large system prompt, which make some 16 KB of it.
const LARGE_SYSTEM_LINES: usize = 160;

/// One request, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) endpoint: Endpoint,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a request looks like, whatever it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Whether the answer is to come as a stream.
    pub streams: bool,
    /// How many tools are offered.
    pub tools: usize,
    /// How many messages there are.
    pub messages: usize,
    /// How long the system prompt is.
    pub system: System,
}

/// How long a system prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// One sentence.
    Small,
    /// About 16 KB, as coding agents have it.
    Large,
}

/// A question that nobody has asked before.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    nonce: String,
}

impl Question {
    /// Letters only: a keyer may take numbers and UUIDs for something that does not matter.
    pub(crate) fn fresh() -> Self {
        let nonce = Uuid::new_v4().simple().to_string();
        let letter = |digit: char| match digit {
            '0'..='9' => char::from(b'g' + (digit as u8 - b'0')),
            letter => letter,
        };
        Self {
            nonce: nonce.chars().map(letter).collect(),
        }
    }
}

impl Shape {
    /// The question in this shape, in an API's form.
    pub(crate) fn request(
        self,
        api: Api,
        model: &str,
        fields: &Map<String, Value>,
        question: &Question,
    ) -> Request {
        let (endpoint, body) = match api {
            Api::OpenAi => (Endpoint::ChatCompletions, self.openai(question)),
            Api::Responses => (Endpoint::Responses, self.responses(question)),
            Api::Anthropic => (Endpoint::Messages, self.anthropic(question)),
        };
        let mut body = body;
        body["model"] = model.into();
        body["stream"] = self.streams.into();
        for (name, value) in fields {
            body[name] = value.clone();
        }
        Request {
            endpoint,
            query: None,
            headers: HeaderMap::new(),
            body: body.to_string().into(),
        }
    }

    fn openai(self, question: &Question) -> Value {
        let system = json!({"role": "system", "content": self.system.text(question)});
        let mut messages = vec![system];
        messages.extend(self.conversation());
        let mut body = json!({ "messages": messages });
        if self.streams {
            body["stream_options"] = json!({"include_usage": true});
        }
        if self.tools > 0 {
            let tool =
                |tool| json!({"type": "function", "function": described(tool, "parameters")});
            body["tools"] = (0..self.tools).map(tool).collect();
        }
        body
    }

    fn responses(self, question: &Question) -> Value {
        let input: Vec<_> = self.conversation().collect();
        let mut body = json!({"instructions": self.system.text(question), "input": input});
        if self.tools > 0 {
            let tools = (0..self.tools).map(|tool| {
                let mut tool = described(tool, "parameters");
                tool["type"] = "function".into();
                tool
            });
            body["tools"] = tools.collect();
        }
        body
    }

    fn anthropic(self, question: &Question) -> Value {
        let messages: Vec<_> = self.conversation().collect();
        let mut body = json!({"system": self.system.text(question), "messages": messages});
        if self.tools > 0 {
            let tools = (0..self.tools).map(|tool| described(tool, "input_schema"));
            body["tools"] = tools.collect();
        }
        body
    }

    /// User and assistant in turns. Both ends are the user's, so an even number begins with two of
    /// them.
    fn conversation(self) -> impl Iterator<Item = Value> {
        let last = self.messages.saturating_sub(1);
        (0..=last).map(move |at| {
            if at == last {
                json!({"role": "user", "content": "Tell in one sentence what a cache is good for."})
            } else if at == 0 || (last - at).is_multiple_of(2) {
                json!({"role": "user", "content": format!("What did step {at} bring to light?")})
            } else {
                json!({"role": "assistant", "content": format!("Step {at} is done; nothing stood out.")})
            }
        })
    }
}

impl System {
    /// The prompt. The nonce comes first, so that no prefix of the prompt is known to the server.
    fn text(self, question: &Question) -> String {
        let mut text = format!(
            "You work on the project {}. Answer briefly.",
            question.nonce
        );
        if self == Self::Large {
            let rule = |number| {
                format!(
                    "\n{number}. Before you change a file, read it; after that, run what tests it, and say what failed."
                )
            };
            text.extend((1..=LARGE_SYSTEM_LINES).map(rule));
        }
        text
    }
}

/// A tool with its schema under this name.
fn described(tool: usize, schema: &str) -> Value {
    json!({
        "name": format!("work_on_file_{tool}"),
        "description": format!(
            "Works on a file in way {tool}. Takes the file's absolute path, and which lines are \
             meant; without those, the whole file is. Tells what was changed, or why nothing was."
        ),
        schema: {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The file's absolute path."},
                "first_line": {"type": "integer", "description": "The first line that is meant."},
                "last_line": {"type": "integer", "description": "The last line that is meant."},
            },
            "required": ["path"],
        },
    })
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(
            f,
            "{}, {} tool{}, {} message{}, {} system prompt",
            if self.streams { "stream" } else { "document" },
            self.tools,
            plural(self.tools),
            self.messages,
            plural(self.messages),
            match self.system {
                System::Small => "small",
                System::Large => "large",
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const LARGEST: Shape = Shape {
        streams: true,
        tools: 17,
        messages: 10,
        system: System::Large,
    };

    fn body(api: Api, shape: Shape) -> Value {
        let fields = [("max_tokens".to_owned(), 64.into())].into_iter().collect();
        let request = shape.request(api, "m", &fields, &Question::fresh());
        serde_json::from_slice(&request.body).expect("it is JSON")
    }

    #[test]
    fn a_shape_is_kept_in_both_apis() {
        for (api, messages) in [(Api::OpenAi, 11), (Api::Anthropic, 10)] {
            let body = body(api, LARGEST);
            let length = |field: &str| body[field].as_array().map(Vec::len);
            assert_eq!(length("tools"), Some(17));
            assert_eq!(length("messages"), Some(messages));
            assert_eq!(body["messages"][messages - 1]["role"], "user");
            assert_eq!(
                (&body["stream"], &body["max_tokens"]),
                (&true.into(), &64.into())
            );
            assert!(body.to_string().len() > 16_000);
        }
        let small = Shape {
            streams: false,
            tools: 0,
            messages: 1,
            system: System::Small,
        };
        assert!(body(Api::OpenAi, small).get("tools").is_none());
        assert_eq!(body(Api::Anthropic, small)["messages"][0]["role"], "user");
    }

    #[test]
    fn no_question_comes_twice_and_all_are_words() {
        let nonces: HashSet<_> = (0..100).map(|_| Question::fresh().nonce).collect();
        assert_eq!(nonces.len(), 100);
        let mut letters = nonces.iter().flat_map(|nonce| nonce.chars());
        assert!(letters.all(|letter| letter.is_ascii_lowercase()));
    }
}
