//! A stream that is silent for long shows that it lives.

use deja_tests::{Answer, Api, Asked, Deja, Frames, Gate, PAIRS, Reply, Setup, Upstream, streamed};
use futures_util::future::join;
use serde_json::json;

/// A server whose upstream is silent in mid-stream until the gate opens.
async fn silent(api: Api, gate: &Gate) -> (Upstream, Deja) {
    let reply = api.held_back(&Answer::text("one two"), gate);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let backend = upstream.backend(api);
    let settings = format!("[server]\nkeep_alive = \"100ms\"\n{backend}");
    (upstream, Setup::new(&settings).start().await)
}

/// Reads frames until some signs of life have come.
async fn signs_of_life(client: Api, frames: &mut Frames, count: usize) {
    let sign = match client {
        Api::OpenAi => ":",
        Api::Anthropic => "event: ping\n",
    };
    let mut seen = 0;
    while seen < count {
        let frame = frames.next().await.expect("the stream goes on");
        let frame = frame.expect("and does not end");
        seen += usize::from(frame.starts_with(sign));
    }
}

async fn stays_alive(client: Api, upstream_api: Api) {
    let gate = Gate::closed();
    let (_upstream, deja) = silent(upstream_api, &gate).await;
    let stream = deja.send(client, &client.streamed_question("Count.")).await;
    let mut frames = Frames::of(stream);
    signs_of_life(client, &mut frames, 3).await;
    gate.open();
    let rest = frames.rest().await;
    assert!(rest.is_whole, "{rest:?}");
    assert!(rest.text().ends_with("two"), "{rest:?}");
    let (status, text) = deja.answer(client, "Count.").await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(text, "one two", "signs of life are no part of the answer");
}

#[tokio::test]
async fn a_silence_in_mid_stream_is_bridged() {
    for (client, upstream_api) in PAIRS {
        stays_alive(client, upstream_api).await;
    }
}

#[tokio::test]
async fn who_joins_a_silent_stream_is_kept_alive_too() {
    let gate = Gate::closed();
    let (_upstream, deja) = silent(Api::OpenAi, &gate).await;
    let request = Api::OpenAi.streamed_question("Count.");
    let _first = deja.chat(&request).await;
    let mut late = Frames::of(deja.chat(&request).await);
    late.next_text().await;
    signs_of_life(Api::OpenAi, &mut late, 1).await;
    gate.open();
    assert!(late.rest().await.is_whole);
}

#[tokio::test]
async fn a_stream_that_flows_gets_none() {
    for (client, upstream_api) in PAIRS {
        let answer = Answer::text("one two");
        let upstream = Upstream::start(move |asked| upstream_api.reply(asked, &answer)).await;
        let deja = Setup::new(&upstream.backend(upstream_api)).start().await;
        let stream = deja.send(client, &client.streamed_question("Count.")).await;
        assert_eq!(deja_tests::streamed(stream).await.signs_of_life, 0);
    }
}

/// A server whose upstream refuses one question when the gate opens, and begins to answer all others
/// at once.
async fn refusing(api: Api, settings: &str, gate: &Gate) -> (Upstream, Deja) {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Full."}});
    let refusal = Reply::json(&error).status(529).after(gate);
    let begun = api.held_back(&Answer::text("one two"), gate);
    let script = move |asked: &Asked| {
        let is_refused = asked.json().to_string().contains("Refuse");
        if is_refused {
            refusal.clone()
        } else {
            begun.clone()
        }
    };
    let upstream = Upstream::start(script).await;
    let settings = format!("[server]\n{settings}{}", upstream.backend(api));
    (upstream, Setup::new(&settings).start().await)
}

#[tokio::test]
async fn a_refusal_after_a_silence_keeps_its_status() {
    const SETTINGS: &str = "keep_alive = \"100ms\"\nhead_timeout = \"1min\"\n";
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let (upstream, deja) = refusing(upstream_api, SETTINGS, &gate).await;
        let refused = client.streamed_question("Refuse.");
        let refused = deja.send(client, &refused);
        let silence = async {
            upstream.wait_for(1).await;
            let other = deja.send(client, &client.streamed_question("Count.")).await;
            signs_of_life(client, &mut Frames::of(other), 3).await;
            gate.open();
        };
        let (refused, ()) = join(refused, silence).await;
        assert_eq!(refused.status(), 529, "its head has waited for it");
    }
}

#[tokio::test]
async fn a_refusal_after_the_head_is_an_event() {
    const SETTINGS: &str = "head_timeout = \"100ms\"\n";
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let (_upstream, deja) = refusing(upstream_api, SETTINGS, &gate).await;
        let head = deja
            .send(client, &client.streamed_question("Refuse."))
            .await;
        assert_eq!(head.status(), 200);
        gate.open();
        let stream = streamed(head).await;
        assert!(stream.has_failed(), "{stream:?}");
    }
}
