//! What meets in the key, and what does not.

mod properties;

use deja_plugin::keyer::{Decision, Endpoint, Request};
use serde_json::{Value, json};

use crate::settings::Settings;
use crate::testing::{Session, canonical, decided};

const RULES: [&str; 6] = [
    "drop-client-metadata",
    "drop-prompt-cache-key",
    "drop-chunk-id",
    "drop-wall-time",
    "canon-item-ids",
    "canon-call-ids",
];

/// A body of Codex's with this input.
fn body(input: &Value) -> Value {
    json!({"client_metadata": {"x-codex-window-id": "w"}, "input": input})
}

#[test]
fn each_rule_is_needed_for_two_sessions_to_meet() {
    let (one, other) = (
        Session::new(1).request("Why?"),
        Session::new(22).request("Why?"),
    );
    assert_eq!(canonical(&one, "{}"), canonical(&other, "{}"));
    for rule in RULES {
        let disabled = json!({"disable": [rule]}).to_string();
        assert_ne!(
            canonical(&one, &disabled),
            canonical(&other, &disabled),
            "{rule}"
        );
        assert!(
            decided(&one, "{}").iter().any(|edit| edit.rule == rule),
            "{rule}"
        );
    }
}

#[test]
fn masks_make_alike_what_they_are_asked_for() {
    let session = Session::new(1);
    let others = [
        (
            "mask_cwd",
            Session {
                directory: "/code/other",
                ..session.clone()
            },
        ),
        (
            "mask_date",
            Session {
                date: "2026-11-29",
                ..session.clone()
            },
        ),
        (
            "mask_paths",
            Session {
                home: "/home/eve/.codex",
                ..session.clone()
            },
        ),
    ];
    for (mask, other) in others {
        let (one, other) = (session.request("Why?"), other.request("Why?"));
        assert_ne!(canonical(&one, "{}"), canonical(&other, "{}"), "{mask}");
        let config = json!({mask: true}).to_string();
        assert_eq!(
            canonical(&one, &config),
            canonical(&other, &config),
            "{mask}"
        );
    }
}

#[test]
fn a_home_in_the_working_directory_is_masked_with_it() {
    let config = r#"{"mask_cwd": true, "mask_paths": true}"#;
    let session = Session {
        home: "/code/a/.codex",
        ..Session::new(1)
    };
    let left = canonical(&session.request("Why?"), config);
    assert!(!left.to_string().contains("/code/a"), "{left}");
}

#[test]
fn only_whole_directories_are_masked() {
    let text = |path: &str| {
        format!("<environment_context><cwd>/a</cwd><path>{path}</path></environment_context>")
    };
    let left = |path: &str| {
        let content = json!([{"type": "input_text", "text": text(path)}]);
        let body = body(&json!([{"role": "user", "content": content}]));
        canonical(&body, r#"{"mask_cwd": true}"#)["input"][0]["content"][0]["text"].clone()
    };
    let expected = |path: &str| Value::from(text(path).replace("<cwd>/a<", "<cwd><"));
    assert_eq!(left("/a/.git"), expected("/.git"));
    for path in ["/ab", "/b/a", "/a.bak", "/a-b"] {
        assert_eq!(left(path), expected(path));
    }
}

#[test]
fn a_directory_stays_where_the_floor_would_break_without_it() {
    let session = Session {
        directory: "/home/ada/a/rather/long/path",
        ..Session::new(1)
    };
    let left = canonical(&session.request("Why?"), r#"{"mask_cwd": true}"#);
    let said = |part: usize| left["input"][1]["content"][part]["text"].to_string();
    assert!(said(0).contains("/home/ada") && !said(1).contains("/home/ada"));
}

#[test]
fn what_users_and_tools_say_is_never_touched() {
    let environment = "<environment_context><cwd>/a</cwd></environment_context>";
    let message = |role: &str, text: &str| json!({"role": role, "content": [{"text": text}]});
    let output = |text: &str| json!({"type": "function_call_output", "output": text});
    let said = [
        message("user", &format!("What is {environment}?")),
        message("user", "<timezone>Etc/UTC</timezone>"),
        message("user", "Chunk ID: 1\nWall time: 1 seconds\nOutput:\n"),
        message("assistant", environment),
        message("developer", "- `r0` = `/home`"),
        output("Wall time: 1 seconds\n"),
        output("Times:\nWall time: 1 seconds\nOutput:\n"),
        output("Wall time: 1 seconds\nShe said\nOutput:\n"),
        output("Output:\nWall time: 1 seconds\nOutput:\n"),
        json!({"type": "function_call", "arguments": "Chunk ID: 1\nOutput:\n"}),
        json!({"type": "reasoning", "encrypted_content": "gAAAA"}),
    ];
    let config = r#"{"mask_cwd": true, "mask_date": true, "mask_paths": true}"#;
    for item in said {
        let body = body(&json!([item]));
        assert_eq!(canonical(&body, config)["input"], body["input"]);
    }
}

#[test]
fn only_the_lines_before_an_output_are_edited() {
    let lines = |id: &str, time: &str| format!("Chunk ID: {id}\nWall time: {time}\nOutput:\n");
    let printed = lines("1", "2 seconds");
    let output = lines("89527c", "0.0825 seconds") + &printed;
    let body = body(&json!([{"type": "function_call_output", "output": output}]));
    let left = canonical(&body, "{}");
    assert_eq!(
        left["input"][0]["output"],
        Value::from(lines("", " seconds") + &printed)
    );
}

#[test]
fn ids_stay_where_an_item_of_another_kind_may_refer_to_them() {
    let call = json!({"type": "function_call", "id": "fc_9", "call_id": "call_9"});
    for other in [
        json!({"type": "item_reference", "id": "fc_9"}),
        json!({"type": "tool_search_output", "call_id": "call_9"}),
    ] {
        let body = body(&json!([call, other]));
        assert_eq!(canonical(&body, "{}")["input"], body["input"]);
    }
    let beside = json!([call, {"type": "item_reference", "id": null}, {"type": "new"}]);
    assert_eq!(canonical(&body(&beside), "{}")["input"][0]["id"], "0");
}

#[test]
fn only_codexs_requests_for_responses_are_edited() {
    let codexs = Session::new(1).request("Why?");
    let edits = |endpoint, body: &Value| {
        let request = Request::new(endpoint, body.clone());
        match crate::decide(&request, &Settings::default()) {
            Ok(Decision::Cache(recipe)) => recipe.edits.len(),
            other => panic!("{other:?} is another decision"),
        }
    };
    assert!(edits(Endpoint::Responses, &codexs) > 0);
    assert_eq!(edits(Endpoint::ChatCompletions, &codexs), 0);
    for metadata in [
        json!(null),
        json!({"session_id": "a"}),
        json!("x-codex-window-id"),
    ] {
        let mut other = codexs.clone();
        other["client_metadata"] = metadata;
        assert_eq!(edits(Endpoint::Responses, &other), 0);
    }
    assert_eq!(edits(Endpoint::Responses, &json!([codexs])), 0);
}
