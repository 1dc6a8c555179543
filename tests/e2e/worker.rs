//! The worker process may die; the server and the cache live on.

use deja_tests::{Api, Deja, QUESTION, Setup, long_question, question, streamed};
use rustix::process::Signal;
use serde_json::{Value, json};

#[tokio::test]
async fn a_killed_worker_costs_the_answers_under_way_only() {
    let deja = Deja::start().await;
    let (_, before) = deja.ask(&question(QUESTION)).await;

    let reply = deja.chat(&long_question()).await;
    deja.signal_worker(Signal::KILL).await;
    let broken = streamed(reply).await;
    let error = broken
        .error()
        .unwrap_or_else(|| panic!("no error: {broken:?}"));
    assert_eq!(error["code"], "worker_lost", "{error}");
    assert!(!broken.is_whole);

    let (status, after) = deja.ask(&question(QUESTION)).await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(deja_tests::text(&after), deja_tests::text(&before));
    let (status, _) = deja.ask(&question("What is the capital of Italy?")).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    let health = deja.health().await;
    assert_eq!(health["backend"]["worker"]["restarts"], 1);
    assert_eq!(health["cache"]["cached_items"], 2);
}

#[tokio::test]
async fn no_worker_outlives_its_server() {
    let deja = Deja::start().await;
    deja.signal(Signal::KILL);
    assert!(!deja.ended().await.success());
}

/// A request whose prompt is read in several passes.
fn long_prompt(api: Api) -> Value {
    let mut request = api.streamed_question(&"The fox went on. ".repeat(300));
    request["max_tokens"] = 4.into();
    request
}

#[tokio::test]
async fn the_reading_of_a_prompt_shows_on_the_wire() {
    for api in [Api::OpenAi, Api::Anthropic] {
        // No other sign of life comes within the test, and no prompt is known.
        let deja = Setup::new("[server]\nkeep_alive = \"1h\"\n").start().await;
        let stream = streamed(deja.send(api, &long_prompt(api)).await).await;
        assert!(stream.is_whole && stream.signs_of_life > 0, "{stream:?}");
    }
}

#[tokio::test]
async fn a_killed_worker_is_told_in_each_apis_form() {
    for (api, kind) in [
        (Api::OpenAi, "server_error"),
        (Api::Anthropic, "overloaded_error"),
    ] {
        let deja = Deja::start().await;
        let mut request = long_prompt(api);
        request["stream"] = false.into();
        request["max_tokens"] = 400.into();
        let (reply, ()) = tokio::join!(deja.send(api, &request), async {
            deja.wait_for_log("reading a prompt").await;
            deja.signal_worker(Signal::KILL).await;
        });
        assert_eq!(reply.status(), 503);
        let document: Value = reply.json().await.expect("the error is JSON");
        let error = &document["error"];
        assert_eq!(error["type"], kind, "{document}");
        let message = error["message"].as_str();
        assert!(
            message.is_some_and(|text| text.contains("worker")),
            "{document}"
        );
    }
}

#[tokio::test]
async fn a_killed_worker_breaks_a_stream_of_anthropics_off() {
    let deja = Deja::start().await;
    let mut request = Api::Anthropic.streamed_question("Tell me a long story about a fox.");
    request["max_tokens"] = 400.into();
    let reply = deja.send(Api::Anthropic, &request).await;
    deja.signal_worker(Signal::KILL).await;
    let broken = streamed(reply).await;
    assert!(broken.has_failed(), "{broken:?}");
    let error = broken.error().expect("it is told");
    let message = error["message"].as_str();
    assert!(
        message.is_some_and(|text| text.contains("worker")),
        "{error}"
    );
}

#[tokio::test]
async fn three_losses_in_a_minute_make_the_next_start_wait() {
    let deja = Deja::start().await;
    for loss in 1..=3 {
        deja.wait_for("a worker", |health| {
            health["backend"]["worker"]["pid"].is_u64()
        })
        .await;
        deja.signal_worker(Signal::KILL).await;
        deja.wait_for("the loss", |health| {
            let worker = &health["backend"]["worker"];
            worker["restarts"] == loss || worker["wait_seconds"].is_u64()
        })
        .await;
    }
    let health = deja
        .wait_for("the wait", |health| {
            let wait = health["backend"]["worker"]["wait_seconds"].as_u64();
            wait.is_some_and(|seconds| seconds > 0)
        })
        .await;
    assert_eq!(health["status"], "degraded");
    let (_, answer) = deja.ask(&question(QUESTION)).await;
    assert_eq!(deja_tests::text(&answer), "The capital of France is Paris.");
}

#[tokio::test]
async fn a_prompt_for_which_there_is_no_memory_costs_no_worker() {
    let settings = "[[backend]]\nkind = \"mlx\"\nkv_bytes = \"16MiB\"\n";
    let deja = Setup::new(settings).start().await;
    let before = deja.worker().await;
    for (api, code) in [
        (Api::OpenAi, json!("out_of_memory")),
        (Api::Anthropic, Value::Null),
    ] {
        let mut request = long_prompt(api);
        request["stream"] = false.into();
        let reply = deja.send(api, &request).await;
        assert_eq!(reply.status(), 400);
        let document: Value = reply.json().await.expect("the error is JSON");
        assert_eq!(document["error"]["code"], code, "{document}");
        assert_eq!(
            document["error"]["type"], "invalid_request_error",
            "{document}"
        );
    }
    let (_, answer) = deja.ask(&question(QUESTION)).await;
    assert_eq!(deja_tests::text(&answer), "The capital of France is Paris.");
    assert_eq!(deja.worker().await, before);
}
