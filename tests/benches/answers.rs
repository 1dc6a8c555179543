//! How long a client waits: for the model, and for the cache. In one run, over one connection.
//!
//! `cargo xtask bench answers` runs it.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use deja_tests::{Deja, QUESTION, question};
use serde_json::Value;

/// Hits that are timed, after as many that are not.
const HITS: usize = 2000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let deja = Deja::start().await;
    println!("{:<32}{:>12}{:>12}{:>12}", "", "p50", "p99", "max");

    let questions = ["Italy", "Spain", "Norway", "Japan", "Peru"]
        .map(|country| question(&format!("What is the capital of {country}?")));
    let mut times = Vec::new();
    for question in &questions {
        times.push(timed(&deja, question, "fwd=miss").await);
    }
    print("miss: the model answers", &mut times);

    let short = question(QUESTION);
    let long = question(&"What is the capital of France? ".repeat(200));
    let mut stream = short.clone();
    stream["stream"] = true.into();
    for (what, request) in [
        ("hit", &short),
        ("hit, streamed", &stream),
        ("hit, 6 KB request", &long),
    ] {
        deja.chat(request)
            .await
            .bytes()
            .await
            .expect("the answer comes");
        let mut times = Vec::new();
        for _ in 0..2 * HITS {
            times.push(timed(&deja, request, "hit").await);
        }
        print(what, &mut times[HITS..]);
    }
}

/// The time from the request to the last byte of its answer.
async fn timed(deja: &Deja, request: &Value, expected: &str) -> Duration {
    let started = Instant::now();
    let reply = deja.chat(request).await;
    let status = deja_tests::cache_status(&reply);
    reply.bytes().await.expect("the answer comes");
    let time = started.elapsed();
    assert!(status.contains(expected), "{status}");
    time
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of a few thousand"
        )]
        let index = ((times.len() - 1) as f64 * share).round() as usize;
        format!("{:.2} ms", times[index].as_secs_f64() * 1000.0)
    };
    println!("{what:<32}{:>12}{:>12}{:>12}", at(0.5), at(0.99), at(1.0));
}
