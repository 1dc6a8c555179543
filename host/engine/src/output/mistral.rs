//! What follows Mistral's marker `[TOOL_CALLS]`.

use super::{
    calls::Reading,
    json::{JsonCall, Scanner},
    sink::Sink,
};

/// What stands between a name and its arguments.
const ARGUMENTS: &str = "[ARGS]";

/// What stands between a name and the id that some models give a call.
const ID: &str = "[CALL_ID]";

/// Reads calls in a list, or one with its name before its arguments.
#[derive(Clone, Debug)]
pub(super) enum MistralCalls {
    /// Nothing but white space came.
    Start,
    /// In a list, between two calls.
    Between,
    /// In a call of a list.
    Item(JsonCall),
    /// In a name.
    Name(String),
    /// The name's arguments come next.
    BeforeArguments,
    /// In the name's arguments.
    Arguments(Scanner),
}

impl MistralCalls {
    pub(super) fn new() -> Self {
        Self::Start
    }

    fn start(&mut self, character: char) -> Reading {
        match character {
            '[' => *self = Self::Between,
            _ if character.is_whitespace() => {}
            _ => *self = Self::Name(character.to_string()),
        }
        Reading::Open
    }

    fn between(&mut self, character: char, sink: &mut Sink) -> Reading {
        match character {
            '{' => {
                let mut item = JsonCall::new();
                let reading = item.push(character, sink);
                *self = Self::Item(item);
                reading
            }
            ']' if sink.calls() > 0 => Reading::Over,
            ',' => Reading::Open,
            _ if character.is_whitespace() => Reading::Open,
            _ => Reading::NoCall,
        }
    }

    fn end_of_name(&mut self, name: &str, character: char, sink: &mut Sink) -> Reading {
        let name = name.split(ID).next().unwrap_or(name).trim();
        if !sink.call(name) {
            return Reading::NoCall;
        }
        *self = Self::BeforeArguments;
        if character == '{' {
            self.push(character, sink)
        } else {
            Reading::Call
        }
    }
}

impl MistralCalls {
    /// Reads on by a character.
    pub(super) fn push(&mut self, character: char, sink: &mut Sink) -> Reading {
        match self {
            Self::Start => self.start(character),
            Self::Between => self.between(character, sink),
            Self::Item(item) => match item.push(character, sink) {
                Reading::Over => {
                    *self = Self::Between;
                    Reading::Call
                }
                reading => reading,
            },
            Self::Name(name) => {
                if character == '\n' {
                    return Reading::NoCall;
                }
                let before = name.clone();
                name.push(character);
                match name.strip_suffix(ARGUMENTS) {
                    Some(name) => {
                        let name = name.to_owned();
                        self.end_of_name(&name, character, sink)
                    }
                    None if character == '{' => self.end_of_name(&before, character, sink),
                    None => Reading::Open,
                }
            }
            Self::BeforeArguments if character.is_whitespace() => Reading::Call,
            Self::BeforeArguments if character != '{' => Reading::OverBefore,
            Self::BeforeArguments => {
                *self = Self::Arguments(Scanner::default());
                self.push(character, sink)
            }
            Self::Arguments(scanner) => {
                sink.arguments(character.encode_utf8(&mut [0; 4]));
                match scanner.push(character) {
                    0 => Reading::Over,
                    _ => Reading::Call,
                }
            }
        }
    }
}
