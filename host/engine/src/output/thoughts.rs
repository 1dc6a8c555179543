//! Telling what a model thinks from what it says.

use super::marker::longest_beginning;

/// What stands around a model's thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThoughtMarkers {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
}

/// A piece of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Thought.
    Thought(String),
    /// Said.
    Text(String),
}

/// Finds the thoughts in a growing text: at its beginning, for what stands in the midst of a text
/// is only spoken of. White space around thoughts is left out.
#[derive(Clone, Debug)]
pub(super) struct ThoughtParser {
    markers: ThoughtMarkers,
    state: State,
    /// What later text may still change.
    held: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was said.
    Before,
    /// It begins to think.
    Beginning,
    /// It thinks.
    Thinking,
    /// It has thought, and said nothing yet.
    Thought,
    /// It speaks.
    Speaking,
}

impl ThoughtParser {
    /// A parser for a text that begins with thoughts if the prompt has opened them.
    pub(super) fn new(markers: ThoughtMarkers, opened: bool) -> Self {
        let state = if opened {
            State::Beginning
        } else {
            State::Before
        };
        Self {
            markers,
            state,
            held: String::new(),
        }
    }

    /// What this text makes certain.
    pub(super) fn push(&mut self, text: &str) -> Vec<Said> {
        self.held.push_str(text);
        let mut said = Vec::new();
        while self.step(&mut said) {}
        said
    }

    /// What was held back, for nothing follows.
    pub(super) fn finish(&mut self) -> Option<Said> {
        let rest = std::mem::take(&mut self.held);
        match self.state {
            State::Before | State::Speaking => Some(Said::Text(rest)),
            State::Beginning | State::Thinking => Some(Said::Thought(rest.trim_end().to_owned())),
            State::Thought => None,
        }
        .filter(|said| !matches!(said, Said::Text(text) | Said::Thought(text) if text.is_empty()))
    }

    /// Takes what can be told by now from what is held; false if that is nothing.
    fn step(&mut self, said: &mut Vec<Said>) -> bool {
        match self.state {
            State::Before => self.look_for_thoughts(),
            State::Beginning => self.skip_space(State::Thinking),
            State::Thinking => self.think(said),
            State::Thought => self.skip_space(State::Speaking),
            State::Speaking => {
                if !self.held.is_empty() {
                    said.push(Said::Text(std::mem::take(&mut self.held)));
                }
                false
            }
        }
    }

    fn look_for_thoughts(&mut self) -> bool {
        let text = self.held.trim_start();
        if let Some(rest) = text.strip_prefix(self.markers.open) {
            self.held = rest.to_owned();
            self.state = State::Beginning;
        } else if self.markers.open.starts_with(text) {
            return false;
        } else {
            self.state = State::Speaking;
        }
        true
    }

    fn skip_space(&mut self, next: State) -> bool {
        self.held = self.held.trim_start().to_owned();
        if !self.held.is_empty() {
            self.state = next;
        }
        !self.held.is_empty()
    }

    fn think(&mut self, said: &mut Vec<Said>) -> bool {
        let end = self.held.find(self.markers.close);
        let certain = end.unwrap_or_else(|| {
            self.held.len() - longest_beginning(&self.held, &[self.markers.close])
        });
        let thought = self.held[..certain].trim_end().to_owned();
        let read = match end {
            Some(end) => end + self.markers.close.len(),
            None => thought.len(),
        };
        self.held.drain(..read);
        if !thought.is_empty() {
            said.push(Said::Thought(thought));
        }
        if end.is_some() {
            self.state = State::Thought;
        }
        end.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINK: ThoughtMarkers = ThoughtMarkers {
        open: "<think>",
        close: "</think>",
    };

    /// What is thought and what is said in a text that comes in these pieces.
    fn parse(pieces: &[&str], opened: bool) -> (String, String) {
        let mut parser = ThoughtParser::new(THINK, opened);
        let mut said: Vec<_> = pieces.iter().flat_map(|text| parser.push(text)).collect();
        said.extend(parser.finish());
        let (mut thoughts, mut text) = (String::new(), String::new());
        for piece in said {
            match piece {
                Said::Thought(piece) => thoughts += &piece,
                Said::Text(piece) => text += &piece,
            }
        }
        (thoughts, text)
    }

    fn pair(thoughts: &str, text: &str) -> (String, String) {
        (thoughts.to_owned(), text.to_owned())
    }

    #[test]
    fn thoughts_come_first_without_the_space_around_them() {
        let whole = "\n<think>\nA < b.\n\nSo: yes.\n</think>\n\nYes. <think>";
        let expected = pair("A < b.\n\nSo: yes.", "Yes. <think>");
        assert_eq!(parse(&[whole], false), expected);
        let pieces: Vec<_> = whole.split_inclusive(|_| true).collect();
        assert_eq!(parse(&pieces, false), expected);
    }

    #[test]
    fn a_prompt_may_have_opened_them() {
        let pieces = ["\nhm</thi", "nk>Yes"];
        assert_eq!(parse(&pieces, true), pair("hm", "Yes"));
        assert_eq!(parse(&["hm </thin "], true), pair("hm </thin", ""));
    }

    #[test]
    fn a_text_without_thoughts_is_said_as_it_is() {
        for text in [" <thinking>", "Yes </think>", " ", "<thi", ""] {
            assert_eq!(parse(&[text], false), pair("", text));
        }
    }

    #[test]
    fn thoughts_stream() {
        let mut parser = ThoughtParser::new(THINK, true);
        assert_eq!(parser.push("one "), [Said::Thought("one".to_owned())]);
        assert_eq!(parser.push("two"), [Said::Thought(" two".to_owned())]);
    }
}
