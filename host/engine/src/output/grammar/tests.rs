//! What the grammars allow, byte by byte, and that the parsers find calls in it.

use std::collections::BTreeSet;

use deja_wire::{Delta, Message, Role};
use llguidance::api::TopLevelGrammar;
use proptest::{prelude::*, sample::select};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Map;

use super::*;
use crate::{
    EngineError,
    output::{MARKERS, OutputParser},
    sampler::{Constraint, Constraints},
    tokenizer::Tokenizer,
};

/// Templates, each of which tells of another form.
const JSON: &str = "<tool_call>";
const THINKING_JSON: &str = "<tool_call> </think>";
const XML: &str = "<function=";
const BARE: &str = "<|python_tag|>";
const LIST: &str = "[TOOL_CALLS]";
const NAMED: &str = "[TOOL_CALLS][ARGS]";
const FORMS: [&str; 5] = [JSON, XML, BARE, LIST, NAMED];

/// The token that ends answers.
const END: &str = "<end>";

fn conversation() -> Conversation {
    let place = json!({"type": "object", "properties": {"line": {"$ref": "#/$defs/line"}},
        "required": ["line"], "additionalProperties": false});
    let schema = json!({
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["file", "folder \"x\""]},
            "place": place,
        },
        "required": ["kind"],
        "additionalProperties": false,
        "$defs": {"line": {"type": "integer", "minimum": 0, "maximum": 9}},
    });
    let tool = |name: &str, parameters| Tool {
        name: name.to_owned(),
        description: None,
        parameters,
        strict: false,
    };
    let text = json!({"type": "object", "properties": {
        "text": {"type": "string"}, "depth": {"type": "integer"},
    }, "required": ["text"], "additionalProperties": false});
    Conversation {
        tools: vec![tool("find", schema), tool("write", text)],
        tool_choice: ToolChoice::Required,
        ..vec![Message::new(Role::User, "Look!")].into()
    }
}

fn only(name: &str) -> Conversation {
    Conversation {
        tool_choice: ToolChoice::Function(name.to_owned()),
        ..conversation()
    }
}

/// A model that says what it is told to, if it may.
struct Speaker {
    tokenizer: Tokenizer,
    constraint: Constraint,
    parser: OutputParser,
    end: u32,
}

impl Speaker {
    /// `special` says whether markers are special tokens.
    fn new(
        template: &str,
        conversation: &Conversation,
        prompt: &str,
        special: bool,
    ) -> Result<Self, EngineError> {
        let markers: &[&str] = if special { &MARKERS } else { &[] };
        let tokenizer = Tokenizer::of_bytes_and(&[&[END], markers].concat());
        let end = tokenizer.id(END).expect("it was added");
        let token = |marker: &str| tokenizer.id(marker);
        let style = Style::of_template(template);
        let grammar = grammar(style, conversation, prompt, token).expect("calls are not free");
        let vocabulary = 257 + markers.len();
        let constraints = Constraints::new(&tokenizer, &[end].into(), vocabulary)?;
        let constraint = constraints.of(&TopLevelGrammar::from_lark(grammar), vocabulary)?;
        Ok(Self {
            constraint,
            parser: OutputParser::new(style, conversation, prompt),
            tokenizer,
            end,
        })
    }

    /// The tokens that may come next.
    fn next(&mut self) -> Vec<u32> {
        let mask = self.constraint.mask().expect("the grammar goes on");
        let mask: Vec<f32> = mask.to_vec_exact().expect("is f32");
        let tokens = (0..).zip(mask).filter(|(_, value)| *value == 0.0);
        tokens.map(|(token, _)| token).collect()
    }

    /// Says this to the end; how far it came before it was refused.
    fn say(&mut self, text: &str) -> Result<(), String> {
        let mut tokens = self.tokenizer.encode(text).expect("is text");
        tokens.push(self.end);
        for (place, token) in tokens.iter().enumerate() {
            if !self.next().contains(token) {
                return Err(self.tokenizer.decode(&tokens[..place]));
            }
            self.constraint.note(*token);
        }
        Ok(())
    }

    /// Says anything that is allowed; returns it.
    fn say_anything(&mut self, seed: u64) -> String {
        let mut random = StdRng::seed_from_u64(seed);
        let mut said = Vec::new();
        loop {
            let allowed = self.next();
            let token = allowed[random.random_range(0..allowed.len())];
            if token == self.end {
                return self.tokenizer.decode(&said);
            }
            self.constraint.note(token);
            said.push(token);
        }
    }

    /// The text and the calls that are found in it.
    fn parse(&mut self, text: &str) -> (String, Vec<(String, Value)>) {
        let deltas = [self.parser.push(text), self.parser.finish()].concat();
        let (mut rest, mut calls) = (String::new(), Vec::<(String, String)>::new());
        for delta in deltas {
            match delta {
                Delta::Text { text, .. } => rest += &text,
                Delta::ToolCall { name, .. } => calls.push((name, String::new())),
                Delta::ToolArguments { arguments, .. } => {
                    calls.last_mut().expect("it was begun").1 += &arguments;
                }
                Delta::Reasoning(_) => {}
                other => panic!("a parser of texts gives no {other:?}"),
            }
        }
        let parsed = |(name, arguments): (String, String)| {
            let arguments = serde_json::from_str(&arguments);
            (name, arguments.expect("the arguments are JSON"))
        };
        (rest, calls.into_iter().map(parsed).collect())
    }
}

/// Says a text in both kinds of vocabulary.
fn say(
    template: &str,
    conversation: &Conversation,
    prompt: &str,
    text: &str,
) -> [Result<(), String>; 2] {
    [false, true].map(|special| {
        let speaker = Speaker::new(template, conversation, prompt, special);
        speaker.expect("the grammar is sound").say(text)
    })
}

/// A call of `write` in each form.
fn written(template: &str, text: &str) -> String {
    let json = Value::from(text);
    match template {
        XML => format!(
            "<tool_call>\n<function=write>\n<parameter=text>\n{text}\n</parameter>\n</function>\n</tool_call>"
        ),
        BARE => format!("{{\"name\": \"write\", \"parameters\": {{\"text\": {json}}}}}"),
        LIST => {
            format!("[TOOL_CALLS][{{\"name\": \"write\", \"arguments\": {{\"text\": {json}}}}}]")
        }
        NAMED => format!("[TOOL_CALLS]write[ARGS]{{\"text\": {json}}}"),
        _ => format!(
            "<tool_call>\n{{\"name\": \"write\", \"arguments\": {{\"text\": {json}}}}}\n</tool_call>"
        ),
    }
}

#[test]
fn a_call_that_follows_its_schema_may_be_said_and_is_found() {
    for template in FORMS {
        let text = written(template, "A \"fox\"\n\nin </the> wood");
        for wanted in [conversation(), only("write")] {
            assert_eq!(
                say(template, &wanted, "", &text),
                [Ok(()), Ok(())],
                "{text}"
            );
        }
        let mut speaker = Speaker::new(template, &conversation(), "", false).expect("is sound");
        let arguments = json!({"text": "A \"fox\"\n\nin </the> wood"});
        let call = ("write".to_owned(), arguments);
        assert_eq!(speaker.parse(&text), (String::new(), vec![call]));
    }
}

#[test]
fn nothing_else_may_be_said() {
    for template in FORMS {
        let call = written(template, "x");
        let [refused, _] = say(template, &conversation(), "", "Sure.");
        assert_eq!(refused, Err(String::new()), "text in place of a call");
        for (right, wrong) in [("write", "rm"), ("text", "texts"), ("write", "find")] {
            let wrong = call.replacen(right, wrong, 1);
            for refused in say(template, &conversation(), "", &wrong) {
                let before = refused.expect_err("a name or a field that is wrong");
                assert!(wrong.starts_with(&before) && before.len() < wrong.len());
            }
        }
        for refused in say(template, &only("find"), "", &call) {
            refused.expect_err("another tool than the wanted one");
        }
        for refused in say(template, &conversation(), "", &call.replace('x', "")[..9]) {
            refused.expect_err("half a call");
        }
    }
}

#[test]
fn as_many_calls_as_are_wanted() {
    for (template, between) in [(JSON, "\n"), (XML, "\n"), (BARE, "; "), (NAMED, "")] {
        let call = written(template, "x");
        let two = format!("{call}{between}{call}");
        let mut wanted = conversation();
        assert_eq!(say(template, &wanted, "", &two), [Ok(()), Ok(())]);
        wanted.parallel_tool_calls = false;
        assert_eq!(say(template, &wanted, "", &call), [Ok(()), Ok(())]);
        for refused in say(template, &wanted, "", &two) {
            assert_eq!(refused, Err(call.clone()));
        }
    }
}

#[test]
fn thoughts_may_come_first() {
    let call = written(JSON, "x");
    let thoughts = format!("hm: {{\n</think>\n\n{call}");
    let accepted = [Ok(()), Ok(())];
    let wanted = conversation();
    assert_eq!(
        say(THINKING_JSON, &wanted, "<think>\n", &thoughts),
        accepted
    );
    let opened = format!("<think>\nhm</think>\n\n{call}");
    assert_eq!(say(THINKING_JSON, &wanted, "", &opened), accepted);
    assert_eq!(say(THINKING_JSON, &wanted, "", &call), accepted);
    let closed = "<think>\n\n</think>\n\n";
    assert_eq!(say(THINKING_JSON, &wanted, closed, &call), accepted);
    for refused in say(THINKING_JSON, &wanted, closed, &opened) {
        refused.expect_err("it is not to think");
    }
    for refused in say(THINKING_JSON, &wanted, "<think>\n", "hm</think> Sure.") {
        refused.expect_err("after its thoughts it has to call");
    }
}

#[test]
fn where_calls_are_free_only_those_of_strict_tools_are_held() {
    for template in FORMS {
        let mut free = conversation();
        free.tool_choice = ToolChoice::Auto;
        let style = Style::of_template(template);
        assert_eq!(grammar(style, &free, "", |_| None), None);
        free.tools[1].strict = true;
        let call = written(template, "x");
        let spoken = format!("Sure.\n{call}");
        let before = if template == BARE { &call } else { &spoken };
        for text in ["", "Sure { }.", "[1]", before] {
            assert_eq!(say(template, &free, "", text), [Ok(()), Ok(())], "{text}");
        }
        for refused in say(template, &free, "", &before.replace("text", "texts")) {
            refused.expect_err("a field that is wrong");
        }
    }
}

#[test]
fn a_schema_that_cannot_be_followed_is_refused_where_it_is_strict() {
    let mut wanted = only("write");
    wanted.tools[1].parameters["properties"]["text"]["format"] = "unheard of".into();
    let text = written(JSON, "x");
    assert_eq!(say(JSON, &wanted, "", &text), [Ok(()), Ok(())]);
    wanted.tools[1].strict = true;
    let refused = Speaker::new(JSON, &wanted, "", false).err();
    assert!(matches!(refused, Some(EngineError::Format { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_is_said_is_calls_that_follow_the_schema(
        template in select(&FORMS[..]),
        special: bool,
        seed: u64,
    ) {
        let mut speaker = Speaker::new(template, &only("find"), "", special).expect("is sound");
        let said = speaker.say_anything(seed);
        let (text, calls) = speaker.parse(&said);
        prop_assert_eq!(text, "", "{}", said);
        prop_assert!(!calls.is_empty(), "{}", said);
        for (name, arguments) in calls {
            prop_assert_eq!(name, "find");
            prop_assert!(follows(&arguments), "{}", said);
        }
    }
}

/// Whether these are arguments as the schema of `find` wants them.
fn follows(arguments: &Value) -> bool {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let names = |fields: &Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
    let known = BTreeSet::from(["kind".to_owned(), "place".to_owned()]);
    let place = arguments.get("place");
    let line = place.map(|place| (fields(place).len(), place["line"].as_u64()));
    names(&fields(arguments)).is_subset(&known)
        && ["file", "folder \"x\""]
            .map(Value::from)
            .contains(&arguments["kind"])
        && line.is_none_or(|line| matches!(line, (1, Some(0..=9))))
}
