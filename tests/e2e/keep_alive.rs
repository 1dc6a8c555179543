//! A stream that is silent for long shows that it lives.

use std::time::Duration;

use deja_tests::{Answer, Api, Frames, Gate, PAIRS, Reply, Setup, Upstream};

async fn silent_stream(client: Api, upstream_api: Api, sent_before: usize) {
    let gate = Gate::closed();
    let mut frames = upstream_api.frames(&Answer::text("one two"), false);
    let rest = frames.split_off(sent_before);
    let reply = Reply::frames(frames).wait(&gate).then_all(rest);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let settings = format!(
        "[server]\nkeep_alive = \"100ms\"\n{}",
        upstream.backend(upstream_api)
    );
    let deja = Setup::new(&settings).start().await;
    let stream = deja.send(client, &client.streamed_question("Count.")).await;
    let mut frames = Frames::of(stream);
    let sign_of_life = match client {
        Api::OpenAi => ":",
        Api::Anthropic => "event: ping\n",
    };
    let mut signs = 0;
    while signs < 3 {
        let frame = frames.next().await.expect("the stream goes on");
        let frame = frame.expect("and does not end");
        signs += usize::from(frame.starts_with(sign_of_life));
    }
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
        silent_stream(client, upstream_api, 3).await;
    }
}

#[tokio::test]
async fn who_joins_a_silent_stream_is_kept_alive_too() {
    let gate = Gate::closed();
    let mut frames = Api::OpenAi.frames(&Answer::text("one two"), false);
    let rest = frames.split_off(2);
    let reply = Reply::frames(frames).wait(&gate).then_all(rest);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let settings = format!(
        "[server]\nkeep_alive = \"100ms\"\n{}",
        upstream.backend(Api::OpenAi)
    );
    let deja = Setup::new(&settings).start().await;
    let request = Api::OpenAi.streamed_question("Count.");
    let _first = deja.chat(&request).await;
    let mut late = Frames::of(deja.chat(&request).await);
    late.next_text().await;
    let sign = async {
        while let Ok(Some(frame)) = late.next().await {
            if frame.starts_with(':') {
                return true;
            }
        }
        false
    };
    let came = tokio::time::timeout(Duration::from_mins(1), sign).await;
    assert_eq!(came, Ok(true));
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
