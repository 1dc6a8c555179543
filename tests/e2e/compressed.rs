//! Requests whose bodies come compressed.

use deja_tests::{Answer, Api, Coding, Deja, Setup, Upstream, cache_status, whole};
use reqwest::{Method, Response};
use serde_json::Value;

const API: Api = Api::OpenAi;

async fn deja(settings: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = format!("{settings}\n{}", upstream.backend(API));
    let deja = Setup::new(&settings).start().await;
    (upstream, deja)
}

async fn post(deja: &Deja, coding: &str, body: Vec<u8>) -> Response {
    let request = deja
        .request(Method::POST, API.path())
        .header("content-type", "application/json")
        .header("content-encoding", coding);
    request.body(body).send().await.expect("the server answers")
}

async fn message(reply: Response) -> String {
    let document: Value = reply.json().await.expect("an error is JSON");
    document["error"]["message"].to_string()
}

#[tokio::test]
async fn a_body_is_unpacked_for_the_key_and_for_the_upstream() {
    let (upstream, deja) = deja("").await;
    let question = API.question("Is it?").to_string();
    whole(deja.send(API, &API.question("Is it?")).await).await;
    for coding in Coding::ALL {
        let body = coding.compress(question.as_bytes()).await;
        let reply = post(&deja, coding.name(), body).await;
        assert!(cache_status(&reply).contains("hit"), "{coding:?}");
        let other = API.question(coding.name()).to_string();
        let body = coding.compress(other.as_bytes()).await;
        whole(post(&deja, coding.name(), body).await).await;
        let asked = upstream.last();
        assert_eq!(String::from_utf8_lossy(&asked.body), other);
        assert_eq!(asked.header("content-encoding"), "");
    }
}

#[tokio::test]
async fn a_body_that_unpacks_to_more_than_the_limit_is_refused() {
    let (upstream, deja) = deja("[server]\nmax_body_bytes = \"64KiB\"").await;
    let bomb = API.question(&"x".repeat(64 << 20)).to_string();
    for coding in Coding::ALL {
        let body = coding.compress(bomb.as_bytes()).await;
        let reply = post(&deja, coding.name(), body).await;
        assert_eq!(reply.status(), 413, "{coding:?}");
        let message = message(reply).await;
        assert!(message.contains("65536 bytes"), "{coding:?}: {message}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_refused() {
    let (upstream, deja) = deja("").await;
    let question = API.question("Is it?").to_string();
    for coding in Coding::ALL {
        let mut body = coding.compress(question.as_bytes()).await;
        body.truncate(body.len() / 2);
        for body in [body, b"not compressed".to_vec()] {
            let reply = post(&deja, coding.name(), body).await;
            assert_eq!(reply.status(), 400, "{coding:?}");
        }
    }
    for unknown in ["compress", "gzip, zstd"] {
        let reply = post(&deja, unknown, question.clone().into_bytes()).await;
        assert_eq!(reply.status(), 415);
        assert!(message(reply).await.contains(unknown), "{unknown}");
    }
    assert_eq!(upstream.count(), 0);
}
