//! What a client may ask of the cache (RFC 9111), and what it is told (RFC 9211).

use deja_tests::{Answer, Api, Deja, Setup, Upstream, cache_status, eventually, streamed, whole};
use reqwest::{Method, Response};
use serde_json::Value;

const API: Api = Api::OpenAi;
const QUESTION: &str = "Which one is it?";

/// A server whose upstream tells how often it was asked before.
async fn counting(settings: &str) -> (Upstream, Deja) {
    let script = |asked: &deja_tests::Asked| {
        API.reply(asked, &Answer::text(&format!("number {}", asked.number)))
    };
    let upstream = Upstream::start(script).await;
    let settings = upstream.backend(API) + settings;
    (upstream, Setup::new(&settings).start().await)
}

async fn ask_with(deja: &Deja, directive: &str) -> Response {
    let request = deja
        .request(Method::POST, API.path())
        .header("cache-control", directive);
    let reply = request.json(&API.question(QUESTION)).send().await;
    reply.expect("the server answers")
}

/// Cache-Status and text of an answer asked for with a directive.
async fn answer_with(deja: &Deja, directive: &str) -> (String, String) {
    let reply = ask_with(deja, directive).await;
    let status = cache_status(&reply);
    let answer = whole(reply).await;
    (status, API.text(&answer).to_owned())
}

#[tokio::test]
async fn no_cache_asks_again_and_stores_what_comes() {
    let (_upstream, deja) = counting("").await;
    assert_eq!(deja.answer(API, QUESTION).await.1, "number 0");
    let (status, text) = answer_with(&deja, "no-cache").await;
    assert!(status.starts_with("deja; fwd=request"), "{status}");
    assert_eq!(text, "number 1");
    let (status, text) = deja.answer(API, QUESTION).await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(text, "number 1", "the newer answer took the older's place");
}

#[tokio::test]
async fn no_store_leaves_nothing_behind() {
    let (_upstream, deja) = counting("").await;
    let (status, text) = answer_with(&deja, "no-store").await;
    assert!(status.starts_with("deja; fwd=request"), "{status}");
    assert!(!status.contains("stored"), "{status}");
    assert_eq!(text, "number 0");
    assert_eq!(deja.health().await["cache"]["cached_items"], 0);
    let (status, text) = deja.answer(API, QUESTION).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    assert_eq!(text, "number 1");
}

#[tokio::test]
async fn only_if_cached_asks_nobody() {
    let (upstream, deja) = counting("").await;
    let reply = ask_with(&deja, "only-if-cached").await;
    assert_eq!(reply.status(), 504);
    let error: Value = reply.json().await.expect("an error is JSON");
    assert!(error["error"]["message"].is_string(), "{error}");
    assert_eq!(upstream.count(), 0);
    deja.answer(API, QUESTION).await;
    let (status, _) = answer_with(&deja, "only-if-cached").await;
    assert!(status.contains("hit"), "{status}");
}

#[tokio::test]
async fn max_age_takes_what_is_young_enough() {
    let (_upstream, deja) = counting("").await;
    deja.answer(API, QUESTION).await;
    let (status, text) = answer_with(&deja, "max-age=3600").await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(text, "number 0");
    eventually("an answer of a second's age", async || {
        age(&deja.send(API, &API.question(QUESTION)).await) >= Some(1)
    })
    .await;
    let (status, text) = answer_with(&deja, "max-age=0").await;
    assert!(!status.contains("hit"), "{status}");
    assert_eq!(text, "number 1");
}

#[tokio::test]
async fn unknown_and_several_directives_are_read() {
    let (_upstream, deja) = counting("").await;
    deja.answer(API, QUESTION).await;
    let (status, _) = answer_with(&deja, "no-transform, x-new=\"a, b\"").await;
    assert!(status.contains("hit"), "{status}");
    let (status, _) = answer_with(&deja, "x-new=\"a, b\", NO-CACHE").await;
    assert!(status.starts_with("deja; fwd=request"), "{status}");
}

#[tokio::test]
async fn hits_tell_their_age_and_time_left_and_misses_do_not() {
    let (_upstream, deja) = counting("[cache]\nttl = \"1h\"\n").await;
    let reply = deja.send(API, &API.question(QUESTION)).await;
    assert_eq!(age(&reply), None);
    let key = key(&cache_status(&reply));
    let reply = deja.send(API, &API.question(QUESTION)).await;
    let status = cache_status(&reply);
    assert!(age(&reply).is_some_and(|age| age < 3600));
    let left = status
        .split("ttl=")
        .nth(1)
        .and_then(|rest| rest.split(';').next());
    let left: u64 = left.and_then(|left| left.parse().ok()).expect("it is told");
    assert!((1..=3600).contains(&left), "{status}");
    assert!(status.contains(&format!("key=\"{key}\"")), "{status}");
}

#[tokio::test]
async fn an_answer_does_not_outlive_its_time() {
    let (_upstream, deja) = counting("[cache]\nttl = \"1s\"\n").await;
    deja.answer(API, QUESTION).await;
    eventually("the end of the answer's time", async || {
        ask_with(&deja, "only-if-cached").await.status() == 504
    })
    .await;
    let (status, text) = deja.answer(API, QUESTION).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    assert_eq!(text, "number 1");
}

#[tokio::test]
async fn streams_obey_too() {
    let (_upstream, deja) = counting("").await;
    let ask = async |directive: &str| {
        let request = deja
            .request(Method::POST, API.path())
            .header("cache-control", directive);
        let reply = request.json(&API.streamed_question(QUESTION)).send().await;
        let reply = reply.expect("the server answers");
        (cache_status(&reply), streamed(reply).await.text())
    };
    assert_eq!(ask("max-age=60").await.1, "number 0");
    let (status, text) = ask("no-cache, no-store").await;
    assert!(status.starts_with("deja; fwd=request"), "{status}");
    assert_eq!(text, "number 1");
    let (status, text) = ask("only-if-cached").await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(text, "number 0");
}

fn age(reply: &Response) -> Option<u64> {
    let age = reply.headers().get("age")?.to_str().ok()?;
    Some(age.parse().expect("an age is a number"))
}

/// The key that stands in a Cache-Status.
fn key(status: &str) -> String {
    let key = status.split('"').nth(1);
    key.unwrap_or_else(|| panic!("no key in {status}"))
        .to_owned()
}
