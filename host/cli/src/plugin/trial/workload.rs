//! What a cache is asked, for an eviction policy to see: recorded requests, or made-up ones.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
};

use deja_cache::Capacity;
use deja_trace::Record;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

/// Made-up requests, and the questions that they ask.
const REQUESTS: usize = 100_000;
const QUESTIONS: u32 = 10_000;

/// The cache has room for one in so many of what is asked.
const SHARE: u64 = 10;

/// One request, and what its answer takes and saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) key: u64,
    pub(super) bytes: u64,
    pub(super) cost_ms: u32,
}

/// Requests, and a cache that is too small for all of them.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) accesses: Vec<Access>,
    pub(super) capacity: Capacity,
}

impl Workload {
    fn new(accesses: Vec<Access>) -> Self {
        let sizes: HashMap<_, _> = accesses
            .iter()
            .map(|access| (access.key, access.bytes))
            .collect();
        let entries = (sizes.len() as u64 / SHARE).max(1);
        let largest = sizes.values().copied().max().unwrap_or_default();
        let bytes = (sizes.values().sum::<u64>() / SHARE).max(largest);
        Self {
            accesses,
            capacity: Capacity { entries, bytes },
        }
    }
}

/// Questions of which the second is asked half as often as the first, the third a third as often,
/// and so on, as Zipf has it. The same ones every time.
pub(super) fn made_up() -> Workload {
    let mut random = SmallRng::seed_from_u64(0);
    let questions: Vec<_> = (0..QUESTIONS)
        .map(|number| Access {
            key: hash(number),
            bytes: random.random_range(200..20_000),
            cost_ms: random.random_range(50..5_000),
        })
        .collect();
    let weights = (1..=QUESTIONS).scan(0.0, |sum, rank| {
        *sum += 1.0 / f64::from(rank);
        Some(*sum)
    });
    let up_to: Vec<_> = weights.collect();
    let all = up_to.last().copied().unwrap_or_default();
    let mut ask = || {
        let drawn = random.random::<f64>() * all;
        let rank = up_to.partition_point(|&sum| sum <= drawn);
        questions[rank.min(questions.len() - 1)]
    };
    Workload::new((0..REQUESTS).map(|_| ask()).collect())
}

/// Recorded requests, all in their order, again and again. Each takes as much room as its question
/// and its answer, and saves the time that its answer took.
pub(super) fn recorded(records: &[Record], rounds: u32) -> Workload {
    let access = |record: &Record| Access {
        key: hash((record.endpoint.path(), record.body_digest)),
        bytes: record.body_bytes + record.answer_bytes.unwrap_or_default(),
        cost_ms: record.cost_ms().unwrap_or(1),
    };
    let once: Vec<_> = records.iter().map(access).collect();
    Workload::new((0..rounds).flat_map(|_| once.iter().copied()).collect())
}

/// The same digest in every run.
fn hash(value: impl std::hash::Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

#[cfg(test)]
mod tests {
    use deja_cache::Endpoint;

    use super::*;

    #[test]
    fn made_up_requests_are_the_same_every_time_and_the_first_is_asked_most() {
        let workload = made_up();
        assert_eq!(workload.accesses, made_up().accesses);
        let asked = |number: u32| {
            let accesses = workload.accesses.iter();
            accesses.filter(|access| access.key == hash(number)).count()
        };
        assert!(asked(0) > asked(1) && asked(1) > asked(9) && asked(9) > asked(999));
        let Capacity { entries, bytes } = workload.capacity;
        assert!(entries < 1000 && bytes > 1_000_000, "{entries}, {bytes}");
    }

    #[test]
    fn the_same_recorded_question_has_one_key() {
        let record = |seed: u32| {
            let body = format!("{{\"seed\":{seed}}}");
            Record::new(Endpoint::Messages, body.as_bytes())
        };
        let mut records = [1, 2, 1].map(record);
        records[0].latency_us = Some(7000);
        let workload = recorded(&records, 2);
        assert_eq!(workload.accesses[0].cost_ms, 7);
        let keys: Vec<_> = workload.accesses.iter().map(|access| access.key).collect();
        assert_eq!(keys.len(), 6);
        assert_eq!((keys[0], keys[1]), (keys[2], keys[4]));
        assert_ne!(keys[0], keys[1]);
        let (entries, bytes) = (1, 10);
        assert_eq!(workload.capacity, Capacity { entries, bytes });
    }
}
