use std::{fs, path::Path};

use deja_trace::ReadOptions;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const EXACT: fn() -> KeyerChain = || KeyerChain::new(Vec::new());

/// An exchange as anyclaude records it, `minute` minutes after a midnight.
fn exchange(minute: u32, body: &Value, response: &Value) -> Value {
    json!({
        "timestamp": format!("2025-10-26T00:{minute:02}:00.000Z"), "mode": "claude",
        "request": {"method": "POST", "url": "/v1/messages?beta=true", "headers": {}, "body": body},
        "response": {"statusCode": 200, "headers": {}, "body": response},
    })
}

fn body(session: &str, words: &[&str]) -> Value {
    let messages = words
        .iter()
        .map(|words| json!({"role": "user", "content": words}));
    json!({
        "model": "claude-sonnet", "metadata": {"user_id": session}, "stream": true,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": messages.collect::<Vec<_>>(),
        "tools": [{"name": "Read", "input_schema": {}}, {"name": "Bash", "input_schema": {}}],
    })
}

fn answer(tool: &str) -> Value {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}});
    json!({"content": [call], "usage": {"input_tokens": 100, "output_tokens": 10}})
}

fn folder(exchanges: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    for (number, exchange) in exchanges.iter().enumerate() {
        let path = folder.path().join(format!("{number:03}.json"));
        let text = serde_json::to_vec_pretty(exchange).expect("it is JSON");
        fs::write(path, text).expect("it can be written");
    }
    folder
}

fn analysis(path: &Path) -> Analysis {
    let trace = deja_trace::open(path, &ReadOptions::default()).expect("it is a trace");
    analyze(&[trace], &EXACT(), &|_| ())
}

/// 18 requests, of which 14 are unique, and a file that is none.
fn eighteen() -> TempDir {
    let questions: Vec<_> = (0..18)
        .map(|number| format!("Question {}", number % 14))
        .collect();
    let exchange = |(number, question): (usize, &String)| {
        let minute = u32::try_from(number).expect("it is small");
        let tool = if number % 3 == 0 { "Bash" } else { "Read" };
        exchange(minute, &body("s", &[question]), &answer(tool))
    };
    let mut exchanges: Vec<_> = questions.iter().enumerate().map(exchange).collect();
    exchanges.push(json!("no exchange"));
    folder(&exchanges)
}

#[test]
fn four_of_eighteen_requests_repeat() {
    let analysis = analysis(eighteen().path());
    assert_eq!((analysis.requests, analysis.unique), (18, 14));
    assert_eq!((analysis.potential_hits, analysis.skipped), (4, 1));
    let rate = format!("{:.1}%", 100.0 * analysis.hit_rate);
    assert_eq!(rate, "22.2%");
    let details = analysis.details.expect("they are whole requests");
    assert_eq!(details.repeats.len(), 4);
    assert_eq!(details.savings.tokens, 440);
}

#[test]
fn the_report_tells_all_of_it() {
    let folder = eighteen();
    let text = report(&analysis(folder.path()));
    let text = text.replace(&*folder.path().to_string_lossy(), "FOLDER");
    insta::assert_snapshot!(text);
}

#[test]
fn fields_that_keep_requests_apart_are_named() {
    let sessions = ["a", "b", "c"].map(|session| body(session, &["Hi"]));
    let exchanges = sessions
        .each_ref()
        .map(|body| exchange(1, body, &answer("Read")));
    let analysis = analysis(folder(&exchanges).path());
    assert_eq!((analysis.unique, analysis.potential_hits), (3, 0));
    let near = analysis
        .details
        .as_ref()
        .expect("they are whole")
        .near_misses
        .clone();
    assert_eq!(near.count, 2);
    let field = |count| Count {
        name: "/metadata/user_id".to_owned(),
        count,
    };
    assert_eq!(near.fields, [field(2)]);
    assert!(report(&analysis).contains("try --keyer claude-code"));
}

#[test]
fn a_conversation_shares_its_prefix_and_is_no_near_miss() {
    let turns = [body("s", &["Hello"]), body("s", &["Hello", "World"])];
    let exchanges = turns
        .each_ref()
        .map(|body| exchange(1, body, &answer("Read")));
    let analysis = analysis(folder(&exchanges).path());
    let details = analysis.details.as_ref().expect("they are whole");
    assert_eq!(details.near_misses.count, 0);
    assert_eq!((details.messages.min, details.messages.max), (1, 2));
    let shared = analysis.shared_prefix.expect("there are two");
    assert!((0.7..0.95).contains(&shared), "{shared}");
}

#[test]
fn what_failed_answers_nobody() {
    let body = body("s", &["Hi"]);
    let mut exchanges = [1, 2, 3].map(|minute| exchange(minute, &body, &answer("Read")));
    exchanges[0]["response"] =
        json!({"statusCode": 529, "body": {"error": {"message": "Overloaded"}}});
    let analysis = analysis(folder(&exchanges).path());
    assert_eq!((analysis.unique, analysis.potential_hits), (1, 1));
    let errors = analysis.details.expect("they are whole").errors;
    assert_eq!(
        errors,
        [Count {
            name: "529 Overloaded".to_owned(),
            count: 1
        }]
    );
}

#[test]
fn keys_alone_tell_how_much_repeats() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("keys");
    fs::write(&path, "1\n2\n1\n1\n").expect("it can be written");
    let analysis = analysis(&path);
    assert_eq!(
        (analysis.requests, analysis.unique, analysis.potential_hits),
        (4, 2, 2)
    );
    let expected = "requests            4\nunique requests     2\npotential hits      2\n\
                    hit rate            50.0%\n\n\
                    A cache works well here: 50.0% of the requests could be hits.\n";
    assert_eq!(report(&analysis), expected);
}

#[test]
fn blocks_tell_what_prompts_share() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("blocks.jsonl");
    fs::write(&path, "{\"hash_ids\": [1, 2]}\n{\"hash_ids\": [1, 3]}\n")
        .expect("it can be written");
    let analysis = analysis(&path);
    assert_eq!((analysis.requests, analysis.potential_hits), (2, 0));
    assert_eq!(analysis.shared_prefix, Some(0.5));
}
