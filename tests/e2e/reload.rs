//! The configuration changes while the server runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use deja_tests::{Answer, Api, Deja, Frames, Gate, Setup, Upstream, cache_status, eventually};
use reqwest::Method;

use crate::load::plugin;

const API: Api = Api::OpenAi;

async fn saying(text: &str) -> Upstream {
    let answer = Answer::text(text);
    Upstream::start(move |asked| API.reply(asked, &answer)).await
}

/// A question that nobody has asked yet.
fn new_question() -> String {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    format!("Number {}?", ASKED.fetch_add(1, Ordering::Relaxed))
}

async fn ask_as(deja: &Deja, key: &str, question: &str) -> String {
    let request = deja.request(Method::POST, API.path()).bearer_auth(key);
    let reply = request.json(&API.question(question)).send().await;
    cache_status(&reply.expect("the server answers"))
}

#[tokio::test]
async fn new_backends_answer_from_the_change_on() {
    let (before, after) = (saying("before").await, saying("after").await);
    let deja = Setup::new(&before.backend(API)).start().await;
    assert_eq!(deja.answer(API, "Which?").await.1, "before");
    deja.setup().configure(&after.backend(API));
    eventually("the new backend", async || {
        deja.answer(API, &new_question()).await.1 == "after"
    })
    .await;
    let (status, text) = deja.answer(API, "Which?").await;
    assert!(
        status.contains("fwd=miss"),
        "it is another's answer: {status}"
    );
    assert_eq!(text, "after");
    deja.setup().configure(&before.backend(API));
    eventually("the old backend", async || {
        deja.answer(API, "Which?").await.1 == "before"
    })
    .await;
    let (status, _) = deja.answer(API, "Which?").await;
    assert!(status.contains("hit"), "what is held stays: {status}");
}

#[tokio::test]
async fn an_answer_under_way_ends_although_its_backend_goes() {
    let gate = Gate::closed();
    let reply = API.held_back(&Answer::text("one two"), &gate);
    let before = Upstream::start(move |_| reply.clone()).await;
    let after = saying("after").await;
    let deja = Setup::new(&before.backend(API)).start().await;
    let stream = deja.send(API, &API.streamed_question("Count.")).await;
    let mut stream = Frames::of(stream);
    assert_eq!(stream.next_text().await, "one ");
    deja.setup().configure(&after.backend(API));
    eventually("the new backend", async || {
        let question = API.streamed_question(&new_question());
        Frames::of(deja.send(API, &question).await)
            .next_text()
            .await
            == "after"
    })
    .await;
    gate.open();
    let rest = stream.rest().await;
    assert_eq!((rest.text().as_str(), rest.is_whole), ("two", true));
}

#[tokio::test]
async fn no_request_is_lost_on_the_way() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    for round in 0..5 {
        let settings = format!(
            "{}[cache]\nmax_entries = {}\n",
            upstream.backend(API),
            100 + round
        );
        deja.setup().configure(&settings);
        for number in 0..40 {
            let (_, text) = deja.answer(API, &format!("{round} {number}?")).await;
            assert_eq!(text, "Yes.");
        }
    }
}

#[tokio::test]
async fn a_smaller_limit_holds_at_once() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    for number in 0..5 {
        deja.answer(API, &format!("Number {number}?")).await;
    }
    assert_eq!(deja.health().await["cache"]["cached_items"], 5);
    let settings = upstream.backend(API) + "[cache]\nmax_entries = 2\n";
    deja.setup().configure(&settings);
    eventually("the limit", async || {
        deja.health().await["cache"]["cached_items"] == 2
    })
    .await;
}

#[tokio::test]
async fn a_new_ttl_counts_for_what_comes_then() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    deja.setup()
        .configure(&(upstream.backend(API) + "[cache]\nttl = \"1s\"\n"));
    eventually("the new time", async || {
        let question = new_question();
        deja.answer(API, &question).await;
        let (status, _) = deja.answer(API, &question).await;
        let is_short = ["ttl=0;", "ttl=1;"];
        !status.contains("hit") || is_short.iter().any(|short| status.contains(short))
    })
    .await;
}

#[tokio::test]
async fn a_new_partition_counts_at_once() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    assert!(ask_as(&deja, "ada", "Is it so?").await.contains("miss"));
    assert!(ask_as(&deja, "bob", "Is it so?").await.contains("miss"));
    deja.setup()
        .configure(&(upstream.backend(API) + "[cache]\npartition = \"none\"\n"));
    eventually("the one partition", async || {
        let question = new_question();
        ask_as(&deja, "ada", &question).await;
        ask_as(&deja, "bob", &question).await.contains("hit")
    })
    .await;
}

#[tokio::test]
async fn what_takes_a_restart_is_named() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\n{}",
        upstream.backend(API)
    );
    assert!(!deja.log().contains("server.listen"));
    deja.setup().configure(&settings);
    deja.wait_for_log("server.listen").await;
    deja.answer(API, "Are you still there?").await;
}

#[tokio::test]
async fn a_configuration_is_taken_whole_or_not_at_all() {
    let upstream = saying("Yes.").await;
    let old = upstream.backend(API);
    let keyer = "[[keyer]]\nplugin = \"ignore-fields\"\nconfig = { pointers = [\"/user\"] }\n";
    let broken =
        "[[backend]]\nkind = \"mlx\"\nload = \"demand\"\nmodel = \"/no/such/model.gguf\"\n";
    let deja = Setup::new(&old).start().await;
    // Whether users share answers shows which keyer is at work.
    let users_share = async || {
        let mut request = API.question(&new_question());
        request["user"] = "ada".into();
        deja.ask(&request).await;
        request["user"] = "bob".into();
        deja.ask(&request).await.0.contains("hit")
    };
    let new = format!("{keyer}{old}{broken}");
    deja.setup().configure(&new);
    deja.wait_for_log("the configuration stays as it was").await;
    assert!(!users_share().await, "{}", deja.log());
    assert_eq!(plugin(&deja.health().await, "keyer")["name"], "exact");

    deja.setup().configure(&old);
    deja.wait_for_log("the configuration is in place").await;
    assert!(!users_share().await, "{}", deja.log());

    deja.setup().configure(&format!("{keyer}{old}"));
    eventually("the new keyer", users_share).await;
    deja.setup().configure(&old);
    eventually("the old keyer", async || !users_share().await).await;
}

#[tokio::test]
async fn a_mistake_changes_nothing_and_is_told() {
    let upstream = saying("Yes.").await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    deja.answer(API, "Is it so?").await;
    deja.setup()
        .configure(&(upstream.backend(API) + "[cache]\nttl = \"soon\"\n"));
    deja.wait_for_log("cache.ttl").await;
    let (status, _) = deja.answer(API, "Is it so?").await;
    assert!(status.contains("hit"), "{status}");
}
