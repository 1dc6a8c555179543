//! The requests: which are drawn, and how one is asked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deja_tests::{Api, client_builder};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, RequestBuilder};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{
    oracle::{Oracle, Verdict},
    question::{Question, Spelling},
    reply::{Manner, Reply, causes},
    tally::Tally,
};

/// How long a client waits for the whole of its reply. Whoever waits longer has lost its request.
const PATIENCE: Duration = Duration::from_mins(3);

/// A connection that waited this long is not used again: the server closes it some time later.
const IDLE: Duration = Duration::from_secs(10);

/// How long a client waits for the head that leaves before it.
const HASTE: Duration = Duration::from_millis(30);

/// How many requests run at once.
const AT_ONCE: usize = 128;

/// Asks the server.
pub(crate) struct Traffic {
    url: String,
    client: Client,
    oracle: Arc<Oracle>,
    tally: Arc<Tally>,
}

/// A request that is to be sent.
#[derive(Debug)]
struct Request {
    question: Question,
    spelling: Spelling,
    manner: Manner,
    /// What the request says of the cache, if anything.
    directive: Option<&'static str>,
}

impl Traffic {
    /// Traffic to the server at this address.
    pub(crate) fn new(url: &str, oracle: Arc<Oracle>, tally: Arc<Tally>) -> Self {
        let client = client_builder()
            .timeout(PATIENCE)
            .pool_idle_timeout(IDLE)
            .build();
        Self {
            url: url.to_owned(),
            client: client.expect("a client can be made"),
            oracle,
            tally,
        }
    }

    /// Sends so many requests in a second, until it is dropped or over.
    pub(crate) async fn run(self: Arc<Self>, seed: u64, rate: f64, end: impl Future<Output = ()>) {
        let mut draw = StdRng::seed_from_u64(seed);
        let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut running = JoinSet::new();
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                _ = due.tick() => {}
            }
            let question = Question::draw(&mut draw);
            // Some are asked by several callers at once.
            let callers = if draw.random_bool(0.04) { 4 } else { 1 };
            for _ in 0..callers {
                let request = Request::draw(question.clone(), &mut draw);
                let place = places.clone().acquire_owned().await;
                let place = place.expect("it is never closed");
                let traffic = self.clone();
                running.spawn(async move {
                    traffic.ask(request).await;
                    drop(place);
                });
            }
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    }

    /// Sends a request, and counts what becomes of it.
    async fn ask(&self, request: Request) {
        let asked = Instant::now();
        let (verdict, cache_status) = match self.send(&request).await {
            None => (Verdict::Left, String::new()),
            Some(Err(error)) => (Verdict::Lost(causes(&error)), String::new()),
            Some(Ok(reply)) => {
                let Request {
                    question, spelling, ..
                } = &request;
                let verdict = self.oracle.judge(question, *spelling, asked, &reply);
                (verdict, reply.cache_status)
            }
        };
        self.tally
            .count(&request.question.kind(), &cache_status, &verdict);
        self.tally.explain(&verdict, || {
            format!("{:?} {cache_status} {request:?}", asked.elapsed())
        });
    }

    /// The reply to a request; nothing where the client left before it began.
    async fn send(&self, request: &Request) -> Option<reqwest::Result<Reply>> {
        let sent = self.post(request).send();
        let response = match request.manner {
            Manner::Leaving(0) => timeout(HASTE, sent).await.ok()?,
            Manner::Eager | Manner::Slow(_) | Manner::Leaving(_) => sent.await,
        };
        match response {
            Ok(response) => Some(Ok(Reply::read(response, request.manner).await)),
            Err(error) => Some(Err(error)),
        }
    }

    fn post(&self, request: &Request) -> RequestBuilder {
        let question = &request.question;
        let body = question.body(request.spelling).to_string();
        let url = format!("{}{}", self.url, question.call.path());
        let mut post = self.client.post(url).body(body);
        post = post.header("content-type", "application/json");
        if let Some(key) = question.caller {
            post = match question.call.api() {
                Api::OpenAi => post.bearer_auth(key),
                Api::Anthropic => post.header("x-api-key", key),
            };
        }
        if let Some(organization) = question.organization {
            post = post.header("openai-organization", organization.to_string());
        }
        if let Some(directive) = request.directive {
            post = post.header("cache-control", directive);
        }
        post
    }
}

impl Request {
    fn draw(question: Question, draw: &mut StdRng) -> Self {
        let spelling = Spelling {
            stream: question.call.streams() && draw.random_bool(0.5),
            usage: draw.random_bool(0.5),
            odd: question.size == 0 && draw.random_bool(0.2),
        };
        let manner = match draw.random_range(0..100) {
            0..4 => Manner::Leaving(draw.random_range(0..4)),
            4..7 => Manner::Slow(draw.random_range(1..100)),
            _ => Manner::Eager,
        };
        let directive = match draw.random_range(0..100) {
            0..2 => Some("no-cache"),
            2..4 => Some("no-store"),
            4..6 => Some("only-if-cached"),
            6..8 => Some("max-age=5"),
            _ => None,
        };
        Self {
            question,
            spelling,
            manner,
            directive,
        }
    }
}
