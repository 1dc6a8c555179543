//! Upstreams whose answers are endless, or made of pieces that take much memory.

use deja_tests::{
    Answer, Api, Asked, Deja, Ending, Frames, Gate, PAIRS, Reply, Setup, Upstream, eventually,
    streamed, whole,
};
use futures_util::future::join;
use serde_json::{Value, json};

const API: Api = Api::OpenAi;

/// MiB by which a server may have grown: it keeps buffers.
const GROWTH: f64 = 64.0;

/// A server before an upstream that answers all with this.
async fn server(reply: Reply, server: &str, backend: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let settings = format!("[server]\n{server}{}{backend}", upstream.backend(API));
    (upstream, Setup::new(&settings).start().await)
}

#[tokio::test]
async fn blank_lines_and_comments_take_no_memory() {
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let mut frames = upstream_api.frames(&Answer::text("one two"), false);
        let rest = frames.split_off(frames.len() - 2);
        let reply = Reply::frames(vec!["\n".repeat(1 << 18); 16])
            .then_all(vec![":\n\n".repeat(1 << 16); 16])
            .then_all(frames)
            .wait(&gate)
            .then_all(rest);
        let upstream = Upstream::start(move |_| reply.clone()).await;
        let deja = Setup::new(&upstream.backend(upstream_api)).start().await;
        let before = deja.resident();
        let stream = deja.send(client, &client.streamed_question("Count.")).await;
        let mut frames = Frames::of(stream);
        frames.next_text().await;
        let after = deja.resident();
        assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
        gate.open();
        assert!(frames.rest().await.is_whole);
        let (status, text) = deja.answer(client, "Count.").await;
        assert!(status.contains("hit"), "{status}");
        assert_eq!(text, "one two");
    }
}

#[tokio::test]
async fn tiny_frames_count_with_the_memory_that_they_take() {
    let tiny = "data: {\"choices\":[]}\n\n".repeat(1000);
    let reply = Reply::frames(vec![tiny; 20]);
    let (_upstream, deja) = server(reply, "max_answer_bytes = \"1MiB\"\n", "").await;
    let stream = streamed(deja.chat(&API.streamed_question("Count.")).await).await;
    assert!(stream.has_failed());
    let message = &stream.error().expect("it is told")["message"];
    assert!(message.to_string().contains("1048576 bytes"), "{message}");
}

#[tokio::test]
async fn answers_share_the_memory_that_there_is_for_all() {
    let gate = Gate::closed();
    let held = gate.clone();
    let script = move |asked: &Asked| {
        let question = asked.json()["messages"][0]["content"].to_string();
        let length = if question.contains("Long") {
            300 << 10
        } else {
            10
        };
        let answer = Answer::text(&"x".repeat(length));
        if asked.wants_stream() {
            API.held_back(&answer, &held)
        } else {
            API.reply(asked, &answer)
        }
    };
    let upstream = Upstream::start(script).await;
    let server = "[server]\nmax_in_flight_bytes = \"400KiB\"\n";
    let settings = format!("{server}{}", upstream.backend(API));
    let deja = Setup::new(&settings).start().await;
    let mut stream = Frames::of(deja.chat(&API.streamed_question("Long.")).await);
    stream.next_text().await;
    let refused = deja.chat(&API.question("Long?")).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    deja.answer(API, "Short?").await;
    gate.open();
    assert!(stream.rest().await.is_whole);
    eventually("room", async || {
        deja.chat(&API.question("Long?")).await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn comments_for_ever_come_to_an_end() {
    let reply = Reply::frames(vec![": wait\n\n"; 3]).ending(Ending::Stall);
    let limit = "answer_timeout = \"500ms\"\n";
    let (upstream, deja) = server(reply, "", limit).await;
    let (stream, ()) = join(
        async { streamed(deja.chat(&API.streamed_question("Well?")).await).await },
        upstream.wait_for_deserted(1),
    )
    .await;
    assert!(stream.has_failed(), "{stream:?}");
    let message = &stream.error().expect("it is told")["message"];
    assert!(message.to_string().contains("after 0.5 s"), "{message}");
}

#[tokio::test]
async fn a_document_that_does_not_end_runs_out_of_time() {
    let reply = Reply::json(&json!({"choices": []})).promising_more(9);
    let limit = "answer_timeout = \"300ms\"\n";
    let (_upstream, deja) = server(reply.ending(Ending::Stall), "", limit).await;
    let reply = deja.chat(&API.question("Well?")).await;
    assert_eq!(reply.status(), 504);
}

#[tokio::test]
async fn a_document_of_too_many_values_is_passed_on_and_not_stored() {
    let mut document = API.document(&Answer::text("Yes."));
    document["x"] = vec![json!([[]]); 8000].into();
    let reply = Reply::json(&document);
    let limit = "max_parsed_body_bytes = \"4MiB\"\n";
    let (upstream, deja) = server(reply, limit, "").await;
    for _ in 0..2 {
        let answer: Value = whole(deja.chat(&API.question("Well?")).await).await;
        assert_eq!(answer, document);
    }
    assert_eq!(upstream.count(), 2);
}
