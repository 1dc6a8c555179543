//! The server stops when it is told to, and loses nothing on the way.

use deja_tests::{Answer, Api, Deja, Setup, Upstream, long_question, streamed};
use rustix::process::Signal;

const API: Api = Api::OpenAi;

#[tokio::test]
async fn an_answer_under_way_ends_whole() {
    for signal in [Signal::TERM, Signal::INT] {
        let deja = Deja::start().await;
        let mut request = long_question();
        request["max_tokens"] = 40.into();
        let reply = deja.chat(&request).await;
        deja.signal(signal);
        let answer = streamed(reply).await;
        assert!(answer.is_whole, "{answer:?}\n{}", deja.log());
        assert!(deja.ended().await.success());
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let deja = Deja::start().await;
    let mut reply = deja.chat(&long_question()).await;
    deja.signal(Signal::INT);
    deja.wait_for_log("waiting for connections").await;
    deja.signal(Signal::INT);
    while let Ok(Some(_)) = reply.chunk().await {}
    assert!(deja.ended().await.success());
}

#[tokio::test]
async fn the_end_of_the_log_is_written() {
    const REQUESTS: usize = 50;
    for signals in 1..=2 {
        let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
        let deja = Setup::new(&upstream.backend(API)).start().await;
        for _ in 0..REQUESTS {
            deja.answer(API, "Is it so?").await;
        }
        for _ in 0..signals {
            deja.signal(Signal::INT);
        }
        let (status, log) = deja.ended_with_log().await;
        assert!(status.success(), "{log}");
        assert_eq!(log.matches("answered endpoint=").count(), REQUESTS, "{log}");
        assert!(log.trim_end().contains("stopped"), "{log}");
    }
}
