//! Many answers' times, counted.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    ask::{Answered, Failure},
    cache_status::CacheStatus,
};
use crate::units::real;

/// Digits to which times are kept.
const DIGITS: u8 = 3;

/// The answers to one kind of request.
#[derive(Clone)]
pub(crate) struct Series {
    latency: Times,
    first_token: Times,
    output_tokens: u64,
    errors: BTreeMap<String, u64>,
    cache: BTreeMap<&'static str, u64>,
    bypasses: BTreeMap<String, u64>,
}

/// Times, in microseconds.
#[derive(Clone)]
struct Times {
    histogram: Histogram<u64>,
    sum: Duration,
}

/// What a series comes to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Requests, those that failed among them.
    pub count: u64,
    /// Requests that failed, by what went wrong.
    pub errors: BTreeMap<String, u64>,
    /// Milliseconds to the end of the answer.
    pub latency_ms: Option<Spread>,
    /// Milliseconds to the beginning of the answer.
    pub first_token_ms: Option<Spread>,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// Tokens a second of an answer, from the request on.
    pub tokens_per_second: Option<f64>,
    /// Answers by what the server says its cache did.
    pub cache: BTreeMap<&'static str, u64>,
    /// Answers by their latency.
    pub histogram: Vec<Bucket>,
}

/// How times are spread, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The shortest.
    pub min: f64,
    /// The mean.
    pub avg: f64,
    /// Half are shorter.
    pub p50: f64,
    /// 95% are shorter.
    pub p95: f64,
    /// 99% are shorter.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The answers that took up to a time, and longer than the bucket before says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bucket {
    /// The longest time in it, in milliseconds.
    pub up_to_ms: f64,
    /// How many took so long.
    pub count: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            latency: Times::new(),
            first_token: Times::new(),
            output_tokens: 0,
            errors: BTreeMap::new(),
            cache: BTreeMap::new(),
            bypasses: BTreeMap::new(),
        }
    }
}

impl Series {
    pub(crate) fn add(&mut self, outcome: &Result<Answered, Failure>) {
        let answered = match outcome {
            Ok(answered) => answered,
            Err(failure) => {
                *self.errors.entry(failure.to_string()).or_default() += 1;
                return;
            }
        };
        self.latency.add(answered.latency);
        self.first_token.add(answered.first_token);
        self.output_tokens += u64::from(answered.output_tokens);
        let status = &answered.cache.status;
        *self.cache.entry(status.name()).or_default() += 1;
        if let CacheStatus::Bypass { reason } = status {
            *self.bypasses.entry(reason.clone()).or_default() += 1;
        }
    }

    /// Takes another series in.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.first_token.merge(&other.first_token);
        self.output_tokens += other.output_tokens;
        merge(&mut self.errors, &other.errors);
        merge(&mut self.cache, &other.cache);
        merge(&mut self.bypasses, &other.bypasses);
    }

    /// Requests that were answered.
    pub(crate) fn answers(&self) -> u64 {
        self.latency.histogram.len()
    }

    /// Answers of which the server says this.
    pub(crate) fn said(&self, status: &str) -> u64 {
        self.cache.get(status).copied().unwrap_or_default()
    }

    pub(crate) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// Why the cache was left out, and how often.
    pub(crate) fn bypasses(&self) -> &BTreeMap<String, u64> {
        &self.bypasses
    }

    /// The mean latency in milliseconds.
    pub(crate) fn mean_latency(&self) -> Option<f64> {
        self.latency.mean()
    }

    /// The mean time to the first token in milliseconds.
    pub(crate) fn mean_first_token(&self) -> Option<f64> {
        self.first_token.mean()
    }

    pub(crate) fn summary(&self) -> Summary {
        let seconds = self.latency.sum.as_secs_f64();
        let rate = real(self.output_tokens) / seconds;
        Summary {
            count: self.answers() + self.errors.values().sum::<u64>(),
            errors: self.errors.clone(),
            latency_ms: self.latency.spread(),
            first_token_ms: self.first_token.spread(),
            output_tokens: self.output_tokens,
            tokens_per_second: (self.output_tokens > 0 && seconds > 0.0).then_some(rate),
            cache: self.cache.clone(),
            histogram: self.latency.buckets(),
        }
    }
}

fn merge<K: Ord + Clone>(counts: &mut BTreeMap<K, u64>, others: &BTreeMap<K, u64>) {
    for (name, count) in others {
        *counts.entry(name.clone()).or_default() += count;
    }
}

impl Times {
    fn new() -> Self {
        let mut histogram = Histogram::new(DIGITS).expect("a histogram can have 3 digits");
        histogram.auto(true);
        Self {
            histogram,
            sum: Duration::ZERO,
        }
    }

    fn add(&mut self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let recorded = self.histogram.record(microseconds);
        recorded.expect("it grows to what it must hold");
        self.sum += time;
    }

    fn merge(&mut self, other: &Self) {
        let merged = self.histogram.add(&other.histogram);
        merged.expect("it grows to what it must hold");
        self.sum += other.sum;
    }

    fn mean(&self) -> Option<f64> {
        let count = self.histogram.len();
        (count > 0).then(|| self.sum.as_secs_f64() * 1e3 / real(count))
    }

    fn spread(&self) -> Option<Spread> {
        let at = |quantile| milliseconds(self.histogram.value_at_quantile(quantile));
        Some(Spread {
            avg: self.mean()?,
            min: milliseconds(self.histogram.min()),
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: milliseconds(self.histogram.max()),
        })
    }

    /// The counts up to 1, 2 and 5 in each power of ten, from the first that is not empty to the
    /// last.
    fn buckets(&self) -> Vec<Bucket> {
        let (Some(shortest), longest) = (
            (!self.histogram.is_empty()).then(|| self.histogram.min()),
            self.histogram.max(),
        ) else {
            return Vec::new();
        };
        let mut buckets = Vec::new();
        let mut from = 0;
        for bound in bounds() {
            if bound >= shortest {
                let count = self.histogram.count_between(from, bound);
                let up_to_ms = milliseconds(bound);
                buckets.push(Bucket { up_to_ms, count });
            }
            if bound >= longest {
                break;
            }
            from = bound + 1;
        }
        buckets
    }
}

/// 1, 2, 5, 10, 20, 50 … microseconds.
fn bounds() -> impl Iterator<Item = u64> {
    (0..17).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)))
}

fn milliseconds(microseconds: u64) -> f64 {
    real(microseconds) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::testing::{answered, series};

    #[test]
    fn a_series_knows_its_spread() {
        let summary = series(&[1, 2, 3, 4, 90], "hit").summary();
        let spread = summary.latency_ms.expect("there are answers");
        assert_eq!((spread.min, spread.avg), (1.0, 20.0));
        assert!((spread.p50 - 3.0).abs() < 0.01 && (spread.max - 90.0).abs() < 0.1);
        assert_eq!(summary.cache["hit"], 5);
        assert_eq!(summary.tokens_per_second, Some(500.0));
    }

    #[test]
    fn errors_are_counted_by_what_went_wrong_and_have_no_times() {
        let mut series = Series::default();
        for _ in 0..2 {
            series.add(&Err(Failure::BrokeOff));
        }
        series.add(&Ok(answered(5, "hit")));
        let summary = series.summary();
        assert_eq!((summary.count, series.answers()), (3, 1));
        assert_eq!(summary.errors["the answer broke off"], 2);
        assert!(Series::default().summary().latency_ms.is_none());
    }

    #[test]
    fn every_answer_is_in_one_bucket() {
        let buckets = series(&[1, 3, 3, 40], "hit").summary().histogram;
        let counts: Vec<_> = buckets.iter().map(|b| (b.up_to_ms, b.count)).collect();
        assert_eq!(
            counts,
            [
                (1.0, 1),
                (2.0, 0),
                (5.0, 2),
                (10.0, 0),
                (20.0, 0),
                (50.0, 1)
            ]
        );
    }

    #[test]
    fn merged_series_are_as_one() {
        let mut both = series(&[1, 2], "hit");
        both.merge(&series(&[300], "miss"));
        assert_eq!(both.answers(), 3);
        assert_eq!(both.mean_latency(), Some(101.0));
        assert_eq!((both.said("hit"), both.said("miss")), (2, 1));
    }
}
