//! Hit ratios of all policies, in percent, with entries of one size:
//!
//! ```text
//! cargo run --release --example hit_ratios -- OLTP.lis   # a trace of pages, as the papers use it
//! cargo run --release --example hit_ratios               # requests of a Zipf distribution
//! ```
//!
//! A line of the trace is a first page, a number of pages, and more that does not matter here.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write as _};

use deja_eviction::{
    Capacity, Fifo, Gdsf, Lru, Policy, S3Fifo, Shares, Sieve, Simulation, WTinyLfu,
};

/// Requests, and the sizes of cache to try.
struct Workload {
    keys: Vec<u64>,
    entries: [u64; 5],
}

fn main() -> Result<(), Box<dyn Error>> {
    let workload = match env::args().nth(1) {
        Some(path) => pages(&fs::read_to_string(path)?)?,
        None => zipf(),
    };
    write!(io::stdout(), "{:<10}", "entries")?;
    for entries in workload.entries {
        write!(io::stdout(), " {entries:6}")?;
    }
    writeln!(io::stdout())?;
    row("fifo", &workload, |_| Fifo::default())?;
    row("lru", &workload, |_| Lru::default())?;
    row("sieve", &workload, |_| Sieve::default())?;
    row("s3-fifo", &workload, |capacity| S3Fifo::new(capacity, 0.1))?;
    row("w-tinylfu", &workload, |capacity| {
        WTinyLfu::new(capacity, Shares::default())
    })?;
    row("gdsf", &workload, |_| Gdsf::default())?;
    Ok(())
}

/// Prints a policy's hit ratio for each size of the cache.
fn row<P: Policy>(name: &str, workload: &Workload, policy: fn(Capacity) -> P) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{name:<10}")?;
    for entries in workload.entries {
        let bytes = u64::MAX;
        let capacity = Capacity { entries, bytes };
        let mut cache = Simulation::new(policy(capacity), capacity);
        let hits = workload
            .keys
            .iter()
            .filter(|&&key| cache.request(key, 1, 1));
        write!(out, " {:6.2}", percent(hits.count(), workload.keys.len()))?;
    }
    writeln!(out)
}

#[expect(clippy::cast_precision_loss, reason = "no trace is that long")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn pages(trace: &str) -> Result<Workload, Box<dyn Error>> {
    let mut keys = Vec::new();
    for line in trace.lines() {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(first), Some(count)) = (fields.next(), fields.next()) else {
            return Err(format!("`{line}` is no first page and number of pages").into());
        };
        let first = first?;
        keys.extend(first..first + count?);
    }
    let entries = [1_000, 2_000, 5_000, 10_000, 15_000];
    Ok(Workload { keys, entries })
}

/// Five million requests for 10,000 keys, the n-th of them asked for 1/n times as often as the
/// first.
fn zipf() -> Workload {
    let sums: Vec<f64> = (1..=10_000_u32)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / f64::from(rank);
            Some(*sum)
        })
        .collect();
    let whole = sums.last().copied().unwrap_or_default();
    let mut state = 42_u64;
    let key = || {
        // Knuth's generator MMIX, whose upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let random = f64::from((state >> 32) as u32) / f64::from(u32::MAX) * whole;
        sums.partition_point(|&sum| sum < random) as u64
    };
    Workload {
        keys: std::iter::repeat_with(key).take(5_000_000).collect(),
        entries: [50, 100, 500, 1_000, 2_500],
    }
}
