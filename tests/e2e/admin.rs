//! What an operator sees and does under `/admin`.

use deja_tests::{
    Answer, Api, Asked, Deja, Frames, Gate, Setup, Upstream, cache_status, streamed, whole,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const API: Api = Api::OpenAi;
const TOKEN: &str = "let-me-in";

async fn deja(settings: &str) -> (Upstream, Deja) {
    let script = |asked: &_| API.reply(asked, &Answer::text("So it is."));
    let upstream = Upstream::start(script).await;
    let setup = Setup::new(&(upstream.backend(API) + settings));
    let deja = setup.env("DEJA_ADMIN_TOKEN", TOKEN).start().await;
    (upstream, deja)
}

/// Asks a model a question; gives the key of the answer.
async fn ask(deja: &Deja, model: &str, question: &str) -> String {
    let mut request = API.question(question);
    request["model"] = model.into();
    let reply = deja.send(API, &request).await;
    let status = cache_status(&reply);
    whole(reply).await;
    let key = status.split('"').nth(1);
    key.unwrap_or_else(|| panic!("no key in {status}"))
        .to_owned()
}

async fn delete(deja: &Deja, path: &str) -> Response {
    let request = deja.request(Method::DELETE, path);
    request.send().await.expect("the server answers")
}

async fn list(deja: &Deja, query: &str) -> Value {
    whole(deja.get(&format!("/admin/cache{query}")).await).await
}

async fn explain(deja: &Deja, request: &Value) -> Value {
    let path = format!("/admin/explain?path={}", API.path());
    whole(deja.post(&path, request).await).await
}

#[tokio::test]
async fn entries_are_listed_with_what_they_are_and_did() {
    let (_upstream, deja) = deja("").await;
    let key = ask(&deja, "small", "What is the capital of France?").await;
    ask(&deja, "small", "What is the capital of France?").await;
    let list = list(&deja, "").await;
    assert_eq!(list["total"], 1);
    let entry = &list["entries"][0];
    assert_eq!(entry["key"], key.as_str());
    assert_eq!(entry["model"], "small");
    assert_eq!(entry["endpoint"], "chat-completions");
    assert_eq!(entry["hits"], 1);
    assert!(
        entry["bytes"].as_u64().is_some_and(|bytes| bytes > 100),
        "{entry}"
    );
    assert!(
        entry["age_seconds"].as_u64().is_some_and(|age| age < 3600),
        "{entry}"
    );
    let left = entry["ttl_seconds"].as_u64();
    assert!(left.is_some_and(|left| left <= 24 * 3600), "{entry}");
    assert!(
        entry["cost_ms"].is_number() && entry["tags"].is_array(),
        "{entry}"
    );
    let summary = entry["summary"].as_str();
    assert!(
        summary.is_some_and(|text| text.contains("France")),
        "{entry}"
    );
}

#[tokio::test]
async fn a_long_list_is_read_in_pages() {
    let (_upstream, deja) = deja("").await;
    for number in 0..5 {
        ask(&deja, "small", &format!("What is {number}?")).await;
    }
    let mut keys = Vec::new();
    for (offset, count) in [(0, 2), (2, 2), (4, 1), (6, 0)] {
        let page = list(&deja, &format!("?limit=2&offset={offset}")).await;
        assert_eq!(page["total"], 5);
        let entries = page["entries"].as_array().expect("there is a list");
        assert_eq!(entries.len(), count);
        keys.extend(entries.iter().map(|entry| entry["key"].to_string()));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
    assert_eq!(deja.get("/admin/cache?limit=many").await.status(), 400);
}

#[tokio::test]
async fn one_entry_is_removed_by_its_key() {
    let (_upstream, deja) = deja("").await;
    let key = ask(&deja, "small", "Which one?").await;
    let other = ask(&deja, "small", "Which other one?").await;
    let reply = delete(&deja, &format!("/admin/cache/{key}")).await;
    assert_eq!(whole(reply).await, json!({"removed": 1}));
    let reply = delete(&deja, &format!("/admin/cache/{key}")).await;
    assert_eq!(reply.status(), 404);
    assert_eq!(list(&deja, "").await["entries"][0]["key"], other.as_str());
    let (status, _) = deja.answer(API, "Which one?").await;
    assert!(status.contains("miss"), "{status}");
}

#[tokio::test]
async fn entries_are_removed_by_their_model_or_all() {
    let (_upstream, deja) = deja("").await;
    for (model, question) in [
        ("small", "A?"),
        ("small", "B?"),
        ("large", "A?"),
        ("tiny", "A?"),
    ] {
        ask(&deja, model, question).await;
    }
    let reply = delete(&deja, "/admin/cache?model=small").await;
    assert_eq!(whole(reply).await, json!({"removed": 2}));
    let reply = delete(&deja, "/admin/cache?tag=nobody-has-it").await;
    assert_eq!(whole(reply).await, json!({"removed": 0}));
    assert_eq!(list(&deja, "").await["total"], 2);
    let reply = delete(&deja, "/admin/cache").await;
    assert_eq!(whole(reply).await, json!({"removed": 2}));
    assert_eq!(list(&deja, "").await["total"], 0);
    let reply = delete(&deja, "/admin/cache?madel=small").await;
    assert_eq!(
        reply.status(),
        400,
        "a slip of the pen must not empty the cache"
    );
}

#[tokio::test]
async fn who_asks_after_a_purge_gets_an_answer_from_after_it() {
    for query in ["", "?model=scripted"] {
        let gate = Gate::closed();
        let held = gate.clone();
        let script = move |asked: &Asked| match asked.number {
            0 => API.held_back(&Answer::text("before the purge"), &held),
            _ => API.reply(asked, &Answer::text("after it")),
        };
        let upstream = Upstream::start(script).await;
        let setup = Setup::new(&upstream.backend(API));
        let deja = setup.env("DEJA_ADMIN_TOKEN", TOKEN).start().await;
        let request = API.streamed_question("When?");
        let mut before = Frames::of(deja.send(API, &request).await);
        before.next_text().await;
        let reply = delete(&deja, &format!("/admin/cache{query}")).await;
        assert_eq!(whole(reply).await, json!({"removed": 0}));
        let after = deja.send(API, &request).await;
        let status = cache_status(&after);
        assert!(!status.contains("collapsed"), "{status}");
        gate.open();
        assert_eq!(before.rest().await.text(), "the purge");
        assert_eq!(streamed(after).await.text(), "after it");
        let (status, text) = deja.answer(API, "When?").await;
        assert!(status.contains("hit"), "{status}");
        assert_eq!((text.as_str(), upstream.count()), ("after it", 2));
    }
}

#[tokio::test]
async fn a_hit_is_explained_and_not_counted() {
    let (upstream, deja) = deja("").await;
    let key = ask(&deja, "scripted", "Why?").await;
    let explained = explain(&deja, &API.question("Why?")).await;
    assert_eq!(explained["key"], key.as_str());
    assert_eq!(explained["outcome"], "hit");
    assert_eq!(explained["entry"]["key"], key.as_str());
    assert!(explained["edits"].is_array(), "{explained}");
    assert_eq!(explained["entry"]["hits"], 0);
    assert_eq!(list(&deja, "").await["entries"][0]["hits"], 0);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_miss_is_explained_by_the_nearest_entry() {
    let (upstream, deja) = deja("").await;
    let mut request = API.question("Why?");
    request["temperature"] = json!(0.5);
    whole(deja.send(API, &request).await).await;
    ask(
        &deja,
        "scripted",
        "Something else altogether, and much longer?",
    )
    .await;
    request["temperature"] = json!(0.7);
    request["seed"] = json!(1);
    let explained = explain(&deja, &request).await;
    assert_eq!(explained["outcome"], "miss");
    assert_eq!(explained["nearest"]["total"], 2);
    let differences = explained["nearest"]["differences"].as_array();
    let differences = differences.expect("they are listed");
    let at = |pointer: &str| {
        let found = differences.iter().find(|one| one["pointer"] == pointer);
        found.unwrap_or_else(|| panic!("no {pointer} in {explained}"))
    };
    assert_eq!(at("/temperature")["asked"], 0.7);
    assert_eq!(at("/temperature")["stored"], 0.5);
    assert_eq!(at("/seed")["asked"], 1);
    assert_eq!(upstream.count(), 2, "an explanation asks nobody");
}

#[tokio::test]
async fn requests_are_not_held_where_the_settings_say_so() {
    let (_upstream, deja) = deja("[cache]\nkeep_requests = false\n").await;
    ask(&deja, "scripted", "Why?").await;
    let explained = explain(&deja, &API.question("Why not?")).await;
    assert_eq!(explained["outcome"], "miss");
    assert!(
        explained.get("nearest").is_none_or(Value::is_null),
        "{explained}"
    );
}

#[tokio::test]
async fn an_explanation_tells_which_rule_changed_what() {
    let settings = "[[keyer]]\nplugin = \"ignore-case-and-space\"\n";
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let setup = Setup::new(&(upstream.backend(API) + settings));
    setup.drop_plugin("ignore-case-and-space", "ignore-case-and-space");
    let deja = setup.start().await;
    ask(&deja, "scripted", "is  this IT?").await;
    let explained = explain(&deja, &API.question("Is this it?")).await;
    assert_eq!(explained["outcome"], "hit");
    let edit = &explained["edits"][0];
    assert_eq!(edit["keyer"], "ignore-case-and-space");
    assert!(
        edit["rule"].is_string() && !edit["change"].is_null(),
        "{edit}"
    );
}

/// The status of a request for the list with these headers.
async fn status_with(deja: &Deja, headers: &[(&str, &str)]) -> u16 {
    let mut request = deja.request(Method::GET, "/admin/cache");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.send().await.expect("the server answers");
    reply.status().as_u16()
}

#[tokio::test]
async fn a_bypass_is_explained() {
    // What the keyer says of a long text is over its limit; so it fails, and the cache is left out.
    let settings =
        "[plugins]\nmax_result = \"64KiB\"\n[[keyer]]\nplugin = \"ignore-case-and-space\"\n";
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let setup = Setup::new(&(upstream.backend(API) + settings));
    setup.drop_plugin("ignore-case-and-space", "ignore-case-and-space");
    let deja = setup.start().await;
    let long = "Two  words. ".repeat(5000);
    let (status, _) = deja.answer(API, &long).await;
    assert!(status.starts_with("deja; fwd=bypass; detail="), "{status}");
    let explained = explain(&deja, &API.question(&long)).await;
    assert_eq!(explained["outcome"], "bypass");
    let reason = explained["reason"].as_str();
    assert!(
        reason.is_some_and(|text| text.contains("ignore-case-and-space")),
        "{explained}"
    );
    assert_eq!(list(&deja, "").await["total"], 0);
}

#[tokio::test]
async fn nobody_gets_in_through_a_browser_or_a_proxy() {
    let (_upstream, deja) = deja("").await;
    for header in [
        ("origin", "http://evil.example"),
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
    ] {
        let status = status_with(&deja, &[header]).await;
        assert!([401, 403].contains(&status), "{header:?}: {status}");
    }
}

#[tokio::test]
async fn nobody_gets_in_by_a_name_that_was_bent_to_loopback() {
    let (_upstream, deja) = deja("").await;
    let status = status_with(&deja, &[("host", "evil.example")]).await;
    assert!([401, 403].contains(&status), "{status}");
}

#[tokio::test]
async fn the_token_lets_in_who_comes_from_elsewhere() {
    let (_upstream, deja) = deja("").await;
    let from_elsewhere = ("x-forwarded-for", "203.0.113.7");
    let bearer = format!("Bearer {TOKEN}");
    let right = ("authorization", bearer.as_str());
    assert_eq!(status_with(&deja, &[from_elsewhere, right]).await, 200);
    let right = ("authorization", "bearer let-me-in");
    assert_eq!(status_with(&deja, &[from_elsewhere, right]).await, 200);
    for wrong in ["Bearer let-me-i", "Bearer ", "let-me-in", "Basic let-me-in"] {
        let headers = [from_elsewhere, ("authorization", wrong)];
        let status = status_with(&deja, &headers).await;
        assert!([401, 403].contains(&status), "{wrong}: {status}");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so() {
    let (_upstream, deja) = deja("").await;
    assert_eq!(deja.get("/admin/nothing").await.status(), 404);
    assert_eq!(deja.get("/admin/explain").await.status(), 405);
    let reply = deja
        .post("/admin/explain?path=/v1/nothing", &json!({}))
        .await;
    assert_eq!(reply.status(), 404);
}
