//! What holds for all requests.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::RULES;
use crate::testing::{Session, canonical};

/// Places where a request may not differ.
const PLACES: [&str; 17] = [
    "/model",
    "/include/0",
    "/tools/0/name",
    "/tools/0/description",
    "/input/0/role",
    "/input/0/content/0/text",
    "/input/0/content/1/text",
    "/input/0/content/2/text",
    "/input/1/content/0/text",
    "/input/1/content/1/text",
    "/input/2/content/0/text",
    "/input/3/encrypted_content",
    "/input/4/arguments",
    "/input/5/input",
    "/input/6/output/0/text",
    "/input/6/output/1/text",
    "/input/7/output",
];

/// Masks, each on or off, and rules that do not apply.
fn any_config() -> impl Strategy<Value = Value> {
    let rules = prop::sample::subsequence(RULES.to_vec(), 0..=RULES.len());
    (rules, any::<[bool; 3]>()).prop_map(|(disable, [cwd, date, paths])| {
        json!({"disable": disable, "mask_cwd": cwd, "mask_date": date, "mask_paths": paths})
    })
}

proptest! {
    #[test]
    fn sessions_with_the_same_words_meet(one: u16, other: u16, prompt in ".*") {
        let of = |number| canonical(&Session::new(number).request(&prompt), "{}");
        prop_assert_eq!(of(one), of(other));
    }

    #[test]
    fn one_other_letter_keeps_them_apart(
        number: u16, prompt in ".*", place in prop::sample::select(&PLACES[..]),
        letter in any::<char>(), config in any_config(),
    ) {
        let request = Session::new(number).request(&prompt);
        let mut other = request.clone();
        let Some(Value::String(text)) = other.pointer_mut(place) else {
            panic!("{place} is no text");
        };
        text.push(letter);
        let config = config.to_string();
        prop_assert_ne!(canonical(&request, &config), canonical(&other, &config));
    }

    #[test]
    fn outputs_stay_with_their_calls(number: u16) {
        let request = Session::new(number).request("a");
        let mut crossed = request.clone();
        for (place, from) in [(6, 7), (7, 6)] {
            crossed["input"][place]["call_id"] = request["input"][from]["call_id"].clone();
        }
        prop_assert_ne!(canonical(&request, "{}"), canonical(&crossed, "{}"));
    }

    #[test]
    fn what_is_canonical_stays_as_it_is(number: u16, config in any_config()) {
        let config = config.to_string();
        let once = canonical(&Session::new(number).request("a"), &config);
        prop_assert_eq!(canonical(&once, &config), once);
    }

    /// [`canonical`] panics where edits overlap, or cannot be made.
    #[test]
    fn edits_of_any_body_can_be_made(
        place in prop::sample::select(&PLACES[..]), value in any_json(), config in any_config(),
        text in any_text(),
    ) {
        let mut body = Session::new(7).request(&text);
        *body.pointer_mut(place).expect("it is there") = value.clone();
        let edited = canonical(&body, &config.to_string());
        prop_assert_eq!(&edited["model"], &body["model"]);
        let _ = canonical(&value, &config.to_string());
        let _ = canonical(&super::body(&value), &config.to_string());
    }
}

/// A text made of what the rules look for.
fn any_text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 14] = [
        "<environment_context>",
        "</environment_context>",
        "<cwd>/a</cwd>",
        "<cwd>é",
        "</cwd>",
        "<timezone>é</timezone>",
        "# AGENTS.md instructions for /a",
        "<skills_instructions>",
        "\n- `r0` = `/a`",
        "Chunk ID: é",
        "\nWall time: é seconds",
        "\nOutput:\n",
        "\n",
        "/a",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..8).prop_map(|it| it.concat())
}

/// Any JSON, of the fields and words that the rules look for.
fn any_json() -> impl Strategy<Value = Value> {
    const FIELDS: [&str; 9] = [
        "type",
        "role",
        "id",
        "call_id",
        "content",
        "output",
        "text",
        "input",
        "client_metadata",
    ];
    const WORDS: [&str; 7] = [
        "message",
        "user",
        "developer",
        "reasoning",
        "function_call_output",
        "call_a",
        "x-codex-window-id",
    ];
    let word = prop::sample::select(&WORDS[..]).prop_map(Value::from);
    let text = any_text().prop_map(Value::from);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<u8>().prop_map(Value::from),
        word,
        text
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let field = prop::sample::select(&FIELDS[..]).prop_map(str::to_owned);
        let object = prop::collection::btree_map(field, inner.clone(), 0..6);
        let object = object.prop_map(|fields| Value::Object(fields.into_iter().collect()));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            object
        ]
    })
}
