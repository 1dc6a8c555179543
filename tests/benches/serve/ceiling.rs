//! What a short hit costs beside a reply that hyper alone gives, and what a line in the log for each
//! hit costs, beside nginx with and without its own. All logs go to `/dev/null`.

use bytes::Bytes;
use hyper::HeaderMap;

use crate::{
    bodies,
    load::{Load, ROUNDS, TRIES},
    nginx::{AccessLog, Nginx},
    plain::{Plain, Threads},
    report::{By, Comparison, Goal, Unit, quantile},
    server,
    upstream::Upstream,
};

const PATH: &str = "/v1/chat/completions";

/// The servers, by their places in the list of all.
const LOGGED: usize = 0;
const UNLOGGED: usize = 1;
const NGINX_LOGGED: usize = 2;
const NGINX_UNLOGGED: usize = 3;
const HYPER: usize = 4;
const HYPER_PER_CORE: usize = 5;

pub(crate) async fn measure(upstream: &Upstream) -> Vec<Comparison> {
    let body = bodies::short();
    eprintln!("hits and logs, request of {} …", bodies::size(body.len()));
    let [quiet, logging] = server::quiet_and_logging(upstream).await;
    let nginx = [AccessLog::On, AccessLog::Off].map(|log| Nginx::start(upstream.address(), log));
    for url in [quiet.url(), logging.url(), &nginx[0].url(), &nginx[1].url()] {
        for _ in 0..TRIES {
            reply(url, &body).await;
        }
    }
    let (headers, document) = reply(quiet.url(), &body).await;
    let plain = [Threads::Shared, Threads::PerCore]
        .map(|threads| Plain::start(threads, &headers, &document));
    let urls = [
        logging.url().to_owned(),
        quiet.url().to_owned(),
        nginx[0].url(),
        nginx[1].url(),
        plain[0].url(),
        plain[1].url(),
    ];
    let asked = upstream.requests();
    let rates = rates(&urls, &body).await;
    assert_eq!(upstream.requests(), asked, "a cache does not remember");
    let dropped = &logging.health().await["log"]["dropped"];
    eprintln!("lines that the log dropped: {dropped}");
    comparisons(&rates)
}

/// Requests in a second at each address: the median of some rounds, in which all take turns.
async fn rates(urls: &[String], body: &[u8]) -> Vec<f64> {
    let load = Load::new(PATH, body);
    let mut rates = vec![Vec::new(); urls.len()];
    for _ in 0..ROUNDS {
        for (url, rates) in urls.iter().zip(&mut rates) {
            rates.push(load.rate(url).await);
        }
    }
    let median = |rates: &mut Vec<f64>| quantile(rates, 0.5);
    rates.iter_mut().map(median).collect()
}

fn comparisons(rates: &[f64]) -> Vec<Comparison> {
    let goal = Some(Goal::AtLeast(0.9));
    let rows = [
        ("logged: not logged", LOGGED, UNLOGGED, goal),
        ("logged: nginx, logged", LOGGED, NGINX_LOGGED, goal),
        (
            "not logged: nginx, not logged",
            UNLOGGED,
            NGINX_UNLOGGED,
            None,
        ),
        ("not logged: hyper alone", UNLOGGED, HYPER, None),
        (
            "not logged: hyper, a runtime a core",
            UNLOGGED,
            HYPER_PER_CORE,
            None,
        ),
    ];
    let comparison = |(what, deja, other, goal): (_, usize, usize, _)| Comparison {
        what: format!("short hits, {what}"),
        unit: Unit::PerSecond,
        deja: rates[deja],
        other: rates[other],
        by: By::Ratio,
        goal,
    };
    rows.into_iter().map(comparison).collect()
}

/// What a server replies to the question.
async fn reply(url: &str, body: &[u8]) -> (HeaderMap, Bytes) {
    let reply = server::post(url, PATH, body).await;
    let headers = reply.headers().clone();
    (headers, reply.bytes().await.expect("the answer comes"))
}
