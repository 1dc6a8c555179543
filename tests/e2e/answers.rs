//! Real answers, and the same again from memory.

use deja_tests::{Deja, QUESTION, cache_status, long_question, question, streamed, text};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_model_answers_once_and_the_cache_from_then_on() {
    let deja = Deja::start().await;
    let (status, first) = deja.ask(&question(QUESTION)).await;
    assert!(
        status.starts_with("deja; fwd=miss; stored; key="),
        "{status}"
    );
    assert_eq!(text(&first), "The capital of France is Paris.");
    assert_eq!(first["usage"]["prompt_tokens"], 37);
    assert_eq!(first["choices"][0]["finish_reason"], "stop");

    let (status, again) = deja.ask(&question(QUESTION)).await;
    assert!(status.starts_with("deja; hit; ttl="), "{status}");
    assert_eq!(
        (text(&again), &again["usage"]),
        (text(&first), &first["usage"])
    );
    assert_ne!(again["id"], first["id"]);

    let mut request = question(QUESTION);
    request["stream"] = true.into();
    let reply = deja.chat(&request).await;
    assert!(cache_status(&reply).starts_with("deja; hit; ttl="));
    let stream = streamed(reply).await;
    assert_eq!(
        (stream.text().as_str(), stream.is_whole),
        (text(&first), true)
    );
    assert!(
        stream.chunks.len() > 3,
        "the pieces come as the model gave them: {stream:?}"
    );

    let report = json!({
        "hits": 2, "misses": 1, "total_requests": 3, "hit_rate": "66.7%", "cached_items": 1,
    });
    let health = deja.health().await;
    for (field, value) in report.as_object().expect("it is an object") {
        assert_eq!(&health["cache"][field], value, "{field}");
    }
}

#[tokio::test]
async fn a_stream_serves_the_whole_form_later() {
    let deja = Deja::start().await;
    let mut request = question(QUESTION);
    request["stream"] = true.into();
    request["stream_options"] = json!({"include_usage": true});
    let reply = deja.chat(&request).await;
    assert!(cache_status(&reply).starts_with("deja; fwd=miss; key="));
    let stream = streamed(reply).await;
    assert!(stream.is_whole && stream.error().is_none(), "{stream:?}");

    let (status, whole) = deja.ask(&question(QUESTION)).await;
    assert!(status.starts_with("deja; hit;"), "{status}");
    assert_eq!(text(&whole), stream.text());
    assert_eq!(
        stream.chunks.last().map(|last| &last["usage"]),
        Some(&whole["usage"])
    );
}

#[tokio::test]
async fn callers_with_different_credentials_never_share() {
    let deja = Deja::start().await;
    let ask = async |key: &str| {
        let request = deja
            .request(Method::POST, "/v1/chat/completions")
            .bearer_auth(key);
        let reply = request
            .json(&question(QUESTION))
            .send()
            .await
            .expect("the server answers");
        cache_status(&reply)
    };
    assert!(ask("ada").await.contains("fwd=miss"));
    assert!(ask("bob").await.contains("fwd=miss"));
    assert!(ask("ada").await.contains("hit"));
    assert!(
        !deja.log().contains("ada"),
        "credentials never stand in the log"
    );
}

#[tokio::test]
async fn an_answer_is_stored_although_its_client_left() {
    let deja = Deja::start().await;
    let mut request = long_question();
    request["max_tokens"] = 30.into();
    let mut reply = deja.chat(&request).await;
    reply
        .chunk()
        .await
        .expect("the answer begins")
        .expect("with a chunk");
    drop(reply);
    deja.wait_for("the entry", |health| health["cache"]["cached_items"] == 1)
        .await;
    assert!(cache_status(&deja.chat(&request).await).contains("hit"));
}

#[tokio::test]
async fn the_seed_decides_what_is_sampled() {
    let deja = Deja::start().await;
    let ask = async |seed: u32, user: &str| {
        let request = json!({
            "messages": [{"role": "user", "content": "Name an animal."}],
            "temperature": 1.5, "top_p": 0.9, "seed": seed, "user": user, "max_tokens": 24,
        });
        let (status, answer) = deja.ask(&request).await;
        assert!(
            status.contains("fwd=miss"),
            "every request is a new one: {status}"
        );
        text(&answer).to_owned()
    };
    let first = ask(1, "a").await;
    assert_eq!(ask(1, "b").await, first);
    assert_ne!(ask(2, "c").await, first);
}

#[tokio::test]
async fn the_model_is_listed() {
    let deja = Deja::start().await;
    let reply = deja
        .request(Method::GET, "/v1/models")
        .send()
        .await
        .expect("the server answers");
    let list: serde_json::Value = reply.json().await.expect("the list is JSON");
    assert_eq!(list["data"][0]["id"], "SmolLM2-135M-Instruct.Q4_1");
}
