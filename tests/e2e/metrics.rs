//! `/metrics`, as Prometheus reads it.

use deja_tests::{
    Answer, Api, Deja, Ending, Gate, Reply, Setup, Upstream, python, streamed, whole,
};
use serde_json::Value;

const API: Api = Api::OpenAi;

/// All samples, read by Prometheus' own parser: `{"name{label=value,…}": number}`.
async fn samples(deja: &Deja) -> Value {
    python("metrics.py", &[deja.url()]).await
}

/// The sum of the samples of this name that carry all these labels.
fn sum(samples: &Value, name: &str, labels: &[&str]) -> f64 {
    let samples = samples["samples"].as_object().expect("there are samples");
    let wanted = samples.iter().filter(|(key, _)| {
        key.split('{').next() == Some(name) && labels.iter().all(|label| key.contains(label))
    });
    wanted.filter_map(|(_, value)| value.as_f64()).sum()
}

#[track_caller]
fn is(samples: &Value, name: &str, labels: &[&str], expected: f64) {
    let sum = sum(samples, name, labels);
    assert!(
        (sum - expected).abs() < 1e-9,
        "{name}{labels:?} is {sum}, not {expected}"
    );
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let script = |asked: &deja_tests::Asked| match asked.json()["model"].as_str() {
        Some("none") => API.error(429, "not now"),
        _ => API.reply(asked, &Answer::text("Yes.")),
    };
    let upstream = Upstream::start(script).await;
    let settings = upstream.backend(API) + "name = \"the-upstream\"\n";
    let deja = Setup::new(&settings).start().await;
    for _ in 0..3 {
        deja.answer(API, "Is it so?").await;
    }
    let mut refused = API.question("Is it so?");
    refused["model"] = "none".into();
    deja.send(API, &refused).await;

    let samples = samples(&deja).await;
    let chat = "endpoint=chat-completions";
    let total = "deja_requests_total";
    is(&samples, total, &[chat, "outcome=hit", "status=200"], 2.0);
    is(&samples, total, &[chat, "outcome=miss", "status=200"], 1.0);
    is(&samples, total, &[chat, "status=429"], 1.0);
    let hits = &["outcome=hit"];
    is(&samples, "deja_request_duration_seconds_count", hits, 2.0);
    let upstream = &["backend=the-upstream"];
    let asked = sum(&samples, "deja_upstream_duration_seconds_count", upstream);
    assert!((1.0..=2.0).contains(&asked), "hits ask nobody: {asked}");
    is(&samples, "deja_cache_entries", &[], 1.0);
    assert!(sum(&samples, "deja_cache_bytes", &[]) > 100.0);
    assert!(sum(&samples, "deja_plugin_calls_total", &["kind=keyer"]) > 0.0);
    is(&samples, "deja_plugin_failures_total", &[], 0.0);
    for (name, kind) in [
        (total, "counter"),
        ("deja_request_duration_seconds", "histogram"),
        ("deja_cache_entries", "gauge"),
    ] {
        let name = name.trim_end_matches("_total");
        assert_eq!(samples["types"][name], kind, "{}", samples["types"]);
    }
}

#[tokio::test]
async fn a_request_is_in_flight_as_long_as_its_answer_is() {
    let gate = Gate::closed();
    let reply = API.held_back(&Answer::text("one two"), &gate);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    let idle = deja.sample("deja_requests_in_flight").await;
    let stream = deja.send(API, &API.streamed_question("Count.")).await;
    let busy = deja.sample("deja_requests_in_flight").await;
    assert!((busy - idle - 1.0).abs() < 1e-9, "{idle} {busy}");
    gate.open();
    streamed(stream).await;
    let samples = samples(&deja).await;
    let first_token = "deja_time_to_first_token_seconds_count";
    is(&samples, first_token, &["outcome=miss"], 1.0);
    deja_tests::eventually("the end of the request", async || {
        (deja.sample("deja_requests_in_flight").await - idle).abs() < 1e-9
    })
    .await;
}

#[tokio::test]
async fn evictions_are_counted() {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = upstream.backend(API) + "[cache]\nmax_entries = 2\n";
    let deja = Setup::new(&settings).start().await;
    for question in ["A?", "B?", "C?", "D?"] {
        deja.answer(API, question).await;
    }
    let samples = samples(&deja).await;
    is(&samples, "deja_cache_entries", &[], 2.0);
    is(&samples, "deja_cache_evictions_total", &[], 2.0);
}

#[tokio::test]
async fn failures_of_the_upstream_are_counted_once() {
    let upstream = Upstream::start(|_| Reply::stream().ending(Ending::Reset)).await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    let reply = deja.send(API, &API.question("Anybody?")).await;
    let status = reply.status();
    assert!(status.is_server_error());
    let samples = samples(&deja).await;
    let labels = format!("status={}", status.as_u16());
    is(&samples, "deja_requests_total", &[&labels], 1.0);
    is(&samples, "deja_requests_total", &["outcome=hit"], 0.0);
}

#[tokio::test]
async fn the_engines_worker_is_seen() {
    let deja = Deja::start().await;
    whole(deja.chat(&deja_tests::question("Hi!")).await).await;
    let samples = samples(&deja).await;
    is(&samples, "deja_worker_restarts_total", &[], 0.0);
    let calls = sum(&samples, "deja_upstream_duration_seconds_count", &[]);
    assert!((calls - 1.0).abs() < 1e-9);
}
