//! The worker process may die; the server and the cache live on.

use deja_tests::{Deja, QUESTION, long_question, question, streamed};
use rustix::process::Signal;

#[tokio::test]
async fn a_killed_worker_costs_the_answers_under_way_only() {
    let deja = Deja::start().await;
    let (_, before) = deja.ask(&question(QUESTION)).await;

    let reply = deja.chat(&long_question()).await;
    deja.signal_worker(Signal::KILL).await;
    let broken = streamed(reply).await;
    let error = broken
        .error()
        .unwrap_or_else(|| panic!("no error: {broken:?}"));
    assert_eq!(error["code"], "worker_lost", "{error}");
    assert!(!broken.is_whole);

    let (status, after) = deja.ask(&question(QUESTION)).await;
    assert!(status.contains("hit"), "{status}");
    assert_eq!(deja_tests::text(&after), deja_tests::text(&before));
    let (status, _) = deja.ask(&question("What is the capital of Italy?")).await;
    assert!(status.contains("fwd=miss; stored"), "{status}");
    let health = deja.health().await;
    assert_eq!(health["backend"]["worker"]["restarts"], 1);
    assert_eq!(health["cache"]["cached_items"], 2);
}

#[tokio::test]
async fn no_worker_outlives_its_server() {
    let deja = Deja::start().await;
    deja.signal(Signal::KILL);
    assert!(!deja.ended().await.success());
}
