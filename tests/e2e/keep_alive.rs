//! A stream that is silent for long shows that it lives.

use deja_tests::{Answer, Api, Deja, Frames, Gate, PAIRS, Setup, Upstream};

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
