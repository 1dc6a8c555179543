//! Keyers over recorded requests: which of their hits are false.

use deja_policy::PluginChoice;
use serde_json::{Value, json};

use super::{super::table, Folder, Plan, lasting, run};
use crate::replay::{MergeHits, Results};

/// A request of a user about a city, and what was answered; nothing if it was not recorded.
pub(super) fn exchange(at: u32, user: &str, city: &str, answer: Option<&str>) -> Value {
    let answer = answer.map(|words| {
        json!({"id": format!("chatcmpl-{at}"), "object": "chat.completion", "created": at,
               "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
               "message": {"role": "assistant", "content": words}}],
               "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}})
    });
    json!({"timestamp": format!("2026-01-01T00:00:{at:02}Z"),
        "request": {"method": "POST", "url": "/v1/chat/completions", "headers": {}, "body": {
            "model": "m", "user": user,
            "messages": [{"role": "user", "content": format!("Tell me of {city}.")}]}},
        "response": {"statusCode": 200, "headers": {}, "body": answer}})
}

pub(super) fn recorded() -> (Folder, Plan) {
    let exchanges = [
        exchange(1, "ada", "Paris", Some("It is in France.")),
        // The same to the byte, and to the model's mind.
        exchange(2, "ada", "Paris", Some("It is in France.")),
        // The same again, and the model says something else.
        exchange(3, "ada", "Paris", Some("A city on the Seine.")),
        // Others ask: the words are the same, then others, then not recorded.
        exchange(4, "bob", "Paris", Some("it is  in FRANCE.")),
        exchange(5, "eve", "Paris", Some("<script>alert('Seine')</script>")),
        exchange(6, "kim", "Paris", None),
        exchange(7, "ada", "Lyon", Some("It is in France.")),
    ];
    let lines = exchanges.map(|exchange| format!("{exchange}\n")).concat();
    let (folder, mut plan) = Folder::with("recorded.jsonl", &lines);
    let ignoring = PluginChoice {
        config: json!({"pointers": ["/user"]}),
        ..PluginChoice::new("ignore-fields")
    };
    plan.keyers = vec![vec![PluginChoice::new("exact")], vec![ignoring]];
    (folder, plan)
}

fn merges(results: &Results, keyer: &str) -> MergeHits {
    let mut cells = results.cells.iter();
    let all = |cell: &&crate::replay::Cell| {
        cell.eviction == "infinite"
            && cell
                .keyer
                .as_deref()
                .is_some_and(|name| name.starts_with(keyer))
    };
    let cell = cells.find(all).expect("it took part");
    cell.merges.clone().expect("there are requests")
}

#[test]
fn only_merge_hits_can_be_false() {
    let (_folder, plan) = recorded();
    let results = run(&plan).expect("it runs");
    assert_eq!(merges(&results, "exact").count(), 0);
    let merges = merges(&results, "ignore-fields");
    assert_eq!((merges.count(), merges.all.unverified()), (3, 1));
    assert_eq!((merges.all.compared(), merges.all.differ().count), (2, 1));
    let rules: Vec<_> = merges.by_rule.keys().collect();
    assert_eq!(rules.len(), 1, "{rules:?}");
    let example = &merges.examples[0];
    assert_eq!(example.answer, "<script>alert('Seine')</script>");
    assert_eq!(example.stored_answer, "It is in France.");
    let noise = results.noise.expect("there are requests");
    assert_eq!((noise.compared(), noise.differ().count), (2, 1));
}

#[test]
fn the_terminal_shows_what_is_false_and_how_sure_that_is() {
    let (_folder, plan) = recorded();
    insta::assert_snapshot!(table(&lasting(run(&plan).expect("it runs"))));
}
