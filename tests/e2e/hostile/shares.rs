//! Callers who ask or store so much that others are displaced.

use deja_tests::{Answer, Api, Deja, Gate, Setup, Upstream, built, cache_status, whole};
use futures_util::future::join;
use reqwest::{Method, Response};

const API: Api = Api::OpenAi;

/// Asks a question with somebody's key.
async fn ask(deja: &Deja, key: &str, content: &str) -> Response {
    let request = deja.request(Method::POST, API.path()).bearer_auth(key);
    let reply = request.json(&API.question(content)).send().await;
    reply.expect("the server answers")
}

/// Asks a question, and reads what the cache did.
async fn status(deja: &Deja, key: &str, content: &str) -> String {
    let reply = ask(deja, key, content).await;
    let status = cache_status(&reply);
    whole(reply).await;
    status
}

#[tokio::test]
async fn who_stores_much_displaces_only_their_own() {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let cache = "[cache]\nmax_entries = 8\nmax_share = 0.5\n";
    let settings = format!("{cache}{}", upstream.backend(API));
    let deja = Setup::new(&settings).start().await;
    status(&deja, "ada", "mine").await;
    for number in 0..20 {
        status(&deja, "bob", &format!("number {number}")).await;
    }
    assert_eq!(deja.health().await["cache"]["cached_items"], 5);
    assert!(status(&deja, "ada", "mine").await.contains("hit"));
    assert!(status(&deja, "bob", "number 19").await.contains("hit"));
    assert!(status(&deja, "bob", "number 0").await.contains("miss"));
}

#[tokio::test]
async fn who_asks_much_takes_no_more_than_a_share_of_the_places() {
    let gate = Gate::closed();
    let held = gate.clone();
    let script = move |asked: &_| API.reply(asked, &Answer::text("Yes.")).after(&held);
    let upstream = Upstream::start(script).await;
    let server = "[server]\nmax_requests = 4\nmax_share = 0.25\n";
    let settings = format!("{server}{}", upstream.backend(API));
    let deja = Setup::new(&settings).start().await;
    let first = ask(&deja, "bob", "first");
    let others = async {
        upstream.wait_for(1).await;
        let refused = ask(&deja, "bob", "second").await;
        assert_eq!(refused.status(), 429);
        assert!(refused.headers().contains_key("retry-after"));
        let other = ask(&deja, "ada", "mine");
        let open = async {
            upstream.wait_for(2).await;
            gate.open();
        };
        let (other, ()) = join(other, open).await;
        assert_eq!(other.status(), 200);
    };
    let (first, ()) = join(first, others).await;
    whole(first).await;
    assert!(status(&deja, "bob", "second").await.contains("miss"));
}

/// The keyer has 4 MiB of memory, in which it holds the texts of a request.
#[tokio::test]
async fn who_sends_what_is_too_large_for_a_keyer_has_it_left_alone_for_nobody_else() {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let plugins = "[plugins]\nmax_memory = \"4MiB\"\nmax_failures = 2\nfirst_pause = \"1min\"\n";
    let settings = format!("{plugins}{}", upstream.backend(API));
    let setup = Setup::new(&settings);
    setup.drop_file("exact", &built("ignore-case-and-space"));
    let deja = setup.start().await;
    let large = "x".repeat(8 << 20);
    for number in 0..3 {
        let status = status(&deja, "bob", &format!("{number} {large}")).await;
        assert!(status.contains("bypass"), "{status}");
    }
    for expected in ["miss", "hit"] {
        let status = status(&deja, "ada", "small").await;
        assert!(status.contains(expected), "{status}");
    }
}
