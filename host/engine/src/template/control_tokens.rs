//! Contents of a conversation that spell a control token, like `<|im_end|>`: they are text.
//!
//! A tokeniser takes such a spelling for the token wherever it stands. So a mark is put into each
//! spelling in the contents before the template writes them, and taken out again once the tokeniser
//! has found the control tokens of the template's own text.

use std::{
    collections::{BTreeSet, HashSet},
    mem,
};

use aho_corasick::AhoCorasick;
use deja_wire::{Conversation, Message, Tool};
use serde_json::{Map, Value};

use crate::tokenizer::Tokenizer;

/// Characters for private use, of which one serves as the mark.
const MARKS: std::ops::RangeInclusive<char> = '\u{F0000}'..='\u{FFFFD}';

/// The names of a model's control tokens.
#[derive(Debug)]
pub(crate) struct ControlTokens {
    /// Finds them in any case: a tokeniser may ignore case.
    spellings: AhoCorasick,
    /// All that a name begins with, but for the whole name.
    beginnings: HashSet<String>,
    /// All that a name ends with, but for the whole name.
    endings: HashSet<String>,
    /// Bytes of the longest name.
    longest: usize,
}

impl ControlTokens {
    pub(crate) fn of(tokenizer: &Tokenizer) -> Result<Self, aho_corasick::BuildError> {
        // A mark has to stand between two characters.
        let names: Vec<_> = tokenizer
            .special_names()
            .filter(|name| name.chars().nth(1).is_some())
            .collect();
        let spellings = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&names)?;
        let cuts = names.iter().flat_map(|name| {
            name.char_indices()
                .skip(1)
                .map(|(cut, _)| name.split_at(cut))
        });
        let (beginnings, endings) = cuts
            .map(|(beginning, ending)| (beginning.to_owned(), ending.to_owned()))
            .unzip();
        Ok(Self {
            spellings,
            beginnings,
            endings,
            longest: names.iter().map(|name| name.len()).max().unwrap_or(0),
        })
    }

    /// The conversation with marks in its contents, and the mark, which `text`, the conversation as
    /// the template writes it, does not have. None if the contents spell no control token.
    pub(crate) fn marked(
        &self,
        conversation: &Conversation,
        text: &str,
    ) -> Option<(Conversation, char)> {
        let mut marks = MARKS;
        let mark = marks.find(|mark| !text.contains(*mark))?;
        let mut conversation = conversation.clone();
        let mut marking = Marking {
            tokens: self,
            mark,
            is_used: false,
        };
        marking.conversation(&mut conversation);
        marking.is_used.then_some((conversation, mark))
    }

    /// The places in a content where a mark keeps it from spelling a control token, alone or
    /// together with what the template writes before and behind it.
    fn places(&self, content: &str) -> BTreeSet<usize> {
        let spelled = self.spellings.find_overlapping_iter(content);
        let within =
            |start: usize| start + content[start..].chars().next().map_or(0, char::len_utf8);
        let mut places: BTreeSet<_> = spelled.map(|found| within(found.start())).collect();
        // Templates trim.
        let end = content.trim_end();
        let tails = end.char_indices().rev().map(|(start, _)| &end[start..]);
        if self.has_any(&self.beginnings, tails) {
            places.insert(end.len());
        }
        let start = content.trim_start();
        let cuts = start
            .char_indices()
            .map(|(cut, char)| cut + char.len_utf8());
        if self.has_any(&self.endings, cuts.map(|cut| &start[..cut])) {
            places.insert(content.len() - start.len());
        }
        places
    }

    /// Whether one of these parts of a content, the shortest first, is one of the pieces of names.
    fn has_any<'a>(&self, pieces: &HashSet<String>, parts: impl Iterator<Item = &'a str>) -> bool {
        parts
            .take_while(|part| part.len() < self.longest)
            .any(|part| pieces.contains(part))
    }
}

/// Puts marks into the contents of a conversation.
struct Marking<'a> {
    tokens: &'a ControlTokens,
    mark: char,
    is_used: bool,
}

impl Marking<'_> {
    fn conversation(&mut self, conversation: &mut Conversation) {
        for message in &mut conversation.messages {
            self.message(message);
        }
        for tool in &mut conversation.tools {
            self.tool(tool);
        }
        for value in conversation.template_arguments.values_mut() {
            self.value(value);
        }
    }

    fn message(&mut self, message: &mut Message) {
        self.text(&mut message.content);
        let others = [
            &mut message.reasoning,
            &mut message.tool_call_id,
            &mut message.name,
        ];
        for text in others.into_iter().flatten() {
            self.text(text);
        }
        for call in &mut message.tool_calls {
            self.text(&mut call.id);
            self.text(&mut call.name);
            self.arguments(&mut call.arguments);
        }
    }

    fn tool(&mut self, tool: &mut Tool) {
        self.text(&mut tool.name);
        if let Some(description) = &mut tool.description {
            self.text(description);
        }
        self.value(&mut tool.parameters);
    }

    /// The arguments of a call are JSON, in which a spelling may hide behind escapes.
    fn arguments(&mut self, arguments: &mut String) {
        let Ok(mut value) = serde_json::from_str::<Value>(arguments) else {
            return self.text(arguments);
        };
        let was_used = mem::take(&mut self.is_used);
        self.value(&mut value);
        if self.is_used {
            *arguments = value.to_string();
        }
        self.is_used |= was_used;
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => {
                let marked = mem::take(fields).into_iter().map(|(mut name, mut value)| {
                    self.text(&mut name);
                    self.value(&mut value);
                    (name, value)
                });
                *fields = marked.collect::<Map<_, _>>();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &mut String) {
        for place in self.tokens.places(text).into_iter().rev() {
            text.insert(place, self.mark);
            self.is_used = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use deja_wire::{Role, ToolCall};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NAMES: [&str; 3] = ["<|im_end|>", "</s>", "[INST]"];

    fn tokens() -> ControlTokens {
        ControlTokens::of(&Tokenizer::of_bytes_and(&NAMES)).expect("they are few")
    }

    fn marked(content: &str) -> Option<String> {
        let conversation = vec![Message::new(Role::User, content)].into();
        let (conversation, mark) = tokens().marked(&conversation, "")?;
        Some(conversation.messages[0].content.replace(mark, "*"))
    }

    #[test]
    fn marks_stand_in_spellings_and_where_one_could_begin_or_end() {
        for (content, expected) in [
            ("a <|im_end|> b", "a <*|im_end|> b"),
            ("</S></s>", "<*/S><*/s>"),
            ("say <|im_ ", "say <|im_* "),
            (" end|> said", " *end|> said"),
        ] {
            assert_eq!(marked(content).as_deref(), Some(expected));
        }
        for content in ["", "a < b > c", "<im_end>", "[INS T]"] {
            assert_eq!(marked(content), None, "{content}");
        }
    }

    #[test]
    fn every_text_of_a_conversation_is_a_content() {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "ls".to_owned(),
            arguments: "{\"a\": \"\\u003c/s>\"}".to_owned(),
        };
        let tool = Tool {
            name: "ls".to_owned(),
            description: None,
            parameters: json!({"properties": {"</s>": {"enum": [1]}}}),
            strict: false,
        };
        let mut conversation: Conversation = vec![Message {
            tool_calls: vec![call],
            ..Message::new(Role::Assistant, "")
        }]
        .into();
        conversation.tools.push(tool);
        let mood = ("mood".to_owned(), json!(["</s>"]));
        conversation.template_arguments.extend([mood]);
        let (marked, mark) = tokens().marked(&conversation, "").expect("it spells them");
        let token = format!("<{mark}/s>");
        assert!(marked.messages[0].tool_calls[0].arguments.contains(&token));
        assert!(
            marked.tools[0].parameters["properties"]
                .get(&token)
                .is_some()
        );
        assert_eq!(marked.template_arguments["mood"], json!([token]));
    }

    #[test]
    fn a_mark_is_no_character_of_the_text() {
        let conversation = vec![Message::new(Role::User, "\u{F0000}</s>")].into();
        let (_, mark) = tokens()
            .marked(&conversation, "\u{F0000}</s>")
            .expect("it spells one");
        assert_eq!(mark, '\u{F0001}');
    }

    proptest! {
        #[test]
        fn only_the_templates_tokens_are_read_as_such(
            pieces in prop::collection::vec(
                prop::sample::select(&["<", "|", "im_end", ">", "/s", "[INST", "]", " ", "é"][..]), 0..10,
            ),
        ) {
            let tokenizer = Tokenizer::of_bytes_and(&NAMES);
            let content = pieces.concat();
            prop_assume!(!content.is_empty());
            let conversation = vec![Message::new(Role::User, content.as_str())].into();
            let text = format!("[INST]<{content}|im_end|></s>");
            let tokens = match tokens().marked(&conversation, &text) {
                None => tokenizer.encode(&text),
                Some((marked, mark)) => {
                    let content = &marked.messages[0].content;
                    tokenizer.encode_marked(&format!("[INST]<{content}|im_end|></s>"), mark)
                }
            };
            let tokens = tokens.expect("encodes");
            let special = tokens.iter().filter_map(|token| tokenizer.special(*token));
            prop_assert_eq!(special.collect::<Vec<_>>(), ["[INST]", "</s>"]);
            prop_assert_eq!(tokenizer.decode(&tokens), text);
        }
    }
}
