//! What entries and connections take of Deja's memory.

use std::ops::Range;

use deja_tests::Deja;
use futures_util::future::join_all;
use reqwest::{Client, Method, Response};

use crate::{
    bodies,
    report::{By, Comparison, Goal, Unit},
    server,
    upstream::Upstream,
};

const ENTRIES: usize = 100_000;

/// Entries that are stored first, so that Deja has what it needs once: buffers, instances, threads.
const WARM_UP: usize = 1000;

/// How many clients fill the cache at the same time.
const CLIENTS: usize = 8;

const CONNECTIONS: usize = 2000;

const MEBIBYTE: f64 = 1_048_576.0;

pub(crate) async fn measure(upstream: &Upstream) -> Vec<Comparison> {
    vec![entries(upstream).await, connections(upstream).await]
}

/// The process's growth by entries, beside the growth that the cache counts.
async fn entries(upstream: &Upstream) -> Comparison {
    eprintln!("memory, {ENTRIES} entries …");
    let deja = server::setup(upstream).start().await;
    fill(&deja, 0..WARM_UP).await;
    let before = (deja.resident(), metric(&deja, "deja_cache_bytes").await);
    let asked = upstream.requests();
    fill(&deja, WARM_UP..WARM_UP + ENTRIES).await;
    assert_eq!(upstream.requests() - asked, ENTRIES as u64);
    let after = (deja.resident(), metric(&deja, "deja_cache_bytes").await);
    Comparison {
        what: format!("memory, {ENTRIES} entries: what they count"),
        unit: Unit::Mebibytes,
        deja: after.0 - before.0,
        other: (after.1 - before.1) / MEBIBYTE,
        by: By::Ratio,
        goal: Some(Goal::AtMost(1.5)),
    }
}

/// The process with many connections that have been answered and wait, beside itself without them.
async fn connections(upstream: &Upstream) -> Comparison {
    eprintln!("memory, {CONNECTIONS} connections …");
    let deja = server::setup(upstream).start().await;
    fill(&deja, 0..WARM_UP).await;
    let without = deja.resident();
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| deja_tests::client()).collect();
    for client in &clients {
        ask(client, &deja, 0).await;
    }
    let with = deja.resident();
    drop(clients);
    Comparison {
        what: format!("memory, {CONNECTIONS} idle connections: none"),
        unit: Unit::Mebibytes,
        deja: with,
        other: without,
        by: By::Difference,
        goal: Some(Goal::AtMost(64.0)),
    }
}

/// Has questions with these numbers asked, by several clients.
async fn fill(deja: &Deja, numbers: Range<usize>) {
    let client = |first| {
        let numbers = numbers.clone().skip(first).step_by(CLIENTS);
        async move {
            let client = deja_tests::client();
            for number in numbers {
                ask(&client, deja, number).await;
            }
        }
    };
    join_all((0..CLIENTS).map(client)).await;
}

async fn ask(client: &Client, deja: &Deja, number: usize) {
    let url = format!("{}/v1/chat/completions", deja.url());
    let request = client.post(url).json(&bodies::numbered(number, 200));
    let reply = request.send().await;
    let reply = reply
        .and_then(Response::error_for_status)
        .expect("the server answers");
    reply.bytes().await.expect("the answer comes");
}

/// A number of `/metrics` that has no labels.
async fn metric(deja: &Deja, name: &str) -> f64 {
    let reply = deja.request(Method::GET, "/metrics").send().await;
    let text = reply.expect("the server answers").text().await;
    let text = text.expect("the answer comes");
    let number = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    let number = text.lines().find_map(number);
    number.unwrap_or_else(|| panic!("no {name} in:\n{text}"))
}
