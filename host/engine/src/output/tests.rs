//! The parsers together, each form by examples, and all by any splitting.

use deja_wire::{Message, Role, Tool};
use proptest::{prelude::*, sample::select};
use serde_json::json;

use super::*;

/// All that an answer holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    thoughts: String,
    text: String,
    /// The name and the arguments of each call.
    calls: Vec<(String, String)>,
}

fn folded(deltas: impl IntoIterator<Item = Delta>) -> Answer {
    let mut answer = Answer::default();
    for delta in deltas {
        match delta {
            Delta::Reasoning(thought) => answer.thoughts += &thought,
            Delta::Text { text, .. } => answer.text += &text,
            Delta::ToolCall { index, name, .. } => {
                assert_eq!(index as usize, answer.calls.len());
                answer.calls.push((name, String::new()));
            }
            Delta::ToolArguments { index, arguments } => {
                answer.calls[index as usize].1 += &arguments;
            }
            other => panic!("a parser of texts gives no {other:?}"),
        }
    }
    answer
}

fn conversation() -> Conversation {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        description: None,
        parameters: json!({"type": "object", "properties": {
            "path": {"type": "string"}, "depth": {"type": "integer"},
        }}),
        strict: false,
    };
    Conversation {
        tools: vec![tool("ls"), tool("cat")],
        ..vec![Message::new(Role::User, "Look!")].into()
    }
}

/// Templates, each of which tells of another form.
const JSON: &str = "<tool_call> </think>";
const XML: &str = "<function= </think>";
const BARE: &str = "<|python_tag|>";
const LIST: &str = "[TOOL_CALLS]";
const NAMED: &str = "[TOOL_CALLS][ARGS][/THINK]";

fn parse(template: &str, pieces: &[&str]) -> Answer {
    let mut parser = OutputParser::new(Style::of_template(template), &conversation(), "");
    let mut deltas: Vec<_> = pieces.iter().flat_map(|text| parser.push(text)).collect();
    deltas.extend(parser.finish());
    folded(deltas)
}

/// An answer that says this, and calls these with these arguments.
fn answer(text: &str, calls: &[(&str, &str)]) -> Answer {
    let calls = calls
        .iter()
        .map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned()));
    Answer {
        text: text.to_owned(),
        calls: calls.collect(),
        ..Answer::default()
    }
}

/// Checks what a text is, also when it comes character by character.
fn check(template: &str, text: &str, expected: &Answer) {
    assert_eq!(parse(template, &[text]), *expected, "{text}");
    let pieces: Vec<_> = text.split_inclusive(|_| true).collect();
    assert_eq!(parse(template, &pieces), *expected, "{text}, in pieces");
}

#[test]
fn calls_of_each_form() {
    let here = ("ls", r#"{"path": ".", "depth": 2}"#);
    let file = ("cat", r#"{"path": "a}\"b"}"#);
    for (template, text) in [
        (
            JSON,
            "Looking.\n<tool_call>\n{\"name\": \"ls\", \"arguments\": {\"path\": \".\", \"depth\": 2}}\n</tool_call>\n<tool_call>\n{\"arguments\": {\"path\": \"a}\\\"b\"}, \"name\": \"cat\"}\n</tool_call>\n",
        ),
        (
            XML,
            "Looking.\n<tool_call>\n<function=ls>\n<parameter=path>\n.\n</parameter>\n<parameter=depth>\n2\n</parameter>\n</function>\n</tool_call>\n<function=cat>\n<parameter=path>a}\"b</parameter></function>\n</tool_call>",
        ),
        (
            BARE,
            "Looking. <|python_tag|>{\"name\": \"ls\", \"parameters\": {\"path\": \".\", \"depth\": 2}}; {\"type\": \"function\", \"name\": \"cat\", \"parameters\": {\"path\": \"a}\\\"b\"}}",
        ),
        (
            LIST,
            "Looking.[TOOL_CALLS] [{\"name\": \"ls\", \"arguments\": {\"path\": \".\", \"depth\": 2}, \"id\": \"1\"}, {\"name\": \"cat\", \"arguments\": {\"path\": \"a}\\\"b\"}}]",
        ),
        (
            NAMED,
            "Looking.[TOOL_CALLS]ls[ARGS]{\"path\": \".\", \"depth\": 2}[TOOL_CALLS]cat[CALL_ID]1[ARGS]{\"path\": \"a}\\\"b\"}",
        ),
    ] {
        let mut found = parse(template, &[text]);
        // Arguments that came before the name are written anew.
        for (_, arguments) in &mut found.calls {
            *arguments = arguments.replace("\":\"", "\": \"");
        }
        assert_eq!(found, answer("Looking.", &[here, file]), "{text}");
        let pieces: Vec<_> = text.split_inclusive(|_| true).collect();
        let whole = parse(template, &[text]);
        assert_eq!(parse(template, &pieces), whole, "{text}, in pieces");
    }
}

#[test]
fn what_only_looks_like_a_call_is_text() {
    for (template, text) in [
        (JSON, "Write <tool_call> to call."),
        (
            JSON,
            "<tool_call>{\"name\": \"rm\", \"arguments\": {}}</tool_call>",
        ),
        (JSON, "<tool_call>{\"name\": \"ls\", \"argum"),
        (
            JSON,
            "<tool_call>{\"name\": \"ls\" \"arguments\": {}}</tool_call>",
        ),
        (
            JSON,
            "a <tool_call> <tool_call> {\"path\": 1} </tool_call> b",
        ),
        (
            JSON,
            "<tool_call>{\"name\": \"ls\", \"arguments\": 7}</tool_call>",
        ),
        (JSON, "{\"name\": \"ls\", \"arguments\": {}}"),
        (XML, "<tool_call>\n<function=rm>\n</function>\n</tool_call>"),
        (XML, "The tag <function=\nls"),
        (BARE, " {\"colour\": \"red\", \"name\": \"ls\"}"),
        (BARE, "{\"name\": \"Ann\", \"parameters\": {\"a\": 1}}"),
        (BARE, "See: {\"name\": \"ls\", \"parameters\": {}}"),
        (BARE, "<|python_tag|>print(1)"),
        (LIST, "[TOOL_CALLS] [1, 2]"),
        (LIST, "[TOOL_CALLS][]"),
        (NAMED, "[TOOL_CALLS]rm[ARGS]{}"),
        (NAMED, "[TOOL_CALLS]\nls"),
    ] {
        check(template, text, &answer(text, &[]));
    }
}

#[test]
fn a_call_follows_one_that_was_none() {
    let text = "<tool_call>no <tool_call>{\"name\": \"ls\"}</tool_call> and text";
    check(
        JSON,
        text,
        &answer("<tool_call>no and text", &[("ls", "{}")]),
    );
}

#[test]
fn a_forgotten_brace_and_broken_arguments_are_calls() {
    let forgotten = "<tool_call>{\"name\": \"ls\", \"arguments\": {\"path\": \".\"}</tool_call>";
    check(JSON, forgotten, &answer("", &[("ls", "{\"path\": \".\"}")]));
    let broken = "<tool_call>{\"name\": \"ls\", \"arguments\": {\"path\": ";
    check(JSON, broken, &answer("", &[("ls", "{\"path\": ")]));
}

#[test]
fn arguments_without_anything_in_them() {
    check(
        XML,
        "<function=ls>\n</function>",
        &answer("", &[("ls", "{}")]),
    );
    check(NAMED, "[TOOL_CALLS]ls{}", &answer("", &[("ls", "{}")]));
    let quoted = "{\"name\": \"ls\", \"parameters\": \"{}\"}";
    check(BARE, quoted, &answer("", &[("ls", "{}")]));
}

#[test]
fn a_model_thinks_before_it_calls() {
    let call = "<tool_call>{\"name\": \"ls\", \"arguments\": {}}</tool_call>";
    let text = format!("<think>\nI say {call}?\n</think>\n\n{call}");
    let expected = Answer {
        thoughts: format!("I say {call}?"),
        ..answer("", &[("ls", "{}")])
    };
    check(JSON, &text, &expected);
}

#[test]
fn arguments_stream() {
    let style = Style::of_template(JSON);
    let mut parser = OutputParser::new(style, &conversation(), "");
    parser.push("<tool_call>{\"name\": \"cat\", \"arguments\": ");
    let deltas = parser.push("{\"path");
    assert!(matches!(&deltas[0], Delta::ToolCall { name, .. } if name == "cat"));
    let piece = |arguments: &str| Delta::ToolArguments {
        index: 0,
        arguments: arguments.to_owned(),
    };
    assert_eq!(deltas[1..], [piece("{\"path")]);
    assert_eq!(parser.push("\": 1}"), [piece("\": 1}")]);
}

#[test]
fn without_tools_a_call_is_text() {
    let text = "<tool_call>{\"name\": \"ls\", \"arguments\": {}}</tool_call>";
    let mut none = conversation();
    none.tool_choice = ToolChoice::None;
    let style = Style::of_template(JSON);
    for mut parser in [OutputParser::plain(), OutputParser::new(style, &none, "")] {
        let deltas = [parser.push(text), parser.finish()].concat();
        assert_eq!(folded(deltas), answer(text, &[]));
        assert_eq!(parser.finish_reason(FinishReason::Stop), FinishReason::Stop);
    }
}

#[test]
fn one_call_ends_the_answer_if_one_is_wanted() {
    let mut one = conversation();
    one.parallel_tool_calls = false;
    let mut parser = OutputParser::new(Style::of_template(JSON), &one, "");
    parser.push("<tool_call>{\"name\": \"ls\", \"arguments\": {");
    assert!(!parser.is_over());
    parser.push("}}");
    assert!(parser.is_over());
    assert_eq!(
        parser.finish_reason(FinishReason::Stop),
        FinishReason::ToolCalls
    );
    assert_eq!(
        parser.finish_reason(FinishReason::Length),
        FinishReason::Length
    );
}

/// Texts made of what the parsers look for.
fn text() -> impl Strategy<Value = String> {
    let word = select(
        &[
            "<think>",
            "</think>",
            "[THINK]",
            "[/THINK]",
            "<tool_call>",
            "</tool_call>",
            "{",
            "}",
            "[",
            "]",
            "{\"name\": \"ls\"",
            ", \"arguments\": ",
            ", \"parameters\": ",
            "{\"path\": \"é\"}",
            "\"",
            "\\",
            "<function=",
            "ls>",
            "<parameter=",
            "depth>\n",
            "7",
            "\n</parameter>",
            "</function>",
            ";",
            " ",
            "\n",
            "<|python_tag|>",
            "[TOOL_CALLS]",
            "[ARGS]",
            "[CALL_ID]",
            "ls",
            "rm",
            ",",
            ":",
            "é",
            "<",
        ][..],
    );
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(
        template in select(&[JSON, XML, BARE, LIST, NAMED][..]),
        text in text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut places: Vec<_> = text.char_indices().map(|(place, _)| place).collect();
        places.push(text.len());
        let mut ends: Vec<_> = cuts.iter().map(|cut| *cut.get(&places)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut start = 0;
        let pieces: Vec<_> = ends
            .iter()
            .map(|end| &text[std::mem::replace(&mut start, *end)..*end])
            .collect();
        prop_assert_eq!(parse(template, &pieces), parse(template, &[&text]));
    }

    #[test]
    fn a_text_without_calls_loses_nothing(
        template in select(&[JSON, XML, BARE, LIST, NAMED][..]),
        text in text(),
    ) {
        let found = parse(template, &[&text]);
        let thinks = ["think", "THINK"].iter().any(|word| text.contains(word));
        if found.calls.is_empty() && !thinks {
            prop_assert_eq!(found.text, text);
        }
    }
}
