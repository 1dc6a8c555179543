//! What Deja adds to a miss, beside asking the upstream directly.

use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    bodies,
    report::{By, Comparison, Goal, Unit, quantile},
    server,
    upstream::Upstream,
};

/// Requests that are timed, after as many that are not.
const REQUESTS: usize = 2000;

/// How long a first chunk may take that does not wait for the others.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to a server, and the times that its answers took, in milliseconds.
struct Route {
    client: Client,
    url: String,
    times: Vec<f64>,
}

pub(crate) async fn measure(upstream: &Upstream) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (bytes, goal) in [(1_000, 0.3), (50_000, 1.0)] {
        comparisons.extend(whole(upstream, bytes, goal).await);
    }
    comparisons.extend(streamed(upstream).await);
    comparisons
}

/// Times whole answers.
async fn whole(upstream: &Upstream, bytes: usize, goal: f64) -> [Comparison; 2] {
    let size = bodies::size(bytes);
    eprintln!("misses, request of {size} …");
    let deja = server::setup(upstream).start().await;
    let mut routes = Route::both(deja.url(), upstream);
    let asked = upstream.requests();
    for number in 0..2 * REQUESTS {
        let body = bodies::numbered(number, bytes);
        for route in &mut routes {
            route.time_whole(&body).await;
        }
    }
    assert_eq!(
        upstream.requests() - asked,
        4 * REQUESTS as u64,
        "some were no misses"
    );
    let goals = [(0.5, Some(Goal::AtMost(goal))), (0.99, None)];
    compare(&format!("miss, request of {size}"), &mut routes, goals)
}

/// Times the first chunk of streams. The upstream sends no other before the client has it: a proxy
/// that collects chunks would not come to its end.
async fn streamed(upstream: &Upstream) -> [Comparison; 2] {
    eprintln!("misses, streamed …");
    let deja = server::setup(upstream).start().await;
    let mut routes = Route::both(deja.url(), upstream);
    for number in 0..2 * REQUESTS {
        let mut body = bodies::numbered(number, 1_000);
        body["stream"] = true.into();
        for route in &mut routes {
            route.time_first_chunk(&body, upstream).await;
        }
    }
    let goals = [(0.5, None), (0.99, None)];
    compare("first chunk of a stream", &mut routes, goals)
}

fn compare(
    what: &str,
    routes: &mut [Route; 2],
    goals: [(f64, Option<Goal>); 2],
) -> [Comparison; 2] {
    let [deja, direct] = routes;
    goals.map(|(share, goal)| Comparison {
        what: format!("{what}, p{:.0}: direct", share * 100.0),
        unit: Unit::Milliseconds,
        deja: quantile(&mut deja.times[REQUESTS..], share),
        other: quantile(&mut direct.times[REQUESTS..], share),
        by: By::Difference,
        goal,
    })
}

impl Route {
    /// The way through Deja, and the direct one.
    fn both(deja: &str, upstream: &Upstream) -> [Self; 2] {
        [deja, &upstream.url()].map(|url| Self {
            client: deja_tests::client(),
            url: format!("{url}/v1/chat/completions"),
            times: Vec::new(),
        })
    }

    async fn time_whole(&mut self, body: &Value) {
        let started = Instant::now();
        let reply = self.ask(body).await;
        let answer = reply.bytes().await.expect("the answer comes");
        self.times.push(milliseconds(started));
        assert!(!answer.is_empty());
    }

    async fn time_first_chunk(&mut self, body: &Value, upstream: &Upstream) {
        let started = Instant::now();
        let mut reply = self.ask(body).await;
        let chunk = timeout(PATIENCE, reply.chunk()).await;
        self.times.push(milliseconds(started));
        let chunk = chunk.expect("the first chunk waits for no other");
        assert!(chunk.expect("the stream goes on").is_some());
        upstream.release();
        let rest = reply.text().await.expect("the answer comes");
        assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    }

    async fn ask(&self, body: &Value) -> Response {
        let reply = self.client.post(&self.url).json(body).send().await;
        reply
            .and_then(Response::error_for_status)
            .expect("the server answers")
    }
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}
