//! Counts what a cache does with a workload.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::workload::{Request, Workload};

/// Parts of the counted time over which the hit rate is shown.
const WINDOWS: u64 = 100;

/// Something that decides which requests are hits.
pub(super) trait Model {
    /// Decides about the next request, by its number.
    fn request(&mut self, number: u32) -> Outcome;

    /// What has left so far.
    fn removals(&self) -> Removals;
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By the answer that this request brought.
    Hit {
        /// Its number.
        by: u32,
    },
    /// By the model.
    Miss,
    /// By the model, because a keyer wants the cache left out.
    Bypass,
}

/// What left the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removals {
    pub(super) evictions: u64,
    /// Evictions that the host chose.
    pub(super) by_host: u64,
    pub(super) expired: u64,
}

/// All that is counted, after the warm-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Those that the cache answers.
    pub hits: u64,
    /// Those for which a keyer wants the cache left out.
    pub bypassed: u64,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Bytes of the answers of hits.
    pub hit_bytes: u64,
    /// Milliseconds that all answers took to make.
    pub cost_ms: u64,
    /// Milliseconds that hits save.
    pub saved_ms: u64,
    /// Tokens of all prompts and answers.
    pub tokens: u64,
    /// Tokens of prompts and answers that hits save.
    pub saved_tokens: u64,
    /// Entries evicted.
    pub evictions: u64,
    /// Evictions that the host chose because the policy failed or named too few.
    pub host_evictions: u64,
    /// Entries that outlived their time.
    pub expired: u64,
}

impl Counts {
    /// The share of requests that are hits.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        share(self.hits, self.requests)
    }

    /// The share of bytes that are of hits.
    #[must_use]
    pub fn byte_hit_rate(&self) -> f64 {
        share(self.hit_bytes, self.bytes)
    }

    fn add(&mut self, request: &Request, outcome: Outcome, brought: Option<&Request>) {
        self.requests += 1;
        self.bytes += request.bytes;
        self.cost_ms += u64::from(request.cost_ms);
        self.tokens += tokens(request);
        self.bypassed += u64::from(outcome == Outcome::Bypass);
        if let Some(brought) = brought {
            self.hits += 1;
            self.hit_bytes += request.bytes;
            self.saved_ms += u64::from(brought.cost_ms);
            self.saved_tokens += tokens(brought);
        }
    }
}

fn tokens(request: &Request) -> u64 {
    u64::from(request.prompt_tokens) + u64::from(request.output_tokens)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "shares are shown in a few digits"
)]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// A part of the counted time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When its first request came, in the trace's own time.
    pub at_ms: u64,
    /// Requests in it.
    pub requests: u64,
    /// Hits in it.
    pub hits: u64,
}

/// What a cache did.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) counts: Counts,
    pub(super) windows: Vec<Window>,
    /// The hits, each with the request that brought its answer.
    pub(super) hits: Vec<(u32, u32)>,
    pub(super) requests_per_second: f64,
}

/// Has a cache see all requests, and counts from request number `warmup` on. Which requests were
/// hits is kept only where somebody wants to look at them.
pub(super) fn measure(
    model: &mut impl Model,
    workload: &Workload,
    warmup: usize,
    keep_hits: bool,
) -> Measured {
    let (mut counts, mut windows, mut hits) = (Counts::default(), Vec::new(), Vec::new());
    let start = Instant::now();
    let mut before = Removals::default();
    let counted = (workload.requests.len() - warmup) as u64;
    let window = counted.div_ceil(WINDOWS).max(1);
    for (number, request) in (0..).zip(&workload.requests) {
        let warm = number as usize >= warmup;
        if number as usize == warmup {
            before = model.removals();
        }
        let outcome = model.request(number);
        if !warm {
            continue;
        }
        if counts.requests.is_multiple_of(window) {
            windows.push(Window {
                at_ms: request.at_ms,
                ..Window::default()
            });
        }
        let brought = match outcome {
            Outcome::Hit { by } => Some(by),
            Outcome::Miss | Outcome::Bypass => None,
        };
        counts.add(
            request,
            outcome,
            brought.map(|by| &workload.requests[by as usize]),
        );
        let window = windows.last_mut().expect("the first request opened one");
        window.requests += 1;
        window.hits += u64::from(brought.is_some());
        hits.extend(brought.filter(|_| keep_hits).map(|by| (number, by)));
    }
    let seconds = start.elapsed().as_secs_f64().max(f64::EPSILON);
    let after = model.removals();
    counts.evictions = after.evictions - before.evictions;
    counts.host_evictions = after.by_host - before.by_host;
    counts.expired = after.expired - before.expired;
    Measured {
        counts,
        windows,
        hits,
        requests_per_second: share(workload.requests.len() as u64, 1) / seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{
        simulator::{HostOrder, Simulator},
        testing::{entries, workload},
    };

    #[test]
    fn what_comes_in_the_warm_up_counts_not() {
        let workload = workload([1, 2, 3, 1, 2, 3, 3]);
        let simulator = || Simulator::new(&workload, Box::new(HostOrder), entries(2), None);
        let cold = measure(&mut simulator(), &workload, 0, true);
        assert_eq!((cold.counts.requests, cold.counts.hits), (7, 1));
        assert_eq!((cold.counts.evictions, cold.hits), (4, vec![(6, 5)]));
        let warm = measure(&mut simulator(), &workload, 5, false);
        assert_eq!((warm.counts.requests, warm.counts.hits), (2, 1));
        assert_eq!(warm.counts.evictions, 1);
        assert_eq!((warm.windows.len(), warm.hits), (2, vec![]));
    }
}
