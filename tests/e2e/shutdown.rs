//! The server stops when it is told to, and loses nothing on the way.

use deja_tests::{Deja, long_question, streamed};
use rustix::process::Signal;

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
