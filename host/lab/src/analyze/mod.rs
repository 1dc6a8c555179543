//! What a trace says about caching: how much repeats, how much nearly does, and what that costs.

mod near_misses;
mod parts;
mod prefix;
mod ranking;
mod report;
mod request;
mod summary;
#[cfg(test)]
mod tests;
mod tools;

use std::{collections::HashMap, fs};

use deja_cache::KeyerChain;
use deja_trace::{AccessFile, BlockFile, RequestFile, Skipped, Trace};
use rayon::prelude::*;
use serde::Serialize;

pub use near_misses::NearMisses;
pub use ranking::Count;
pub use report::report;
pub use summary::{Latencies, Repeat, Requests, Savings, Spread};

use parts::Paths;
use prefix::{Lately, SharedPrefix};
use request::Request;

/// Parts that were passed over and are told of one by one.
const SKIPPED_SHOWN: usize = 10;

/// What a trace says about caching.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Requests, or accesses.
    pub requests: u64,
    /// Those that ask something of their own.
    pub unique: u64,
    /// Those that an earlier answer would have answered. A request that failed leaves no answer.
    pub potential_hits: u64,
    /// Their share, from 0 to 1.
    pub hit_rate: f64,
    /// Parts of the trace that could not be read and were passed over.
    pub skipped: u64,
    /// The first of them, with the reasons.
    pub skipped_first: Vec<String>,
    /// The share of prompts that is the beginning of another one shortly before; none where the trace
    /// does not tell.
    pub shared_prefix: Option<f64>,
    /// What only whole requests tell.
    pub details: Option<Requests>,
}

/// Analyses traces under the keys that these keyers make. `progress` is told the bytes of each file
/// that was read.
#[must_use]
pub fn analyze(traces: &[Trace], keyers: &KeyerChain, progress: &(dyn Fn(u64) + Sync)) -> Analysis {
    let mut gathered = Gathered::default();
    for trace in traces {
        gathered = gathered.with(match trace {
            Trace::Requests(files) => requests(files, keyers, progress),
            Trace::Blocks(file) => blocks(file, progress),
            Trace::Accesses(file) => accesses(file, progress),
        });
    }
    gathered.analysis()
}

/// The bytes of all files of these traces, as they lie on the disk.
#[must_use]
pub fn bytes(traces: &[Trace]) -> u64 {
    let bytes = |trace: &Trace| match trace {
        Trace::Requests(files) => files.iter().map(|file| size(file.path())).sum(),
        Trace::Blocks(file) => size(file.path()),
        Trace::Accesses(file) => size(file.path()),
    };
    traces.iter().map(bytes).sum()
}

fn size(path: &std::path::Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// What was read, before anything is made of it.
#[derive(Default)]
struct Gathered {
    requests: Vec<Request>,
    paths: Paths,
    /// How often each key came, where nothing else is known.
    keys: HashMap<u64, u64>,
    prefix: SharedPrefix,
    skipped: u64,
    skipped_first: Vec<String>,
}

impl Gathered {
    fn skip(mut self, skipped: &Skipped) -> Self {
        self.skipped += 1;
        if self.skipped_first.len() < SKIPPED_SHOWN {
            self.skipped_first
                .push(format!("{skipped}: {}", skipped.reason));
        }
        self
    }

    fn with(mut self, other: Self) -> Self {
        self.requests.extend(other.requests);
        self.paths.extend(other.paths);
        for (key, count) in other.keys {
            *self.keys.entry(key).or_default() += count;
        }
        self.prefix.add(other.prefix.shared, other.prefix.total);
        self.skipped += other.skipped;
        self.skipped_first.extend(other.skipped_first);
        self.skipped_first.truncate(SKIPPED_SHOWN);
        self
    }

    fn analysis(mut self) -> Analysis {
        self.requests.sort_by_key(|request| request.at_ms);
        let hits = summary::potential_hits(&self.requests);
        let keys: u64 = self.keys.values().sum();
        let unique_keys = self.keys.len() as u64;
        let requests = self.requests.len() as u64 + keys;
        let unique = summary::unique(&self.requests) + unique_keys;
        let potential_hits = hits + keys - unique_keys;
        self.prefix = summary::shared_prefix(&self.requests, self.prefix);
        Analysis {
            requests,
            unique,
            potential_hits,
            hit_rate: rate(potential_hits, requests),
            skipped: self.skipped,
            skipped_first: self.skipped_first,
            shared_prefix: self.prefix.rate(),
            details: (!self.requests.is_empty())
                .then(|| summary::summary(&self.requests, &self.paths)),
        }
    }
}

/// Reads files beside each other. What is kept of a request is small: a trace may be larger than the
/// memory.
fn requests(
    files: &[RequestFile],
    keyers: &KeyerChain,
    progress: &(dyn Fn(u64) + Sync),
) -> Gathered {
    let read = |mut gathered: Gathered, file: &RequestFile| {
        for record in file.records() {
            match record {
                Ok(record) => {
                    let request = Request::new(&record, keyers, &mut gathered.paths);
                    gathered.requests.push(request);
                }
                Err(skipped) => gathered = gathered.skip(&skipped),
            }
        }
        progress(size(file.path()));
        gathered
    };
    files
        .par_iter()
        .fold(Gathered::default, read)
        .reduce(Gathered::default, Gathered::with)
}

fn blocks(file: &BlockFile, progress: &(dyn Fn(u64) + Sync)) -> Gathered {
    let mut gathered = Gathered::default();
    let mut lately = Lately::default();
    for request in file.requests() {
        match request {
            Ok(request) => {
                *gathered.keys.entry(request.access().key).or_default() += 1;
                if let Some(shared) = lately.longest_prefix(&request.blocks) {
                    let total = request.blocks.len();
                    gathered.prefix.add(shared as u64, total as u64);
                }
                lately.push(request.blocks);
            }
            Err(skipped) => gathered = gathered.skip(&skipped),
        }
    }
    progress(size(file.path()));
    gathered
}

fn accesses(file: &AccessFile, progress: &(dyn Fn(u64) + Sync)) -> Gathered {
    let mut gathered = Gathered::default();
    for access in file.accesses() {
        match access {
            Ok(access) => *gathered.keys.entry(access.key).or_default() += 1,
            Err(skipped) => gathered = gathered.skip(&skipped),
        }
    }
    progress(size(file.path()));
    gathered
}

#[allow(
    clippy::cast_precision_loss,
    reason = "it is a share of what was counted"
)]
fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}
