//! `deja bench`, against servers with a cache and without.

use std::{fs, path::Path, time::Duration};

use deja_tests::{Answer, Api, Asked, Deja, Reply, Setup, Upstream, deja_command, printed};
use serde_json::{Value, json};

const API: Api = Api::OpenAi;

/// One round of each kind of request, for which nobody has to wait long.
const SHORT: [&str; 2] = ["--samples=1", "--json"];

/// A model that takes its time, behind a server that names it and has no cache.
async fn model(api: Api, takes: Duration) -> Upstream {
    let answer = move |asked: &Asked| match asked.target.as_str() {
        "/v1/models" => Reply::json(&json!({"data": [{"id": "scripted"}]})),
        "/health" => Reply::json(&json!({"status": "ok"})),
        _ => api.reply(asked, &Answer::text("So it is.")).taking(takes),
    };
    Upstream::start(answer).await
}

async fn in_front_of(upstream: &Upstream, settings: &str) -> Deja {
    let settings = upstream.backend(API) + settings;
    Setup::new(&settings).start().await
}

async fn report(arguments: &[&str]) -> Value {
    let arguments = [&["bench"], arguments].concat();
    let report = printed(&mut deja_command(&arguments, Path::new("."))).await;
    serde_json::from_str(&report).unwrap_or_else(|error| panic!("{error}: {report}"))
}

/// The names of the causes that stand in a server's verdict.
fn causes(server: &Value) -> Vec<&str> {
    let causes = server["verdict"]["causes"].as_array();
    let causes = causes.expect("they are listed").iter();
    causes.filter_map(|cause| cause["cause"].as_str()).collect()
}

#[tokio::test]
async fn a_working_cache_is_told_beside_a_server_without_one() {
    let upstream = model(API, Duration::from_millis(300)).await;
    let deja = in_front_of(&upstream, "").await;
    let compare = format!("--compare={}", upstream.url());
    let report = report(&[&SHORT[..], &[deja.url(), &compare, "--model=scripted"]].concat()).await;
    let [with, without] = [&report["servers"][0], &report["servers"][1]];
    assert_eq!(with["verdict"]["state"], "working", "{with}");
    assert_eq!(with["statistics"]["requests"]["hit"], 8, "{with}");
    assert_eq!(without["verdict"]["state"], "not-working", "{without}");
    assert_eq!(causes(without), ["no-cache"]);
    assert!(without["statistics"].is_null());
    for (shape, phase, count) in [(0, 0, 1), (0, 1, 3), (1, 2, 1), (1, 3, 1)] {
        let phase = &with["shapes"][shape]["phases"][phase];
        assert_eq!(phase["count"], count, "{phase}");
        assert!(phase["latency_ms"]["p50"].is_number(), "{phase}");
    }
}

#[tokio::test]
async fn the_report_for_people_ends_with_the_verdict() {
    let upstream = model(API, Duration::from_millis(100)).await;
    let arguments = ["bench", upstream.url(), "--samples=1"];
    let report = printed(&mut deja_command(&arguments, Path::new("."))).await;
    assert!(report.contains("document, 0 tools, 1 message, small system prompt"));
    assert!(report.contains("Verdict: not working"), "{report}");
    assert!(report.contains("there is no Cache-Status"), "{report}");
}

#[tokio::test]
async fn a_cache_that_is_full_is_degraded() {
    let upstream = model(API, Duration::from_millis(300)).await;
    let deja = in_front_of(&upstream, "[cache]\nmax_entries = 1\n").await;
    let report = report(&[&SHORT[..], &[deja.url(), "--form=document"]].concat()).await;
    let server = &report["servers"][0];
    assert_eq!(server["verdict"]["state"], "degraded", "{server}");
    assert_eq!(causes(server), ["evicted"]);
}

#[tokio::test]
async fn who_wants_new_answers_finds_no_cache_and_hears_why() {
    let upstream = model(API, Duration::from_millis(50)).await;
    let deja = in_front_of(&upstream, "").await;
    let header = ["-H", "cache-control: no-cache"];
    let report = report(&[&SHORT[..], &header, &[deja.url()]].concat()).await;
    let server = &report["servers"][0];
    assert_eq!(server["verdict"]["state"], "not-working", "{server}");
    assert_eq!(causes(server), ["asked-anew"]);
}

#[tokio::test]
async fn every_shape_is_asked_in_either_api() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let upstream = model(api, Duration::ZERO).await;
        let name = if api == API { "openai" } else { "anthropic" };
        let arguments = ["bench", upstream.url(), "--full", "--samples=1", "--json"];
        let mut command = deja_command(&arguments, Path::new("."));
        command.args(["--api", name, "--api-key-env=THE_KEY"]);
        let report = printed(command.env("THE_KEY", "a-key")).await;
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        let shapes = report["servers"][0]["shapes"].as_array();
        let shapes = shapes.expect("they are listed");
        assert_eq!(shapes.len(), 16);
        let errors = |shape: &Value| {
            !shape["cold"]["errors"]
                .as_object()
                .is_some_and(serde_json::Map::is_empty)
        };
        assert!(!shapes.iter().any(errors), "{report}");
        let asked = upstream.asked();
        let largest = asked
            .iter()
            .find(|asked| asked.json()["tools"][16].is_object());
        let largest = largest.expect("17 tools were offered");
        assert_eq!(largest.json()["model"], "scripted");
        let key = if api == API { "Bearer a-key" } else { "a-key" };
        let header = if api == API {
            "authorization"
        } else {
            "x-api-key"
        };
        assert_eq!(largest.header(header), key);
    }
}

#[tokio::test]
async fn a_load_comes_at_its_rate() {
    let upstream = model(API, Duration::ZERO).await;
    let deja = in_front_of(&upstream, "").await;
    let load = ["--rate=100", "--duration=500ms", "--samples=2", "--json"];
    let report = report(&[&load[..], &[deja.url()]].concat()).await;
    let server = &report["servers"][0];
    assert_eq!(server["all"]["count"], 50, "{server}");
    assert!(
        server["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds >= 0.49)
    );
    let hits = server["by_cache"]["hit"]["count"].as_u64();
    assert!(hits.is_some_and(|hits| hits >= 30), "{server}");
}

#[tokio::test]
async fn who_has_to_wait_for_a_place_is_counted_from_when_it_was_due() {
    let upstream = model(API, Duration::from_millis(100)).await;
    let load = [
        "--rate=100",
        "--duration=100ms",
        "--concurrency=1",
        "--json",
    ];
    let report = report(&[&load[..], &[upstream.url()]].concat()).await;
    // Ten requests are due within 90 ms, and the last is answered after a whole second.
    let longest = report["servers"][0]["all"]["latency_ms"]["max"].as_f64();
    assert!(longest.is_some_and(|longest| longest > 800.0), "{report}");
}

#[tokio::test]
async fn a_trace_is_asked_again_at_another_pace() {
    let upstream = model(API, Duration::ZERO).await;
    let folder = tempfile::tempdir().expect("there is room");
    let trace = folder.path().join("trace.jsonl");
    let exchange = |seconds: u32, content: &str| {
        let request = json!({"method": "POST", "url": "/v1/chat/completions",
            "body": API.question(content)});
        json!({"timestamp": 1_700_000_000 + seconds, "request": request}).to_string()
    };
    let lines = [exchange(0, "A?"), "broken".to_owned(), exchange(20, "B?")];
    fs::write(&trace, lines.join("\n")).expect("there is room");
    let trace = format!("--trace={}", trace.display());
    let report = report(&[upstream.url(), &trace, "--speed=100", "--json"]).await;
    assert_eq!(report["servers"][0]["all"]["count"], 2, "{report}");
    assert_eq!(report["skipped"], 1);
    let seconds = report["servers"][0]["seconds"].as_f64();
    assert!(seconds.is_some_and(|seconds| seconds >= 0.2), "{report}");
    assert!(
        upstream
            .asked()
            .iter()
            .any(|asked| asked.json() == API.question("B?"))
    );
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let nameless = Upstream::start(|_| API.error(404, "no such thing")).await;
    let gone = model(API, Duration::ZERO).await.url().to_owned();
    for (url, why) in [
        (gone.as_str(), "no server answers at"),
        (nameless.url(), "names no model (404 Not Found"),
        ("not a url", "no server answers at not a url"),
    ] {
        let output = deja_command(&["bench", url], Path::new(".")).output().await;
        let output = output.expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(why) && output.stdout.is_empty(), "{errors}");
    }
}
