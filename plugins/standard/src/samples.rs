//! The numbers for `/metrics`. What entries there are, and how many left, the host tells itself.

use deja_plugin::stats::{Gauges, Outcome, Sample};

use crate::history::History;
use crate::recent::Window;
use crate::totals::{OUTCOMES, Totals};

/// The quantiles, in percent and as Prometheus writes them.
const QUANTILES: [(u8, &str); 3] = [(50, "0.5"), (95, "0.95"), (99, "0.99")];

/// The samples, of which those with a window are gauges.
pub(crate) fn samples(history: &History, gauges: &Gauges) -> Vec<Sample> {
    let recent = |window| history.recent.totals(window, gauges.at_ms);
    let mut samples = counters(&history.ever);
    samples.extend(windowed(&history.ever, "all"));
    samples.extend(windowed(&recent(Window::LastMinute), "1m"));
    samples.extend(windowed(&recent(Window::LastQuarter), "15m"));
    samples
}

fn counters(ever: &Totals) -> Vec<Sample> {
    let requests = OUTCOMES.map(|(outcome, name)| {
        let count = number(ever.count(outcome));
        sample("deja_stats_requests_total", &[("outcome", name)], count)
    });
    let tokens = [
        ("prompt", ever.saved.prompt_tokens),
        ("output", ever.saved.output_tokens),
    ];
    let tokens = tokens.map(|(kind, count)| {
        let labels = [("kind", kind)];
        sample("deja_stats_saved_tokens_total", &labels, number(count))
    });
    let seconds = number(ever.saved.milliseconds) / 1e3;
    let others = [
        sample("deja_stats_saved_seconds_total", &[], seconds),
        sample("deja_stats_answer_bytes_total", &[], number(ever.bytes)),
    ];
    requests.into_iter().chain(tokens).chain(others).collect()
}

/// The numbers that each window has of its own; none where nothing happened.
fn windowed(totals: &Totals, window: &str) -> Vec<Sample> {
    let mut samples = Vec::new();
    if totals.answerable() > 0 {
        let ratio = number(totals.count(Outcome::Hit)) / number(totals.answerable());
        samples.push(sample("deja_stats_hit_ratio", &[("window", window)], ratio));
    }
    for (outcome, times) in [("hit", &totals.hits), ("miss", &totals.misses)] {
        for (name, histogram) in [
            ("deja_stats_latency_seconds", &times.whole),
            ("deja_stats_first_token_seconds", &times.first),
        ] {
            for (percent, quantile) in QUANTILES {
                let labels = [
                    ("outcome", outcome),
                    ("quantile", quantile),
                    ("window", window),
                ];
                let us = histogram.percentile(percent);
                samples.extend(us.map(|us| sample(name, &labels, number(us) / 1e6)));
            }
        }
    }
    samples
}

fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Sample {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sample {
        name: name.to_owned(),
        labels: labels.iter().map(owned).collect(),
        value,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a float, and 53 bits are plenty"
)]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::{event, gauges};

    const NOW: u64 = 1_000_000_000;

    /// The samples as Prometheus writes them, without quotes.
    fn written(history: &History) -> Vec<String> {
        let samples = samples(history, &gauges(NOW)).into_iter();
        let written = samples.map(|sample| {
            let labels: Vec<_> = sample
                .labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            format!("{}{{{}}} {}", sample.name, labels.join(","), sample.value)
        });
        written.collect()
    }

    #[test]
    fn what_did_not_happen_has_no_quantile() {
        let written = written(&History::default());
        assert_eq!(written.len(), 9, "{written:?}");
        assert!(written.contains(&"deja_stats_requests_total{outcome=bypass} 0".to_owned()));
    }

    #[test]
    fn counters_and_quantiles_are_told_once_each() {
        let mut history = History::default();
        history.add(&event(0, Outcome::Miss));
        history.add(&event(NOW, Outcome::Hit));
        let written = written(&history);
        for expected in [
            "deja_stats_requests_total{outcome=hit} 1",
            "deja_stats_requests_total{outcome=coalesced} 0",
            "deja_stats_saved_tokens_total{kind=prompt} 20",
            "deja_stats_saved_seconds_total{} 0.7",
            "deja_stats_answer_bytes_total{} 200",
            "deja_stats_hit_ratio{window=all} 0.5",
            "deja_stats_hit_ratio{window=15m} 1",
            "deja_stats_latency_seconds{outcome=hit,quantile=0.99,window=1m} 0.001488",
            "deja_stats_first_token_seconds{outcome=miss,quantile=0.5,window=all} 0.00025",
        ] {
            assert!(
                written.iter().any(|sample| sample == expected),
                "{expected} in {written:#?}"
            );
        }
        let series = written.iter().map(|sample| sample.split(' ').next());
        assert_eq!(series.collect::<HashSet<_>>().len(), written.len());
    }
}
