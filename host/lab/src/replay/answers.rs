//! Whether two answers say the same, on a ladder from the strictest sense to the laxest.
//!
//! Of each answer only digests are kept, one a step, so a trace's answers need not stay in memory.

use deja_trace::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fields that differ between any two answers and say nothing.
const NO_MATTER: [&str; 8] = [
    "call_id",
    "created",
    "created_at",
    "id",
    "item_id",
    "system_fingerprint",
    "timings",
    "usage",
];

/// Fields whose inside is the model's own, whatever names stand there.
const MODELS_OWN: [&str; 2] = ["arguments", "input"];

/// The strictest sense in which two answers agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Byte for byte.
    Bytes,
    /// As JSON without ids, times and usage.
    Document,
    /// Both call tools, the same ones with the same arguments.
    Tools,
    /// Neither calls tools, and the texts are the same but for case and space.
    Text,
}

impl Step {
    /// All steps, the strictest first.
    pub const ALL: [Self; 4] = [Self::Bytes, Self::Document, Self::Tools, Self::Text];

    /// What people read.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Document => "document",
            Self::Tools => "tools",
            Self::Text => "text",
        }
    }
}

/// An answer's digests, one for each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerDigests {
    bytes: Digest,
    document: Digest,
    /// None if no tool is called.
    tools: Option<Digest>,
    text: Digest,
}

impl AnswerDigests {
    /// Those of a document.
    pub(super) fn of(json: &str) -> Self {
        let document: Value = serde_json::from_str(json).unwrap_or_default();
        let calls = tool_calls(&document);
        Self {
            bytes: Digest::of(json.as_bytes()),
            document: digest(&without_what_does_not_matter(document.clone())),
            tools: (!calls.is_empty()).then(|| digest(&Value::Array(calls))),
            text: Digest::of(normalised(&text(&document)).as_bytes()),
        }
    }

    /// The first step on which both agree, if there is one.
    pub(super) fn agreement(&self, other: &Self) -> Option<Step> {
        if self.bytes == other.bytes {
            Some(Step::Bytes)
        } else if self.document == other.document {
            Some(Step::Document)
        } else if self.tools.is_some() || other.tools.is_some() {
            (self.tools == other.tools).then_some(Step::Tools)
        } else {
            (self.text == other.text).then_some(Step::Text)
        }
    }

    /// All digests in one.
    pub(super) fn digest(&self) -> Digest {
        let digests = [
            Some(self.bytes),
            Some(self.document),
            self.tools,
            Some(self.text),
        ];
        let digests: Vec<_> = digests.into_iter().flatten().collect();
        Digest::of_parts(digests.iter().map(|digest| &digest.as_bytes()[..]))
    }
}

fn digest(value: &Value) -> Digest {
    let mut value = value.clone();
    value.sort_all_objects();
    Digest::of(value.to_string().as_bytes())
}

fn without_what_does_not_matter(value: Value) -> Value {
    let field = |(name, value): (String, Value)| {
        let value = if MODELS_OWN.contains(&&*name) {
            value
        } else {
            without_what_does_not_matter(value)
        };
        (name, value)
    };
    match value {
        Value::Object(fields) => {
            let matters = |(name, _): &(String, Value)| !NO_MATTER.contains(&&**name);
            let fields = fields.into_iter().filter(matters).map(field);
            Value::Object(fields.collect())
        }
        Value::Array(items) => items
            .into_iter()
            .map(without_what_does_not_matter)
            .collect(),
        value => value,
    }
}

/// The tools that an answer calls, each with its arguments, in either API's form.
fn tool_calls(document: &Value) -> Vec<Value> {
    let mut calls = Vec::new();
    for message in messages(document) {
        for call in list(&message["tool_calls"]) {
            let function = &call["function"];
            calls.extend(tool_call(&function["name"], &function["arguments"]));
        }
    }
    for part in parts(document) {
        calls.extend(tool_call(
            &part["name"],
            part.get("input").unwrap_or(&part["arguments"]),
        ));
    }
    calls
}

fn tool_call(name: &Value, arguments: &Value) -> Option<Value> {
    let name = name.as_str()?;
    // Arguments that are written as a text may differ in space and order.
    let arguments = arguments
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| arguments.clone());
    let call = [("name", Value::from(name)), ("arguments", arguments)];
    let call: Map<_, _> = call
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
    Some(Value::Object(call))
}

/// The words of an answer, in any endpoint's form.
pub(super) fn text(document: &Value) -> String {
    let choices = list(&document["choices"]).iter();
    let texts = choices.flat_map(|choice| [&choice["text"], &choice["message"]["content"]]);
    let parts = parts(document).into_iter();
    let inner = parts.clone().flat_map(|part| list(&part["content"]));
    texts
        .chain(parts.map(|part| &part["text"]))
        .chain(inner.map(|part| &part["text"]))
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("\n")
}

fn messages(document: &Value) -> impl Iterator<Item = &Value> {
    list(&document["choices"])
        .iter()
        .map(|choice| &choice["message"])
}

/// The parts of an answer of Anthropic's messages or of `OpenAI`'s responses.
fn parts(document: &Value) -> Vec<&Value> {
    let content = list(&document["content"]).iter();
    content.chain(list(&document["output"])).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn normalised(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn agreement(one: &Value, other: &Value) -> Option<Step> {
        let [one, other] = [one, other].map(|answer| AnswerDigests::of(&answer.to_string()));
        assert_eq!(one.agreement(&other), other.agreement(&one));
        one.agreement(&other)
    }

    fn openai(id: &str, content: &str, calls: &[(&str, &str)]) -> Value {
        let call = |(name, arguments): &(&str, &str)| json!({"id": id, "function": {"name": name, "arguments": arguments}});
        let calls: Vec<_> = calls.iter().map(call).collect();
        json!({"id": id, "choices": [{"message": {"content": content, "tool_calls": calls}}]})
    }

    fn anthropic(id: &str, text: &str, input: &Value) -> Value {
        json!({"id": id, "usage": {"output_tokens": 1}, "content": [
            {"type": "text", "text": text},
            {"type": "tool_use", "id": id, "name": "read", "input": input},
        ]})
    }

    #[test]
    fn the_first_step_counts_on_which_both_agree() {
        let paris = openai("1", "Paris.", &[]);
        let calling = openai("1", "I look.", &[("read", r#"{"a": 1, "b": 2}"#)]);
        for (one, other, step) in [
            (&paris, &paris, Some(Step::Bytes)),
            (&paris, &openai("2", "Paris.", &[]), Some(Step::Document)),
            (&paris, &openai("2", " PARIS.\n", &[]), Some(Step::Text)),
            (&paris, &openai("2", "Lyon.", &[]), None),
            (&paris, &calling, None),
            (
                &calling,
                &openai("2", "Let me see.", &[("read", r#"{"b":2,"a":1}"#)]),
                Some(Step::Tools),
            ),
            (&calling, &openai("1", "I look.", &[("read", "{}")]), None),
        ] {
            assert_eq!(agreement(one, other), step, "{one} and {other}");
        }
    }

    #[test]
    fn an_id_among_a_tools_arguments_matters() {
        let call = |id: &str, row: u32| anthropic(id, "I look.", &json!({"id": row}));
        assert_eq!(
            agreement(&call("1", 7), &call("2", 7)),
            Some(Step::Document)
        );
        assert_eq!(agreement(&call("1", 7), &call("2", 8)), None);
    }

    #[test]
    fn the_words_of_every_endpoint_are_found() {
        for document in [
            json!({"choices": [{"text": "Paris"}]}),
            json!({"choices": [{"message": {"content": "Paris"}}]}),
            json!({"content": [{"type": "text", "text": "Paris"}]}),
            json!({"output": [{"type": "message", "content": [{"text": "Paris"}]}]}),
        ] {
            assert_eq!(text(&document), "Paris");
        }
    }
}
