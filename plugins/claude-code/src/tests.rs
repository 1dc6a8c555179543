//! What meets in the key, and what does not.

mod properties;

use serde_json::{Value, json};

use crate::testing::{Session, canonical, decided};

/// Two bodies that one rule makes alike.
fn alike() -> Vec<(&'static str, Value, Value)> {
    let with = |field: &str, value: Value| json!({"messages": [], field: value});
    let say =
        |role: &str, content: Value| json!({"messages": [{"role": role, "content": content}]});
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let header =
        |cch: &str| format!("x-anthropic-billing-header: cc_version=2.1.330.aad; cch={cch};");
    let reminder = |words: &str| text(&format!("<system-reminder>\n{words}\n</system-reminder>"));
    let pair = |id: &str| {
        json!({"messages": [
            {"role": "assistant", "content": null, "tool_calls": [{"id": id, "function": {}}]},
            {"role": "tool", "tool_call_id": id, "content": []},
        ]})
    };
    vec![
        (
            "drop-metadata-user-id",
            with("metadata", json!({"user_id": "a"})),
            with("metadata", json!({"user_id": "b"})),
        ),
        (
            "drop-billing-header",
            with("system", text(&format!("{}\nBe brief.", header("1")))),
            with("system", text(&format!("{}\nBe brief.", header("2")))),
        ),
        (
            "drop-cache-control",
            with(
                "tools",
                json!([{"type": "function", "function": {"name": "a", "cache_control": {}}}]),
            ),
            with(
                "tools",
                json!([{"type": "function", "function": {"name": "a"}}]),
            ),
        ),
        (
            "drop-previous-message-id",
            with("diagnostics", json!({"previous_message_id": "a"})),
            with("diagnostics", json!({})),
        ),
        (
            "drop-thinking-signature",
            say(
                "assistant",
                json!([{"type": "thinking", "thinking": "a", "signature": "b"}]),
            ),
            say(
                "assistant",
                json!([{"type": "thinking", "thinking": "a", "signature": "c"}]),
            ),
        ),
        (
            "drop-total-tokens",
            say("system", text("<total_tokens>9 tokens left</total_tokens>")),
            json!({"messages": []}),
        ),
        (
            "drop-usage-reminder",
            say("user", reminder("USD budget: $1/$3; $2 remaining")),
            say("user", json!([])),
        ),
        (
            "canon-session-start",
            say(
                "user",
                reminder("SessionStart:resume hook success: Success"),
            ),
            say(
                "user",
                reminder("SessionStart:startup hook success: Success"),
            ),
        ),
        (
            "canon-content-blocks",
            say("user", json!("a\"b")),
            say("user", text("a\"b")),
        ),
        (
            "canon-tool-order",
            with("tools", json!([{"name": "b"}, {"name": "a"}])),
            with("tools", json!([{"name": "a"}, {"name": "b"}])),
        ),
        ("canon-tool-use-ids", pair("call_x"), pair("toolu_y")),
    ]
}

#[test]
fn each_rule_makes_alike_what_it_is_for_and_can_be_switched_off() {
    for (rule, one, other) in alike() {
        assert_eq!(canonical(&one, "{}"), canonical(&other, "{}"), "{rule}");
        let disabled = json!({"disable": [rule]}).to_string();
        assert_ne!(
            canonical(&one, &disabled),
            canonical(&other, &disabled),
            "{rule}"
        );
        let edits = [&one, &other].map(|body| decided(body, "{}").edits);
        assert!(
            edits.iter().flatten().any(|edit| edit.rule == rule),
            "{rule}"
        );
    }
}

#[test]
fn masks_make_alike_what_they_are_asked_for() {
    let bodies = [
        (
            "mask_date",
            "Today's date is 2026-08-16.",
            "Today's date is 2026-08-17.",
        ),
        ("mask_environment", "Platform: linux", "Platform: darwin"),
        ("mask_nudges", "Remember the tests.", "Remember the plan."),
    ];
    let body = |text| {
        json!({"messages": [
            {"role": "assistant", "content": "a"}, {"role": "system", "content": text},
        ]})
    };
    for (mask, one, other) in bodies {
        assert_ne!(canonical(&body(one), "{}"), canonical(&body(other), "{}"));
        let config = json!({mask: true}).to_string();
        assert_eq!(
            canonical(&body(one), &config),
            canonical(&body(other), &config),
            "{mask}"
        );
    }
}

#[test]
fn what_a_tool_or_a_user_says_is_never_touched() {
    let count = "<total_tokens>14945929 tokens left</total_tokens>";
    let usage = "<system-reminder>\nToken usage: 1/2; 1 remaining\n</system-reminder>";
    let header = "x-anthropic-billing-header: cch=36ee5;";
    let said = [
        json!({"role": "user", "content": [{"type": "text", "text": count}]}),
        json!({"role": "user", "content": [{"type": "text", "text": header}]}),
        json!({"role": "user", "content": [{"type": "text", "text": format!("What is {usage}?")}]}),
        json!({"role": "assistant", "content": [{"type": "text", "text": usage}]}),
        json!({"role": "user", "content": [{"type": "tool_result", "content": count}]}),
        json!({"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": usage}]}]}),
        json!({"role": "tool", "content": [{"type": "text", "text": usage}]}),
        json!({"role": "assistant", "content": [{"type": "tool_use", "input": {"cache_control": 1, "signature": 2}}]}),
        json!({"role": "system", "content": [{"type": "text", "text": format!("{count} Be brief.")}]}),
        json!({"role": "system", "content": [{"type": "text", "text": count, "new": 1}]}),
        json!({"role": "system", "name": "a", "content": [{"type": "text", "text": count}]}),
        json!({"role": "system", "content": [{"type": "text", "text": count, "content": {"a": 1}}]}),
    ];
    let config = r#"{"mask_date": true, "mask_environment": true, "mask_git_status": true}"#;
    for message in said {
        let body = json!({"messages": [message]});
        assert_eq!(canonical(&body, config), body);
    }
}

#[test]
fn what_stands_beside_a_dropped_text_stays() {
    let text = "<system-reminder>\nToken usage: 1/2; 1 remaining\n</system-reminder>";
    let body = |new| {
        let block = json!({"type": "text", "text": text, "new": new});
        json!({"messages": [{"role": "user", "content": [block]}]})
    };
    assert_ne!(canonical(&body(1), "{}"), canonical(&body(2), "{}"));
}

#[test]
fn a_body_of_another_shape_is_let_be() {
    let bodies = [
        json!({"input": "a", "metadata": {"user_id": "b"}}),
        json!({"messages": "a", "metadata": {"user_id": "b"}}),
        json!({"messages": [1], "metadata": {"user_id": "b"}}),
        json!([{"messages": []}]),
    ];
    for body in bodies {
        assert!(decided(&body, "{}").edits.is_empty(), "{body}");
    }
    assert!(
        crate::recipe(b"{", &crate::settings::Settings::default())
            .edits
            .is_empty()
    );
}

#[test]
fn users_are_kept_apart_where_that_is_asked_for() {
    let partition = |number, config| decided(&Session::new(number).request("a"), config).partition;
    let apart = r#"{"partition_by_user": true}"#;
    assert_eq!(partition(1, "{}"), None);
    assert_eq!(
        partition(1, apart).as_deref(),
        Some(r#"{"account_uuid":"","device_id":"d"}"#)
    );
    assert_eq!(partition(1, apart), partition(2, apart));
}

#[test]
fn what_is_canonical_stays_as_it_is() {
    let once = canonical(&Session::new(7).request("a"), "{}");
    assert_eq!(canonical(&once, "{}"), once);
    assert!(decided(&once, "{}").edits.is_empty());
}
