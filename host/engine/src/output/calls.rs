//! Telling a model's tool calls from its text.

use deja_wire::{Delta, Tool};

use super::{
    json::JsonCall,
    marker::{first, longest_beginning},
    mistral::MistralCalls,
    sink::Sink,
    xml::XmlCall,
};

/// How a model writes its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallForm {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen 2.5 and 3.
    Json,
    /// `<tool_call><function=…><parameter=…>…</parameter></function></tool_call>`: Qwen3-Coder.
    Xml,
    /// `{"name": …, "parameters": {…}}`, perhaps after `<|python_tag|>`: Llama 3.
    Bare,
    /// `[TOOL_CALLS][{"name": …, "arguments": {…}}]`: Mistral's first.
    List,
    /// `[TOOL_CALLS]name[ARGS]{…}`: Mistral's later.
    Named,
}

/// What the next character did to a call that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It may be a call.
    Open,
    /// It is a call, and everything up to here belongs to it.
    Call,
    /// The call is over.
    Over,
    /// The call was over before this character.
    OverBefore,
    /// What was read since the last call is none.
    NoCall,
}

/// Reads one call, or several in a row, character by character.
#[derive(Clone, Debug)]
enum Reader {
    Json(JsonCall),
    Xml(XmlCall),
    Mistral(MistralCalls),
}

impl Reader {
    fn push(&mut self, character: char, sink: &mut Sink) -> Reading {
        match self {
            Self::Json(call) => call.push(character, sink),
            Self::Xml(call) => call.push(character, sink),
            Self::Mistral(calls) => calls.push(character, sink),
        }
    }
}

/// Finds the calls in a growing text.
///
/// A call counts once it names a tool of the request; from then on its arguments stream, and a
/// mistake in them is for the client to find. All else that looks like a call stays text: other
/// names, other JSON, a call that breaks off before its name.
#[derive(Clone, Debug)]
pub(super) struct CallParser {
    form: CallForm,
    sink: Sink,
    /// Text that was not read yet.
    held: String,
    /// The call that is read.
    call: Option<Attempt>,
    /// Whether there was text since the last call.
    spoke: bool,
}

/// What may be a call.
#[derive(Clone, Debug)]
struct Attempt {
    reader: Reader,
    /// What was read and would be text.
    read: String,
    /// Bytes of it that are text for sure if there is no call: its marker.
    opening: usize,
}

impl CallForm {
    /// What begins a call.
    fn openings(self) -> &'static [&'static str] {
        match self {
            Self::Json => &["<tool_call>"],
            Self::Xml => &["<tool_call>", "<function="],
            Self::Bare => &["<|python_tag|>"],
            Self::List | Self::Named => &["[TOOL_CALLS]"],
        }
    }

    /// What begins a call that has to be one; none where the call itself shows it.
    pub(super) fn opening(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Xml => Some("<tool_call>"),
            Self::Bare => None,
            Self::List | Self::Named => Some("[TOOL_CALLS]"),
        }
    }

    /// What may follow a call and says nothing.
    fn closing(self) -> Option<&'static str> {
        match self {
            Self::Json | Self::Xml => Some("</tool_call>"),
            Self::Bare | Self::List | Self::Named => None,
        }
    }

    fn reader(self, opening: &str) -> Reader {
        match self {
            Self::Json | Self::Bare => Reader::Json(JsonCall::new()),
            Self::Xml => Reader::Xml(XmlCall::after(opening)),
            Self::List | Self::Named => Reader::Mistral(MistralCalls::new()),
        }
    }
}

impl CallParser {
    pub(super) fn new(form: CallForm, tools: Vec<Tool>) -> Self {
        Self {
            form,
            sink: Sink::new(tools),
            held: String::new(),
            call: None,
            spoke: false,
        }
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> u32 {
        self.sink.calls()
    }

    /// Whether a call is being read.
    pub(super) fn is_in_call(&self) -> bool {
        self.call.is_some()
    }

    /// What this text makes certain.
    pub(super) fn push(&mut self, text: &str) -> Vec<Delta> {
        self.held.push_str(text);
        while self.step() {}
        self.sink.take()
    }

    /// What was held back, for nothing follows.
    pub(super) fn finish(&mut self) -> Vec<Delta> {
        while let Some(attempt) = self.call.take() {
            self.give_up(attempt);
            while self.step() {}
        }
        let rest = std::mem::take(&mut self.held);
        if self.calls() == 0 || !rest.trim().is_empty() {
            self.say(&rest);
        }
        self.sink.take()
    }

    /// Reads on; false if more text is needed.
    fn step(&mut self) -> bool {
        match self.call.take() {
            Some(attempt) => self.read_call(attempt),
            None => self.read_text(),
        }
    }

    fn read_call(&mut self, mut attempt: Attempt) -> bool {
        let held = std::mem::take(&mut self.held);
        for (position, character) in held.char_indices() {
            let rest = &held[position + character.len_utf8()..];
            match attempt.reader.push(character, &mut self.sink) {
                Reading::Open => attempt.read.push(character),
                Reading::Call => attempt.forget(),
                Reading::Over => return self.go_on_after_call(rest),
                Reading::OverBefore => return self.go_on_after_call(&held[position..]),
                Reading::NoCall => {
                    attempt.read.push(character);
                    rest.clone_into(&mut self.held);
                    self.give_up(attempt);
                    return true;
                }
            }
        }
        self.call = Some(attempt);
        false
    }

    fn go_on_after_call(&mut self, rest: &str) -> bool {
        rest.clone_into(&mut self.held);
        self.spoke = false;
        true
    }

    /// What was read is text after all: its marker at once, and the rest is read again.
    fn give_up(&mut self, mut attempt: Attempt) {
        let rest = attempt.read.split_off(attempt.opening);
        self.say(&attempt.read);
        self.held.insert_str(0, &rest);
    }

    fn read_text(&mut self) -> bool {
        if self.form == CallForm::Bare && !self.spoke {
            let text = self.held.trim_start_matches(|character: char| {
                character.is_whitespace() || (character == ';' && self.sink.calls() > 0)
            });
            if text.is_empty() {
                return false;
            }
            if text.starts_with('{') {
                let start = self.held.len() - text.len();
                return self.begin_bare(start);
            }
        }
        let markers: Vec<_> = self.markers().collect();
        if let Some((position, marker)) = first(&self.held, &markers) {
            self.take_marker(position, marker);
            return true;
        }
        let certain = self.held.len() - longest_beginning(&self.held, &markers);
        let certain = self.held[..certain].trim_end().len();
        let rest = self.held.split_off(certain);
        let text = std::mem::replace(&mut self.held, rest);
        self.say(&text);
        false
    }

    fn markers(&self) -> impl Iterator<Item = &'static str> {
        let closing = self.form.closing().filter(|_| self.calls() > 0);
        self.form.openings().iter().copied().chain(closing)
    }

    /// The JSON is its own marker.
    fn begin_bare(&mut self, start: usize) -> bool {
        let rest = self.held.split_off(start);
        let space = std::mem::replace(&mut self.held, rest);
        self.call = Some(Attempt {
            reader: self.form.reader(""),
            opening: space.len() + 1,
            read: space,
        });
        true
    }

    fn take_marker(&mut self, position: usize, marker: &str) {
        let rest = self.held.split_off(position + marker.len());
        let read = std::mem::replace(&mut self.held, rest);
        let text = read[..position].trim_end();
        self.say(text);
        if self.form.closing() != Some(marker) {
            self.call = Some(Attempt {
                reader: self.form.reader(marker),
                read: read[text.len()..].to_owned(),
                opening: read.len() - text.len(),
            });
        }
    }

    fn say(&mut self, text: &str) {
        self.spoke |= !text.is_empty();
        self.sink.text(text);
    }
}

impl Attempt {
    /// What was read belongs to a call.
    fn forget(&mut self) {
        self.read.clear();
        self.opening = 0;
    }
}
