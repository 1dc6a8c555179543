//! What holds for all requests.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::alike;
use crate::testing::{Session, canonical};

fn any_session() -> impl Strategy<Value = Session> {
    let parts = (any::<u16>(), any::<[bool; 3]>(), 0_u32..200_000, 0_usize..4);
    parts.prop_map(
        |(number, [marks_cache, writes_strings, is_resumed], tokens, turn)| Session {
            number,
            tokens,
            marks_cache,
            writes_strings,
            is_resumed,
            turn,
        },
    )
}

/// Places where a request may not differ.
const PLACES: [&str; 12] = [
    "/model",
    "/thinking/type",
    "/system/1/text",
    "/tools/0/description",
    "/messages/0/role",
    "/messages/0/content/0/text",
    "/messages/0/content/1/text",
    "/messages/0/content/2/text",
    "/messages/2/content/0/thinking",
    "/messages/2/content/1/input/path",
    "/messages/3/content/0/content",
    "/messages/3/content/1/content/0/text",
];

proptest! {
    #[test]
    fn sessions_with_the_same_words_meet(
        one in any_session(), other in any_session(), prompt in ".*",
    ) {
        let of = |session: &Session| canonical(&session.request(&prompt), "{}");
        prop_assert_eq!(of(&one), of(&other));
    }

    #[test]
    fn one_other_letter_keeps_them_apart(
        session in any_session(), prompt in ".*", place in prop::sample::select(&PLACES[..]),
        letter in any::<char>(),
    ) {
        let request = session.request(&prompt);
        let mut other = request.clone();
        let Some(Value::String(text)) = other.pointer_mut(place) else {
            panic!("{place} is no text");
        };
        text.push(letter);
        prop_assert_ne!(canonical(&request, "{}"), canonical(&other, "{}"));
    }

    #[test]
    fn results_stay_with_their_calls(session in any_session()) {
        let request = session.request("a");
        let mut crossed = request.clone();
        for (place, id) in [("0", "a"), ("1", "b")] {
            let pointer = format!("/messages/3/content/{place}/tool_use_id");
            let result = crossed.pointer_mut(&pointer).expect("it is there");
            *result = Value::from(format!("toolu_{}{id}", session.number));
        }
        prop_assert_ne!(canonical(&request, "{}"), canonical(&crossed, "{}"));
    }

    /// [`canonical`] panics where edits overlap, or cannot be made.
    #[test]
    fn edits_of_any_body_can_be_made(body in any_body(), config in any_config()) {
        let edited = canonical(&body, &config.to_string());
        prop_assert_eq!(&edited["model"], &body["model"]);
    }
}

/// Settings of which each is on or off.
fn any_config() -> impl Strategy<Value = Value> {
    const MASKS: [&str; 5] = [
        "mask_date",
        "mask_environment",
        "mask_git_status",
        "mask_reminders",
        "mask_nudges",
    ];
    let rules: Vec<_> = alike().into_iter().map(|(rule, ..)| rule).collect();
    let count = rules.len();
    (
        prop::sample::subsequence(rules, 0..=count),
        any::<[bool; 5]>(),
    )
        .prop_map(|(disable, on)| {
            let mut config = json!({ "disable": disable });
            for (mask, on) in MASKS.into_iter().zip(on) {
                config[mask] = Value::Bool(on);
            }
            config
        })
}

/// A text made of what the rules look for.
fn any_text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 14] = [
        "<system-reminder>\n",
        "\n</system-reminder>",
        "Token usage: 1/2; 1 remaining",
        "SessionStart:resume hook success: ",
        "<session-id>",
        "</session-id>",
        "\nLast active: é",
        "x-anthropic-billing-header: cch=1;",
        "<total_tokens>9 tokens left</total_tokens>",
        "Today's date is 2026-08-16.",
        "\nPlatform: x",
        "This is the git status at the start of the conversation. Note that this status is a \
         snapshot in time, and will not update during the conversation.\n",
        "\n",
        "é",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6).prop_map(|it| it.concat())
}

fn any_block() -> impl Strategy<Value = Value> {
    let fields = [
        ("cache_control", json!({"type": "ephemeral"})),
        ("signature", json!("s")),
        ("id", json!("toolu_a")),
        ("tool_use_id", json!("toolu_a")),
        ("tool_call_id", json!("call_b")),
        ("tool_calls", json!([{"id": "call_b"}, {"id": "odd"}])),
        (
            "content",
            json!([{"type": "text", "text": "a", "cache_control": null}]),
        ),
        ("new", json!(1)),
    ];
    let count = fields.len();
    let kind = prop::sample::select(&["text", "thinking", "tool_use", "tool_result"][..]);
    let fields = prop::sample::subsequence(fields.to_vec(), 0..=count);
    (kind, any_text(), fields).prop_map(|(kind, text, fields)| {
        let mut block = json!({"type": kind, "text": text});
        for (name, value) in fields {
            block[name] = value;
        }
        block
    })
}

fn any_content() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any_text().prop_map(Value::from),
        prop::collection::vec(any_block(), 0..4).prop_map(Value::from),
    ]
}

fn any_body() -> impl Strategy<Value = Value> {
    let role = prop::sample::select(&["system", "user", "assistant", "tool"][..]);
    let message = (role, any_content(), any_block()).prop_map(|(role, content, mut message)| {
        message["role"] = Value::from(role);
        message["content"] = content;
        message
    });
    let tool = ("[ab]", any::<bool>()).prop_map(|(name, is_marked)| {
        let mut tool = json!({"name": name, "function": {"cache_control": 1}});
        if is_marked {
            tool["cache_control"] = Value::Null;
        }
        tool
    });
    let messages = prop::collection::vec(message, 0..5);
    let tools = prop::collection::vec(tool, 0..4);
    (any_content(), messages, tools).prop_map(|(system, messages, tools)| {
        json!({"model": "m", "system": system, "messages": messages, "tools": tools})
    })
}
