//! Hits over a synthetic trace. Those of FIFO, LRU and SIEVE are what libcachesim 0.3.5 counts. For
//! the rest it counts others, so there the numbers tell only that nothing has changed.

use deja_eviction::{
    Capacity, Fifo, Gdsf, Lru, Policy, S3Fifo, Shares, Sieve, Simulation, WTinyLfu,
};

const REQUESTS: usize = 50_000;

/// A few keys are asked for often, many seldom: each is drawn from the first 2, 4, 8, … 8192.
fn trace() -> impl Iterator<Item = u64> {
    let mut state = 42_u64;
    let keys = std::iter::repeat_with(move || {
        // Knuth's generator MMIX, whose upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        (random >> 8) % (2 << (random % 13))
    });
    keys.take(REQUESTS)
}

/// Hits with entries of one size, for 20, 200 and 2,000 of them.
fn hits_by_entries<P: Policy>(policy: fn(Capacity) -> P) -> [usize; 3] {
    [20, 200, 2_000].map(|entries| {
        let bytes = u64::MAX;
        hits(Capacity { entries, bytes }, |_| 1, policy)
    })
}

/// Hits with entries of 1 to 97 bytes, for 1,000, 10,000 and 100,000 bytes.
fn hits_by_bytes<P: Policy>(policy: fn(Capacity) -> P) -> [usize; 3] {
    [1_000, 10_000, 100_000].map(|bytes| {
        let entries = REQUESTS as u64;
        let size = |key| 1 + key * 7919 % 97;
        hits(Capacity { entries, bytes }, size, policy)
    })
}

fn hits<P: Policy>(capacity: Capacity, size: fn(u64) -> u64, policy: fn(Capacity) -> P) -> usize {
    let mut cache = Simulation::new(policy(capacity), capacity);
    trace()
        .filter(|&key| cache.request(key, size(key), 1))
        .count()
}

#[test]
fn fifo() {
    assert_eq!(
        hits_by_entries(|_| Fifo::default()),
        [9_697, 24_246, 39_882]
    );
    assert_eq!(hits_by_bytes(|_| Fifo::default()), [9_790, 24_378, 40_011]);
}

#[test]
fn lru() {
    assert_eq!(
        hits_by_entries(|_| Lru::default()),
        [11_506, 26_855, 41_478]
    );
    assert_eq!(hits_by_bytes(|_| Lru::default()), [11_548, 26_980, 41_584]);
}

#[test]
fn sieve() {
    assert_eq!(
        hits_by_entries(|_| Sieve::default()),
        [18_840, 31_065, 42_257]
    );
    assert_eq!(
        hits_by_bytes(|_| Sieve::default()),
        [18_317, 31_184, 42_329]
    );
}

#[test]
fn gdsf() {
    assert_eq!(
        hits_by_entries(|_| Gdsf::default()),
        [16_329, 29_503, 42_040]
    );
    assert_eq!(hits_by_bytes(|_| Gdsf::default()), [18_224, 31_385, 42_779]);
}

#[test]
fn s3_fifo() {
    let policy = |capacity| S3Fifo::new(capacity, 0.1);
    assert_eq!(hits_by_entries(policy), [19_058, 31_326, 42_103]);
    assert_eq!(hits_by_bytes(policy), [19_240, 31_439, 42_196]);
}

#[test]
fn w_tinylfu() {
    let policy = |capacity| WTinyLfu::new(capacity, Shares::default());
    assert_eq!(hits_by_entries(policy), [18_824, 31_417, 42_302]);
    assert_eq!(hits_by_bytes(policy), [19_226, 31_516, 42_426]);
}
