//! From the requests to the numbers.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    near_misses::{NearMisses, near_misses},
    parts::{Chunk, Paths},
    prefix::{Lately, SharedPrefix},
    ranking::{Count, ranked},
    request::Request,
};

/// What only whole requests tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Requests {
    /// When the first came and when the last, in milliseconds since the epoch; none where the trace
    /// does not tell.
    pub span_ms: Option<(u64, u64)>,
    /// What was asked more than once, most often first.
    pub repeats: Vec<Repeat>,
    /// Messages of a request.
    pub messages: Spread,
    /// Tools that a request offers.
    pub tools: Spread,
    /// The tools that are offered, by the number of requests.
    pub tools_offered: Vec<Count>,
    /// The tools that are used, by the number of calls.
    pub tools_used: Vec<Count>,
    /// How long first requests and repeats took.
    pub latencies: Latencies,
    /// What a cache would have saved.
    pub savings: Savings,
    /// Requests that a keyer wants left out of the cache, or whose keyer failed.
    pub bypassed: u64,
    /// Requests that were not answered, by the reason.
    pub errors: Vec<Count>,
    /// Requests that nearly ask what another asked.
    pub near_misses: NearMisses,
}

/// A request that came more than once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeat {
    /// The model that was asked for.
    pub model: String,
    /// When it came each time, in milliseconds since the epoch.
    pub at_ms: Vec<u64>,
    /// Its messages.
    pub messages: usize,
    /// The tools that it offers.
    pub tools: usize,
}

/// Least, mean and most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: usize,
    /// The mean.
    pub mean: f64,
    /// The most.
    pub max: usize,
}

/// Mean latencies in milliseconds, where the trace tells them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    /// Of those who asked first.
    pub first_ms: Option<f64>,
    /// Of those who asked again.
    pub repeat_ms: Option<f64>,
}

/// What a cache would have saved: of each repeat, what the first answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Savings {
    /// Milliseconds; none where the trace does not tell.
    pub ms: Option<u64>,
    /// Tokens of prompts and answers.
    pub tokens: u64,
}

/// How many ask something of their own. Those that the cache is to be left out of are all such.
pub(super) fn unique(requests: &[Request]) -> u64 {
    firsts(requests).count() as u64
}

/// How many an earlier answer would have answered.
pub(super) fn potential_hits(requests: &[Request]) -> u64 {
    hits(requests).len() as u64
}

/// The requests that come first with their key.
fn firsts(requests: &[Request]) -> impl Iterator<Item = &Request> {
    let mut seen = HashSet::new();
    let is_first = move |request: &&Request| request.key.is_none_or(|key| seen.insert(key));
    requests.iter().filter(is_first)
}

/// The requests that an earlier answer would have answered, each with whose answer that is.
fn hits(requests: &[Request]) -> Vec<(&Request, &Request)> {
    let mut answered: HashMap<u64, &Request> = HashMap::new();
    let mut hits = Vec::new();
    for request in requests {
        let Some(key) = request.key else { continue };
        if let Some(first) = answered.get(&key) {
            hits.push((request, *first));
        } else if request.error.is_none() {
            answered.insert(key, request);
        }
    }
    hits
}

/// Adds how much of each prompt is the beginning of one before, of the same caller and model.
pub(super) fn shared_prefix(requests: &[Request], mut prefix: SharedPrefix) -> SharedPrefix {
    let mut before: HashMap<(u64, &str), Lately<&[Chunk]>> = HashMap::new();
    for request in requests {
        let lately = before.entry((request.scope, &request.model)).or_default();
        let prompt = &request.parts.prompt[..];
        let bytes = |chunks: &[Chunk]| chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum();
        if let Some(shared) = lately.longest_prefix(prompt) {
            prefix.add(bytes(&prompt[..shared]), bytes(prompt));
        }
        lately.push(prompt);
    }
    prefix
}

pub(super) fn summary(requests: &[Request], paths: &Paths) -> Requests {
    let hits = hits(requests);
    let firsts: Vec<_> = firsts(requests).collect();
    let times = requests
        .iter()
        .map(|request| request.at_ms)
        .filter(|at| *at > 0);
    let span_ms = times.clone().min().zip(times.max());
    let names = |of: fn(&Request) -> &Vec<Box<str>>| {
        ranked(requests.iter().flat_map(of).map(|name| &**name))
    };
    Requests {
        span_ms,
        repeats: repeats(requests),
        messages: spread(requests.iter().map(|request| request.messages)),
        tools: spread(requests.iter().map(|request| request.offered.len())),
        tools_offered: names(|request| &request.offered),
        tools_used: names(|request| &request.used),
        latencies: latencies(&firsts, &hits),
        savings: savings(&hits),
        bypassed: requests
            .iter()
            .filter(|request| request.key.is_none())
            .count() as u64,
        errors: ranked(
            requests
                .iter()
                .filter_map(|request| request.error.as_deref()),
        ),
        near_misses: near_misses(&firsts, paths),
    }
}

fn repeats(requests: &[Request]) -> Vec<Repeat> {
    let mut by_key: HashMap<u64, Vec<&Request>> = HashMap::new();
    for request in requests {
        if let Some(key) = request.key {
            by_key.entry(key).or_default().push(request);
        }
    }
    by_key.retain(|_, same| same.len() > 1);
    let mut repeats: Vec<_> = by_key
        .into_values()
        .map(|same| Repeat {
            model: same[0].model.to_string(),
            at_ms: same.iter().map(|request| request.at_ms).collect(),
            messages: same[0].messages,
            tools: same[0].offered.len(),
        })
        .collect();
    repeats.sort_by(|one, other| {
        let by_count = other.at_ms.len().cmp(&one.at_ms.len());
        by_count.then_with(|| one.at_ms.cmp(&other.at_ms))
    });
    repeats
}

fn spread(counts: impl Iterator<Item = usize>) -> Spread {
    let counts: Vec<_> = counts.collect();
    let sum: usize = counts.iter().sum();
    Spread {
        min: counts.iter().copied().min().unwrap_or_default(),
        mean: super::rate(sum as u64, counts.len() as u64),
        max: counts.iter().copied().max().unwrap_or_default(),
    }
}

fn latencies(firsts: &[&Request], hits: &[(&Request, &Request)]) -> Latencies {
    let mean = |requests: &mut dyn Iterator<Item = &Request>| {
        let answered = requests.filter(|request| request.error.is_none());
        let latencies: Vec<_> = answered.filter_map(|request| request.latency_us).collect();
        let sum = latencies.iter().sum();
        (!latencies.is_empty()).then(|| super::rate(sum, latencies.len() as u64) / 1000.0)
    };
    Latencies {
        first_ms: mean(&mut firsts.iter().copied()),
        repeat_ms: mean(&mut hits.iter().map(|(request, _)| *request)),
    }
}

fn savings(hits: &[(&Request, &Request)]) -> Savings {
    let costs = hits.iter().filter(|(_, first)| !first.was_hit);
    let us = costs
        .filter_map(|(_, first)| first.latency_us)
        .reduce(u64::saturating_add);
    Savings {
        ms: us.map(|us| us / 1000),
        tokens: hits.iter().map(|(_, first)| first.tokens).sum(),
    }
}
