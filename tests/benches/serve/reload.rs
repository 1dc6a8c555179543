//! How long answers take while plugins are swapped. Requests come when it is their time, whatever
//! became of those before, and each must be answered.

use std::time::Duration;

use deja_tests::{Deja, variant};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, interval};

use crate::{
    bodies,
    report::{By, Comparison, Unit, quantile},
    server,
    upstream::Upstream,
};

const REQUESTS: usize = 30_000;

const REQUEST_EVERY: Duration = Duration::from_millis(1);

const SWAPS: u8 = 30;

const SWAP_EVERY: Duration = Duration::from_secs(1);

/// How many requests differ. Each is a miss again when the keyer is swapped.
const QUESTIONS: usize = 100;

const PLUGINS: [&str; 3] = ["claude-code", "lru", "standard"];

pub(crate) async fn measure(upstream: &Upstream) -> Vec<Comparison> {
    let deja = server::setup(upstream).start().await;
    eprintln!("reload, {REQUESTS} requests without it …");
    let mut calm = times(&deja).await;
    eprintln!("reload, {REQUESTS} requests and {SWAPS} swaps …");
    let (mut busy, ()) = tokio::join!(times(&deja), swap(&deja));
    assert_swapped(&deja).await;
    let comparison = |share: f64| Comparison {
        what: format!("1000/s with swaps, p{}: without", share * 100.0),
        unit: Unit::Milliseconds,
        deja: quantile(&mut busy, share),
        other: quantile(&mut calm, share),
        by: By::Difference,
        goal: None,
    };
    [0.5, 0.99, 0.999].map(comparison).into()
}

/// The times that answers take, from when the request was due, in milliseconds.
async fn times(deja: &Deja) -> Vec<f64> {
    let url = format!("{}/v1/chat/completions", deja.url());
    let client = deja_tests::client();
    let mut due = interval(REQUEST_EVERY);
    let mut answers = Vec::new();
    for number in 0..REQUESTS {
        let due = due.tick().await;
        let body = bodies::numbered(number % QUESTIONS, 1_000);
        answers.push(tokio::spawn(time(due, client.post(&url).json(&body))));
    }
    let mut times = Vec::new();
    for answer in answers {
        times.push(answer.await.expect("no request fails"));
    }
    times
}

async fn time(due: Instant, request: RequestBuilder) -> f64 {
    let reply = request.send().await;
    let reply = reply.and_then(Response::error_for_status);
    let answer = reply.expect("the server answers").bytes().await;
    assert!(!answer.expect("the answer comes").is_empty());
    due.elapsed().as_secs_f64() * 1000.0
}

/// Replaces one plugin after the other.
async fn swap(deja: &Deja) {
    let mut due = interval(SWAP_EVERY);
    for (number, plugin) in (0..SWAPS).zip(PLUGINS.into_iter().cycle()) {
        due.tick().await;
        deja.setup().drop_file(plugin, &variant(plugin, number));
    }
}

async fn assert_swapped(deja: &Deja) {
    let health = deja.health().await;
    let plugins = health["plugins"].as_array().expect("plugins are listed");
    let is_swapped = plugins.iter().all(|plugin| plugin["source"] != "built-in");
    assert!(is_swapped, "{health}");
}
