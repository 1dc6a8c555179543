//! Calls that are JSON objects with a name and arguments.

use serde_json::{Map, Value};

use super::{calls::Reading, sink::Sink};

/// The names of the field that holds the arguments.
const ARGUMENTS: [&str; 2] = ["arguments", "parameters"];

/// The names that the first field of a call may have.
const FIRST: [&str; 6] = ["name", "arguments", "parameters", "type", "function", "id"];

/// Follows JSON character by character to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Scanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    /// Reads on; returns how many objects and lists are open.
    pub(super) fn push(&mut self, character: char) -> usize {
        match character {
            _ if self.escaped => self.escaped = false,
            '\\' if self.in_string => self.escaped = true,
            '"' => self.in_string = !self.in_string,
            '{' | '[' if !self.in_string => self.depth += 1,
            '}' | ']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.depth
    }
}

/// Reads one such object.
#[derive(Clone, Debug)]
pub(super) struct JsonCall {
    scanner: Scanner,
    state: State,
    /// The object, until it is known to be a call.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Which tool is called is not known.
    Head,
    /// The arguments come.
    Arguments,
    /// They are over.
    AfterArguments,
    /// Fields come that say nothing.
    OtherFields,
}

impl JsonCall {
    pub(super) fn new() -> Self {
        Self {
            scanner: Scanner::default(),
            state: State::Head,
            text: String::new(),
        }
    }

    fn read_head(&mut self, character: char, sink: &mut Sink) -> Reading {
        if self.text.is_empty() && character != '{' {
            return if character.is_whitespace() {
                Reading::Open
            } else {
                Reading::NoCall
            };
        }
        self.text.push(character);
        let depth = self.scanner.push(character);
        match character {
            _ if depth == 0 => self.call_whole(sink),
            '{' if depth == 2 && !self.scanner.in_string => self.begin_arguments(sink),
            ':' if depth == 1 && !self.scanner.in_string && !self.may_be_call() => Reading::NoCall,
            _ => Reading::Open,
        }
    }

    /// Whether the first field has the name that one of a call has.
    fn may_be_call(&self) -> bool {
        let names = self.text.split('"').nth(1);
        names.is_some_and(|name| FIRST.contains(&name))
    }

    /// An object begins in the object. If it is the arguments', and the name came before, then they
    /// can stream.
    fn begin_arguments(&mut self, sink: &mut Sink) -> Reading {
        let closed = format!("{}}}}}", self.text);
        let Ok(object) = serde_json::from_str::<Map<_, _>>(&closed) else {
            return Reading::Open;
        };
        let last = object.keys().next_back();
        let are_arguments = last.is_some_and(|name| ARGUMENTS.contains(&name.as_str()));
        match object.get("name").and_then(Value::as_str) {
            Some(name) if are_arguments => {
                if !sink.call(name) {
                    return Reading::NoCall;
                }
                sink.arguments("{");
                self.state = State::Arguments;
                Reading::Call
            }
            _ => Reading::Open,
        }
    }

    /// The object is whole, and no arguments streamed.
    fn call_whole(&self, sink: &mut Sink) -> Reading {
        let Some((name, arguments)) = call(&self.text) else {
            return Reading::NoCall;
        };
        if !sink.call(&name) {
            return Reading::NoCall;
        }
        sink.arguments(&arguments);
        Reading::Over
    }
}

impl JsonCall {
    /// Reads on by a character.
    pub(super) fn push(&mut self, character: char, sink: &mut Sink) -> Reading {
        if self.state == State::Head {
            return self.read_head(character, sink);
        }
        let is_next = character.is_whitespace() || ",}".contains(character);
        if self.state == State::AfterArguments && !is_next {
            // Some models forget the last brace.
            return Reading::OverBefore;
        }
        let depth = self.scanner.push(character);
        if self.state == State::Arguments {
            sink.arguments(character.encode_utf8(&mut [0; 4]));
        }
        self.state = match (self.state, character) {
            (State::Arguments, _) if depth == 1 => State::AfterArguments,
            (State::AfterArguments, ',') => State::OtherFields,
            (state, _) => state,
        };
        if depth == 0 {
            Reading::Over
        } else {
            Reading::Call
        }
    }
}

/// The name and the arguments of a call that is written as this object.
fn call(text: &str) -> Option<(String, String)> {
    let mut object: Map<String, Value> = serde_json::from_str(text).ok()?;
    // As in the API: `{"type": "function", "function": {…}}`.
    if let Some(Value::Object(function)) = object.get_mut("function") {
        object = std::mem::take(function);
    }
    let name = object.get("name")?.as_str()?.to_owned();
    let arguments = ARGUMENTS.iter().find_map(|field| object.get(*field));
    let arguments = match arguments {
        None => "{}".to_owned(),
        Some(Value::Object(arguments)) => serde_json::to_string(arguments).ok()?,
        // The API's own form: JSON in a string.
        Some(Value::String(text)) => {
            serde_json::from_str::<Map<String, Value>>(text).ok()?;
            text.clone()
        }
        Some(_) => return None,
    };
    Some((name, arguments))
}
