//! Calls as Qwen3-Coder writes them: a tag for the function, one for each parameter, and values as
//! they are, whose types only the tool's schema tells.

use serde_json::Value;

use super::{calls::Reading, sink::Sink};

const FUNCTION: &str = "<function=";
const PARAMETER: &str = "<parameter=";
pub(super) const END_OF_VALUE: &str = "</parameter>";
const END_OF_CALL: [&str; 2] = ["</function>", "</tool_call>"];

/// Reads one call.
#[derive(Clone, Debug)]
pub(super) struct XmlCall {
    state: State,
    /// What was read in this state.
    text: String,
    /// The tool's parameters by their names.
    properties: Value,
    /// What goes before the next parameter.
    separator: &'static str,
}

#[derive(Clone, Debug)]
enum State {
    /// The function's tag comes.
    Start,
    /// The function's name comes.
    Name,
    /// A parameter comes, or the end.
    Between,
    /// A parameter's name comes.
    Parameter,
    /// The value of the parameter of this name comes.
    Value(String),
}

impl XmlCall {
    /// A call of which this has been read: models forget the tag around it.
    pub(super) fn after(opening: &str) -> Self {
        let state = if opening == FUNCTION {
            State::Name
        } else {
            State::Start
        };
        Self {
            state,
            text: String::new(),
            properties: Value::Null,
            separator: "{",
        }
    }

    fn start(&mut self) -> Reading {
        let tag = self.text.trim_start();
        if tag == FUNCTION {
            self.go_to(State::Name);
        } else if !FUNCTION.starts_with(tag) {
            return Reading::NoCall;
        }
        Reading::Open
    }

    fn name(&mut self, sink: &mut Sink) -> Reading {
        let Some(name) = self.text.strip_suffix('>') else {
            return if self.text.ends_with('\n') {
                Reading::NoCall
            } else {
                Reading::Open
            };
        };
        let name = name.trim();
        if !sink.call(name) {
            return Reading::NoCall;
        }
        let tool = sink.tool(name);
        self.properties = tool.map_or(Value::Null, |tool| tool.parameters["properties"].clone());
        self.go_to(State::Between);
        Reading::Call
    }

    fn between(&mut self, sink: &mut Sink) -> Reading {
        let tag = self.text.trim_start();
        if tag == PARAMETER {
            self.go_to(State::Parameter);
        } else if END_OF_CALL.contains(&tag) {
            let end = if self.separator == "{" { "{}" } else { "}" };
            sink.arguments(end);
            return Reading::Over;
        } else {
            let mut tags = END_OF_CALL.iter().chain([&PARAMETER]);
            if !tags.any(|other| other.starts_with(tag)) {
                // What is no tag has no place here.
                self.text.clear();
            }
        }
        Reading::Call
    }

    fn parameter(&mut self) -> Reading {
        if let Some(name) = self.text.strip_suffix('>') {
            let name = name.trim().to_owned();
            self.go_to(State::Value(name));
        }
        Reading::Call
    }

    fn value(&mut self, sink: &mut Sink) -> Reading {
        let (State::Value(name), Some(value)) = (&self.state, self.text.strip_suffix(END_OF_VALUE))
        else {
            return Reading::Call;
        };
        // One line break on either side belongs to the tags.
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        let typed = typed(value, &self.properties[name]);
        sink.arguments(self.separator);
        sink.arguments(&format!("{}: {typed}", Value::from(name.as_str())));
        self.separator = ", ";
        self.go_to(State::Between);
        Reading::Call
    }

    fn go_to(&mut self, state: State) {
        self.state = state;
        self.text.clear();
    }
}

impl XmlCall {
    /// Reads on by a character.
    pub(super) fn push(&mut self, character: char, sink: &mut Sink) -> Reading {
        self.text.push(character);
        match self.state {
            State::Start => self.start(),
            State::Name => self.name(sink),
            State::Between => self.between(sink),
            State::Parameter => self.parameter(),
            State::Value(_) => self.value(sink),
        }
    }
}

/// The value that this text is, by its schema: a string where one may stand, and also where the text
/// is nothing that the schema allows.
fn typed(text: &str, schema: &Value) -> Value {
    let string = || Value::from(text);
    let value = match text.trim() {
        "None" | "null" => Value::Null,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        json => serde_json::from_str(json).unwrap_or_else(|_| string()),
    };
    match value {
        Value::Null if allows(schema, "null") => Value::Null,
        _ if schema.is_null() || allows(schema, "string") => string(),
        value => value,
    }
}

/// Whether the schema lets a value of this type stand.
pub(super) fn allows(schema: &Value, kind: &str) -> bool {
    let types = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => kind == "string" && schema["enum"].is_array(),
    };
    let alternatives = ["anyOf", "oneOf"].map(|name| schema[name].as_array());
    let mut alternatives = alternatives.into_iter().flatten().flatten();
    types || alternatives.any(|schema| allows(schema, kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_tells_the_type() {
        let string = json!({"type": "string"});
        let either = json!({"anyOf": [{"type": "string"}, {"type": "null"}]});
        for (text, schema, value) in [
            ("7", json!({"type": "integer"}), json!(7)),
            ("7", string.clone(), json!("7")),
            ("7", Value::Null, json!("7")),
            ("True", json!({"type": "boolean"}), json!(true)),
            ("[1, 2]", json!({"type": "array"}), json!([1, 2])),
            (
                "{\"a\": 1}",
                json!({"type": ["object", "null"]}),
                json!({"a": 1}),
            ),
            ("null", either.clone(), json!(null)),
            ("null", string, json!("null")),
            ("nil", either, json!("nil")),
            ("many", json!({"type": "integer"}), json!("many")),
            ("1", json!({"enum": ["1", "2"]}), json!("1")),
        ] {
            assert_eq!(typed(text, &schema), value, "{text} by {schema}");
        }
    }
}
