//! How many hits in a second, beside nginx with the same answers in its cache.

use crate::{
    bodies,
    load::{Load, ROUNDS, TRIES},
    nginx::{AccessLog, Nginx},
    report::{By, Comparison, Goal, Unit, quantile},
    server,
    upstream::Upstream,
};

/// About the longest request that nginx can remember: it keeps the length of a key in 16 bits. A
/// longer one it passes on, each time.
const NGINX_LIMIT: usize = 60_000;

/// A question that is asked over and over.
struct Question {
    path: &'static str,
    body: Vec<u8>,
    goal: Option<Goal>,
}

/// A server with the answer, and how many requests in a second it has answered in each round.
struct Cache<'a> {
    url: String,
    upstream: &'a Upstream,
    /// By which it tells what it did.
    header: &'static str,
    /// Whether the answer comes from its memory.
    hits: bool,
    rates: Vec<f64>,
}

pub(crate) async fn measure(upstream: &Upstream) -> Vec<Comparison> {
    let chat = Question {
        path: "/v1/chat/completions",
        body: bodies::short(),
        goal: Some(Goal::AtLeast(0.6)),
    };
    let agent = |bytes, goal| Question {
        path: "/v1/messages",
        body: bodies::agent(bytes),
        goal,
    };
    let questions = [
        chat,
        agent(NGINX_LIMIT, None),
        agent(146_000, Some(Goal::AtLeast(4.0))),
    ];
    let mut comparisons = Vec::new();
    for question in &questions {
        comparisons.extend(compare(upstream, question).await);
    }
    comparisons
}

async fn compare(upstream: &Upstream, question: &Question) -> [Comparison; 2] {
    eprintln!("hits, request of {} …", bodies::size(question.body.len()));
    let upstream_of_nginx = Upstream::start().await;
    let nginx = Nginx::start(upstream_of_nginx.address(), AccessLog::Off);
    let [deja, logging] = server::quiet_and_logging(upstream).await;
    let mut caches = [
        Cache::new(&nginx.url(), &upstream_of_nginx, "x-cache-status"),
        Cache::new(deja.url(), upstream, "cache-status"),
        Cache::new(logging.url(), upstream, "cache-status"),
    ];
    for cache in &mut caches {
        cache.warm(question).await;
    }
    let is_held = caches[1..].iter().all(|deja| deja.hits);
    assert!(is_held, "Deja does not remember");
    time(&mut caches, question).await;
    comparisons(question, caches)
}

fn comparisons(question: &Question, caches: [Cache<'_>; 3]) -> [Comparison; 2] {
    let size = bodies::size(question.body.len());
    let peer = if caches[0].hits {
        "nginx"
    } else {
        "nginx, no hit"
    };
    let [nginx, deja, logging] = caches.map(Cache::median);
    let comparison = |what, deja, goal| Comparison {
        what: format!("hits, request of {size}{what}: {peer}"),
        unit: Unit::PerSecond,
        deja,
        other: nginx,
        by: By::Ratio,
        goal,
    };
    [
        comparison("", deja, question.goal),
        comparison(", logged", logging, None),
    ]
}

/// Puts load on one after the other, again and again.
async fn time(caches: &mut [Cache<'_>], question: &Question) {
    let load = Load::new(question.path, &question.body);
    for _ in 0..ROUNDS {
        for cache in &mut *caches {
            let asked = cache.upstream.requests();
            cache.rates.push(load.rate(&cache.url).await);
            let is_spared = cache.upstream.requests() == asked;
            assert_eq!(cache.hits, is_spared, "the cache does not do what it says");
        }
    }
}

impl<'a> Cache<'a> {
    fn new(url: &str, upstream: &'a Upstream, header: &'static str) -> Self {
        Self {
            url: url.to_owned(),
            upstream,
            header,
            hits: false,
            rates: Vec::new(),
        }
    }

    /// Gives it the answer to remember, and sees whether it does.
    async fn warm(&mut self, question: &Question) {
        for _ in 0..TRIES {
            self.hits |= self.status(question).await.contains("hit");
        }
    }

    /// Asks once, and reads what the cache did.
    async fn status(&self, question: &Question) -> String {
        let reply = server::post(&self.url, question.path, &question.body).await;
        let status = reply.headers().get(self.header);
        let status = status.expect("a cache says what it did").to_str();
        let status = status.expect("it is text").to_ascii_lowercase();
        reply.bytes().await.expect("the answer comes");
        status
    }

    fn median(mut self) -> f64 {
        quantile(&mut self.rates, 0.5)
    }
}
