//! What a reply says, in no API's form.

use deja_tests::{Answer, Api};
use serde_json::Value;

use crate::{model, question::Call, reply::Reply};

/// What an answer says; ids and times are not part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) thinking: String,
    /// The tools called, each with its arguments.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) stop: Option<String>,
    /// The prompt's tokens and the answer's.
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) answer_tokens: Option<u64>,
    pub(crate) vector: Vec<f64>,
}

impl Said {
    /// What a call of this kind gets when the scripted model answers so.
    pub(crate) fn expected(call: Call, answer: &Answer) -> Self {
        let mut said = Self {
            prompt_tokens: Some(answer.prompt_tokens.into()),
            ..Self::default()
        };
        match call {
            Call::Count => return said,
            Call::Embedding => {
                said.vector = model::vector(answer);
                return said;
            }
            Call::Chat | Call::Completion | Call::Message => {}
        }
        let calls = answer.calls.iter();
        said.calls = calls
            .map(|call| (call.name.clone(), call.arguments.clone()))
            .collect();
        said.text = answer.whole_text();
        said.thinking = answer.thinking.clone().unwrap_or_default();
        said.stop = Some(call.api().stop_name(answer.stop).to_owned());
        said.answer_tokens = Some(answer.answer_tokens.into());
        said
    }

    /// What a reply says, as far as it came.
    pub(crate) fn of(call: Call, reply: &Reply) -> Self {
        let mut said = Self::default();
        if reply.is_stream {
            let mut inputs = Vec::new();
            for chunk in &reply.stream().chunks {
                match call.api() {
                    Api::OpenAi => said.take_chunk(chunk, &mut inputs),
                    Api::Anthropic => said.take_event(chunk, &mut inputs),
                }
            }
            said.calls = called(said.calls, inputs);
        } else if let Some(document) = reply.document() {
            match call.api() {
                Api::OpenAi => said.take_completion(&document),
                Api::Anthropic => said.take_message(&document),
            }
        }
        said
    }

    fn take_completion(&mut self, document: &Value) {
        let choice = &document["choices"][0];
        let message = &choice["message"];
        self.add_text(&message["content"]);
        self.add_text(&choice["text"]);
        self.add_thinking(&message["reasoning_content"]);
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let arguments = function["arguments"].as_str().unwrap_or_default();
            let arguments = serde_json::from_str(arguments).unwrap_or_default();
            self.calls.push((owned(&function["name"]), arguments));
        }
        self.set_stop(&choice["finish_reason"]);
        self.count(&document["usage"]);
        let numbers = document["data"][0]["embedding"].as_array();
        self.vector = numbers
            .into_iter()
            .flatten()
            .filter_map(Value::as_f64)
            .collect();
    }

    fn take_message(&mut self, document: &Value) {
        for block in document["content"].as_array().into_iter().flatten() {
            self.add_text(&block["text"]);
            self.add_thinking(&block["thinking"]);
            if block["type"] == "tool_use" {
                self.calls
                    .push((owned(&block["name"]), block["input"].clone()));
            }
        }
        self.set_stop(&document["stop_reason"]);
        self.count(&document["usage"]);
        // The answer to a count stands at the top.
        self.count(document);
    }

    fn take_chunk(&mut self, chunk: &Value, inputs: &mut Vec<String>) {
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        self.add_text(&delta["content"]);
        self.add_text(&choice["text"]);
        self.add_thinking(&delta["reasoning_content"]);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = call["index"]
                .as_u64()
                .and_then(|at| at.try_into().ok())
                .unwrap_or(0);
            let function = &call["function"];
            if function["name"].is_string() {
                self.calls.push((owned(&function["name"]), Value::Null));
            }
            add_input(inputs, at, &function["arguments"]);
        }
        self.set_stop(&choice["finish_reason"]);
        self.count(&chunk["usage"]);
    }

    fn take_event(&mut self, event: &Value, inputs: &mut Vec<String>) {
        let (block, delta) = (&event["content_block"], &event["delta"]);
        if block["type"] == "tool_use" {
            self.calls.push((owned(&block["name"]), Value::Null));
        }
        for part in [block, delta] {
            self.add_text(&part["text"]);
            self.add_thinking(&part["thinking"]);
        }
        let last = self.calls.len().saturating_sub(1);
        add_input(inputs, last, &delta["partial_json"]);
        self.set_stop(&delta["stop_reason"]);
        self.count(&event["message"]["usage"]);
        self.count(&event["usage"]);
    }

    fn add_text(&mut self, text: &Value) {
        self.text.push_str(text.as_str().unwrap_or_default());
    }

    fn add_thinking(&mut self, text: &Value) {
        self.thinking.push_str(text.as_str().unwrap_or_default());
    }

    fn set_stop(&mut self, reason: &Value) {
        if let Some(reason) = reason.as_str() {
            self.stop = Some(reason.to_owned());
        }
    }

    /// Takes the token counts; later ones count, and zeros do not.
    fn count(&mut self, usage: &Value) {
        let of = |names: [&str; 2]| {
            let mut counts = names.iter().filter_map(|name| usage[*name].as_u64());
            counts.find(|&count| count > 0)
        };
        self.prompt_tokens = of(["prompt_tokens", "input_tokens"]).or(self.prompt_tokens);
        self.answer_tokens = of(["completion_tokens", "output_tokens"]).or(self.answer_tokens);
    }
}

fn owned(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn add_input(inputs: &mut Vec<String>, at: usize, part: &Value) {
    let Some(part) = part.as_str() else {
        return;
    };
    if inputs.len() <= at {
        inputs.resize(at + 1, String::new());
    }
    inputs[at].push_str(part);
}

/// Calls with the arguments that came piece by piece.
fn called(calls: Vec<(String, Value)>, inputs: Vec<String>) -> Vec<(String, Value)> {
    let inputs = inputs.into_iter().chain(std::iter::repeat(String::new()));
    let parsed = |text: String| serde_json::from_str(&text).unwrap_or_default();
    calls
        .into_iter()
        .zip(inputs)
        .map(|((name, _), text)| (name, parsed(text)))
        .collect()
}
