//! Whose answers a caller may see.

use deja_tests::{Answer, Api, Deja, Setup, Upstream, cache_status};
use reqwest::Method;

async fn deja(api: Api, settings: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(move |asked| api.reply(asked, &Answer::text("Hi."))).await;
    let settings = upstream.backend(api) + settings;
    (upstream, Setup::new(&settings).start().await)
}

/// Whether a caller with this header gets the answer to one question from the cache.
async fn hits(deja: &Deja, api: Api, (name, value): (&str, &str)) -> bool {
    let request = deja.request(Method::POST, api.path()).header(name, value);
    let reply = request.json(&api.question("Hi!")).send().await;
    let reply = reply.expect("the server answers");
    assert_eq!(reply.status(), 200);
    cache_status(&reply).contains("hit")
}

#[tokio::test]
async fn callers_with_different_keys_never_meet() {
    for (api, name) in [
        (Api::OpenAi, "authorization"),
        (Api::Anthropic, "x-api-key"),
        (Api::Anthropic, "authorization"),
    ] {
        let (_upstream, deja) = deja(api, "").await;
        let (ada, bob) = ((name, "Bearer ada"), (name, "Bearer bob"));
        assert!(!hits(&deja, api, ada).await);
        assert!(!hits(&deja, api, bob).await);
        assert!(!hits(&deja, api, ("x-nobody", "1")).await);
        assert!(hits(&deja, api, ada).await && hits(&deja, api, bob).await);
    }
}

#[tokio::test]
async fn a_header_can_part_the_callers() {
    let settings = "[cache]\npartition = \"header:x-team\"\n";
    let (_upstream, deja) = deja(Api::OpenAi, settings).await;
    let hits = async |team: &str, key: &str| {
        let request = deja
            .request(Method::POST, Api::OpenAi.path())
            .header("x-team", team)
            .bearer_auth(key);
        let reply = request.json(&Api::OpenAi.question("Hi!")).send().await;
        cache_status(&reply.expect("the server answers")).contains("hit")
    };
    assert!(!hits("red", "ada").await);
    assert!(!hits("blue", "ada").await);
    assert!(hits("red", "bob").await, "one team, whatever the key");
    assert!(hits("blue", "bob").await);
}

#[tokio::test]
async fn all_share_where_the_settings_say_so() {
    let (upstream, deja) = deja(Api::OpenAi, "[cache]\npartition = \"none\"\n").await;
    assert!(!hits(&deja, Api::OpenAi, ("authorization", "Bearer ada")).await);
    assert!(hits(&deja, Api::OpenAi, ("authorization", "Bearer bob")).await);
    assert!(hits(&deja, Api::OpenAi, ("user-agent", "nobody")).await);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn callers_of_different_partitions_do_not_wait_for_one_another() {
    let (upstream, deja) = deja(Api::OpenAi, "").await;
    let ask = async |key: &str| hits(&deja, Api::OpenAi, ("authorization", key)).await;
    tokio::join!(ask("Bearer ada"), ask("Bearer bob"));
    assert_eq!(upstream.count(), 2);
}
