use deja_plugin::keyer::Change;
use proptest::prelude::*;

use super::*;

/// A text with its edits made, and the rules that made them.
fn normalised(text: &str, config: &str) -> (String, Vec<String>) {
    let settings = Settings::parse(config).expect("these are settings");
    let mut normalised = text.to_owned();
    let mut rules = Vec::new();
    let mut next = text.len();
    for edit in edits("/messages/0/content", text, &settings)
        .into_iter()
        .rev()
    {
        let Change::Rewrite(splice) = edit.change else {
            panic!("not a rewrite")
        };
        let bytes = splice.start as usize..splice.end as usize;
        assert!(bytes.end <= next, "the edits overlap");
        next = bytes.start;
        normalised.replace_range(bytes, &splice.replacement);
        rules.insert(0, edit.rule);
    }
    (normalised, rules)
}

#[test]
fn each_change_has_its_rule() {
    let (text, rules) = normalised("What  is \r\n  cafe\u{301}?\n", "{}");
    assert_eq!(text, "What is\n  café?");
    assert_eq!(
        rules,
        ["space-runs", "trailing-space", "nfc", "trailing-space"]
    );
}

#[test]
fn each_rule_can_be_switched_off() {
    let text = " a  cafe\u{301} ";
    assert_eq!(normalised(text, r#"{"nfc": false}"#).0, " a cafe\u{301}");
    assert_eq!(normalised(text, r#"{"space": "keep"}"#).0, " a  café ");
    let (text, rules) = normalised(" \na\n\nb", r#"{"space": "all"}"#);
    assert_eq!(text, "a b");
    assert_eq!(rules, ["leading-space", "space-runs"]);
}

#[test]
fn a_normal_text_needs_no_edit() {
    for text in ["", "a b, ü 東京", "fn main() {\n    print()\n}"] {
        assert_eq!(normalised(text, "{}"), (text.to_owned(), Vec::new()));
    }
}

#[test]
fn patterns_replace_what_they_find_and_the_first_has_it() {
    let config = r#"{"replacements": [
        {"name": "date", "pattern": "(\\d{4})-\\d\\d-\\d\\d", "with": "$1"},
        {"name": "number", "pattern": "\\d+", "with": "N"},
        {"name": "star", "pattern": "[*]"}
    ]}"#;
    let (text, rules) = normalised("On 2026-08-16,  12 of 東*.", config);
    assert_eq!(text, "On 2026, N of 東.");
    assert_eq!(rules, ["date", "space-runs", "number", "star"]);
}

#[test]
fn a_pattern_may_find_nothing_between_characters() {
    let config = r#"{"replacements": [
        {"name": "all", "pattern": "", "with": "-"}, {"name": "a", "pattern": "a", "with": "b"}
    ]}"#;
    assert_eq!(normalised("aé", config).0, "-a-é-");
}

#[test]
fn a_text_with_many_changes_is_one_edit() {
    let few = "a  b ".repeat(MOST_SPLICES - 1);
    assert_eq!(normalised(&few, "{}").1.len(), MOST_SPLICES);
    let many = "a  e\u{301} ".repeat(MOST_SPLICES);
    let (text, rules) = normalised(&many, "{}");
    assert_eq!(text, "a é ".repeat(MOST_SPLICES).trim_end());
    assert_eq!(rules, ["nfc+space-runs+trailing-space"]);
}

/// Words, marks that compose, and space of many kinds.
fn any_text() -> impl Strategy<Value = String> {
    "([a-eé가각\u{1100}\u{1161}\u{301}\u{327}\u{338}\u{212b}=]|[ \t\n\r\u{85}\u{a0}\u{2000}]){0,60}"
}

fn any_config() -> impl Strategy<Value = String> {
    "\\{\"space\": \"(keep|lines|all)\", \"nfc\": (true|false)\\}"
}

proptest! {
    #[test]
    fn what_is_normal_stays(text in any_text(), config in any_config()) {
        let (once, _) = normalised(&text, &config);
        prop_assert_eq!(normalised(&once, &config), (once.clone(), Vec::new()));
    }

    #[test]
    fn only_space_changes_where_nothing_else_may(text in any_text(), space in "lines|all") {
        let config = format!(r#"{{"space": "{space}", "nfc": false}}"#);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&normalised(&text, &config).0), words(&text));
    }

    #[test]
    fn word_by_word_is_the_whole_texts_normal_form(text in any_text()) {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (normal, _) = normalised(&text, r#"{"space": "keep"}"#);
        prop_assert_eq!(words(&normal), words(&text.nfc().collect::<String>()));
    }

    #[test]
    fn all_space_is_the_same_space(words in prop::collection::vec("[a-z]{1,3}", 1..30), space in "[ \t\n]{1,3}") {
        let config = r#"{"space": "all"}"#;
        prop_assert_eq!(normalised(&words.join(&space), config).0, words.join(" "));
    }
}
