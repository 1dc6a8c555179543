//! Traffic is recorded beside the requests, without credentials, and survives what the server does
//! not.

use std::path::PathBuf;

use deja_tests::{Answer, Api, Deja, Setup, Upstream, deja_command, eventually, printed, whole};
use deja_trace::{ReadOptions, Record, RequestFile, Trace};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

const API: Api = Api::Anthropic;
const AT_ONCE: &str = "flush = \"10ms\"\n";
const SECRET: &str = "sk-never-in-a-trace-7a2c";

/// A server that records, before an upstream.
async fn recording(settings: &str) -> (Upstream, Deja) {
    let script = |asked: &deja_tests::Asked| match asked.json()["model"].as_str() {
        Some("refuses") => API.error(429, "not now"),
        _ => API.reply(asked, &Answer::text("Yes.")),
    };
    let upstream = Upstream::start(script).await;
    let settings = format!("{}[trace]\n{settings}", upstream.backend(API));
    (upstream, Setup::new(&settings).start().await)
}

async fn ask(deja: &Deja, body: &Value) {
    let path = format!("{}?beta=true&api_key={SECRET}", API.path());
    let request = deja.request(Method::POST, &path).json(body);
    let request = request.header("x-api-key", SECRET);
    let request = request.header("ocp-apim-subscription-key", SECRET);
    let request = request.header("x-session-id", "blue");
    let reply = request.send().await.expect("the server answers");
    let _ = reply.bytes().await;
}

async fn written(deja: &Deja, count: u64) {
    let is_written = async || deja.health().await["trace"]["written"] == count;
    eventually("the record", is_written).await;
}

fn folder(deja: &Deja) -> PathBuf {
    deja.setup().config().with_file_name("traces")
}

fn records(deja: &Deja) -> Vec<Record> {
    let trace = deja_trace::open(&folder(deja), &ReadOptions::default());
    let Ok(Trace::Requests(files)) = trace else {
        panic!("it holds requests: {trace:?}");
    };
    let records = files.iter().flat_map(RequestFile::records);
    let records: Result<Vec<_>, _> = records.collect();
    records.expect("all of it can be read")
}

#[tokio::test]
async fn each_request_is_recorded_with_its_answer_and_outcome() {
    let (_upstream, deja) = recording(AT_ONCE).await;
    let mut streamed = API.question("Is it?");
    streamed["stream"] = true.into();
    for body in [&API.question("Is it?"), &streamed] {
        ask(&deja, body).await;
    }
    let mut refused = API.question("Is it?");
    refused["model"] = "refuses".into();
    ask(&deja, &refused).await;
    written(&deja, 3).await;
    let records = records(&deja);
    let outcomes: Vec<_> = records
        .iter()
        .map(|r| r.outcome.expect("it has one").name())
        .collect();
    assert_eq!(outcomes, ["miss", "hit", "error"]);
    let [miss, hit, error] = &records[..] else {
        panic!("there are three")
    };
    assert_eq!((miss.key, miss.scope), (hit.key, hit.scope));
    assert_eq!(miss.answer_digest, hit.answer_digest);
    assert_eq!(
        miss.answer.as_ref().map(|a| a.get().contains("Yes.")),
        Some(true)
    );
    assert!(miss.usage.output.is_some() && miss.latency_us >= miss.first_us);
    assert_eq!((error.status, error.answer.is_none()), (Some(429), true));
    let told = serde_json::to_string(&records).expect("it is JSON");
    assert!(told.contains("[\"x-session-id\",\"blue\"]") && told.contains("api_key=redacted"));
    assert!(!told.contains(SECRET), "{told}");
    assert_eq!(
        deja.sample("deja_trace_records_total").await.to_string(),
        "3"
    );
}

#[tokio::test]
async fn a_request_not_to_be_stored_leaves_no_text() {
    let (_upstream, deja) = recording(AT_ONCE).await;
    let request = deja.request(Method::POST, API.path());
    let request = request.header("cache-control", "no-store");
    let request = request.json(&API.question("Is it?"));
    let _ = request
        .send()
        .await
        .expect("the server answers")
        .bytes()
        .await;
    written(&deja, 1).await;
    let record = &records(&deja)[0];
    assert!(record.body.is_none() && record.answer.is_none());
    assert!(record.body_bytes > 0 && record.answer_digest.is_some());
}

#[tokio::test]
async fn credentials_inside_a_body_are_not_recorded() {
    let (_upstream, deja) = recording(AT_ONCE).await;
    let mut body = API.question(&format!("Read https://x.example/?sig={SECRET}"));
    body["mcp_servers"] = json!([{"name": "a", "authorization_token": SECRET}]);
    ask(&deja, &body).await;
    written(&deja, 1).await;
    let recorded = serde_json::to_string(&records(&deja)[0]).expect("it is JSON");
    assert!(!recorded.contains(SECRET), "{recorded}");
    assert!(
        recorded.contains("Read https://x.example/?sig=redacted"),
        "{recorded}"
    );
}

#[tokio::test]
async fn what_is_written_survives_a_kill() {
    let (_upstream, deja) = recording(AT_ONCE).await;
    for number in 0..5 {
        ask(&deja, &API.question(&number.to_string())).await;
    }
    written(&deja, 5).await;
    deja.signal(Signal::KILL);
    assert_eq!(records(&deja).len(), 5);
}

#[tokio::test]
async fn a_stop_writes_what_waits() {
    let dir = tempfile::tempdir().expect("there is room");
    let path = dir.path().display();
    let settings = format!("flush = \"1h\"\nbodies = false\ndir = \"{path}\"\n");
    let (_upstream, deja) = recording(&settings).await;
    ask(&deja, &API.question("Is it?")).await;
    deja.signal(Signal::TERM);
    assert!(deja.ended().await.success());
    let mut analyze = deja_command(&["trace", "analyze", "--json", "."], dir.path());
    let told: Value = serde_json::from_str(&printed(&mut analyze).await).expect("it is JSON");
    assert_eq!(
        (&told["requests"], &told["skipped"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn a_trace_that_cannot_be_written_costs_records_only() {
    let (_upstream, deja) = recording("dir = \"deja.toml/traces\"\nflush = \"10ms\"\n").await;
    let reply = deja.send(API, &API.question("Is it?")).await;
    assert_eq!(API.text(&whole(reply).await), "Yes.");
    let is_dropped = async || deja.health().await["trace"]["dropped"] == 1;
    eventually("the loss", is_dropped).await;
    assert!(deja.health().await["trace"]["error"].is_string());
}

#[tokio::test]
async fn eighteen_exchanges_are_analysed_under_any_keyer() {
    let folder = tempfile::tempdir().expect("there is room");
    for number in 0..18 {
        let body = json!({
            "model": "m", "max_tokens": 9, "metadata": {"user_id": format!("{number}")},
            "messages": [{"role": "user", "content": format!("Question {}", number % 14)}],
        });
        let exchange = json!({
            "timestamp": format!("2025-10-26T00:00:{number:02}.000Z"), "mode": "claude",
            "request": {"method": "POST", "url": "/v1/messages", "headers": {}, "body": body},
            "response": {"statusCode": 200, "headers": {}, "body": {"content": []}},
        });
        let path = folder.path().join(format!("{number}.json"));
        std::fs::write(path, exchange.to_string()).expect("it can be written");
    }
    let analyze = async |arguments: &[&str]| {
        let arguments = [&["trace", "analyze", "."], arguments].concat();
        printed(&mut deja_command(&arguments, folder.path())).await
    };
    let text = analyze(&[]).await;
    assert!(
        text.contains("/metadata/user_id") && text.contains("hit rate            0.0%"),
        "{text}"
    );
    let text = analyze(&["--keyer", "claude-code"]).await;
    assert!(
        text.contains("potential hits      4") && text.contains("22.2%"),
        "{text}"
    );
}

#[tokio::test]
async fn foreign_json_is_named_and_no_request() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, document: Value| {
        std::fs::write(folder.path().join(name), document.to_string()).expect("it can be written");
    };
    write("package.json", json!({"name": "app", "version": "1.0.0"}));
    write(
        "tsconfig.json",
        json!({"compilerOptions": {"strict": true}}),
    );
    write("texts.json", json!({"messages": {"hello": "Hallo"}}));
    for command in [["trace", "analyze", "."], ["replay", "--entries=9", "."]] {
        let output = deja_command(&command, folder.path()).output().await;
        let output = output.expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains("a request of no API"),
            "{errors}"
        );
    }
    let analyze = ["trace", "analyze", "."];
    let output = deja_command(&analyze, folder.path()).output().await;
    let errors = String::from_utf8_lossy(&output.expect("it starts").stderr).into_owned();
    for part in ["0 requests", "package.json", "tsconfig.json", "texts.json"] {
        assert!(errors.contains(part), "{part} in {errors}");
    }

    write("9.json", json!({"model": "m", "messages": []}));
    let analyze = ["trace", "analyze", "--json", "."];
    let told = printed(&mut deja_command(&analyze, folder.path())).await;
    let told: Value = serde_json::from_str(&told).expect("it is JSON");
    let counted = (&told["requests"], &told["skipped"]);
    assert_eq!(counted, (&json!(1), &json!(3)));
}
