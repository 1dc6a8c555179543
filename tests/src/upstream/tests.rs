use reqwest::Response;
use serde_json::{Value, json};

use super::{Ending, Gate, Reply, Upstream};
use crate::{Answer, Api, Frames, PAIRS, streamed};

async fn send(upstream: &Upstream, body: &Value) -> reqwest::Result<Response> {
    let url = format!("{}/v1/anything?beta=true", upstream.url());
    crate::client().post(url).json(body).send().await
}

#[tokio::test]
async fn it_remembers_what_it_was_asked() {
    let upstream = Upstream::start(|asked| Reply::json(&json!({"got": asked.number}))).await;
    for number in 0..2 {
        let reply = send(&upstream, &json!({"number": number})).await;
        let reply: Value = reply.expect("it answers").json().await.expect("with JSON");
        assert_eq!(reply, json!({"got": number}));
    }
    let asked = upstream.asked();
    assert_eq!(asked[1].json(), json!({"number": 1}));
    assert_eq!(
        (asked[1].method.as_str(), asked[1].target.as_str()),
        ("POST", "/v1/anything?beta=true")
    );
    assert_eq!(asked[1].header("content-type"), "application/json");
}

#[tokio::test]
async fn a_stream_says_what_the_document_says() {
    for (api, _) in PAIRS {
        let answer = Answer::text("All is well.").after_thinking("Hm.");
        let script = move |asked: &super::Asked| api.reply(asked, &answer);
        let upstream = Upstream::start(script).await;
        let whole = send(&upstream, &api.question("How is it?")).await;
        let whole: Value = whole.expect("it answers").json().await.expect("with JSON");
        let stream = send(&upstream, &api.streamed_question("How is it?")).await;
        let stream = streamed(stream.expect("it answers")).await;
        assert_eq!(api.text(&whole), "All is well.");
        assert_eq!(
            (stream.text().as_str(), stream.is_whole),
            ("All is well.", true)
        );
    }
}

#[tokio::test]
async fn a_gate_holds_back_what_follows() {
    let gate = Gate::closed();
    let frames = Api::OpenAi.frames(&Answer::text("one two"), false);
    let reply = Reply::frames(frames[..2].to_vec())
        .wait(&gate)
        .then_all(frames[2..].to_vec());
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let stream = send(&upstream, &json!({})).await.expect("it answers");
    let mut frames = Frames::of(stream);
    assert_eq!(frames.next_text().await, "one ");
    gate.open();
    assert_eq!(frames.next_text().await, "two");
    assert!(frames.rest().await.is_whole);
}

#[tokio::test]
async fn each_fault_is_one() {
    let answer = Api::OpenAi.document(&Answer::text("Hi."));
    let frame = Api::OpenAi.frames(&Answer::text("Hi."), false).remove(0);
    for broken in [
        Reply::reset(),
        Reply::json(&answer).promising_more(9),
        Reply::json(&answer).promising_more(9).ending(Ending::Reset),
        Reply::stream()
            .then(frame.clone())
            .ending(Ending::HalfChunk),
        Reply::stream().then(frame.clone()).ending(Ending::Close),
        Reply::stream().then(frame).ending(Ending::Reset),
    ] {
        let upstream = Upstream::start(move |_| broken.clone()).await;
        let read = async { send(&upstream, &json!({})).await?.bytes().await };
        assert!(read.await.is_err());
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_seen() {
    let upstream = Upstream::start(|_| Reply::silence()).await;
    let body = json!({});
    tokio::select! {
        _ = send(&upstream, &body) => panic!("nobody answers"),
        () = upstream.wait_for(1) => {}
    }
    upstream.wait_for_deserted(1).await;
}
