//! What stands under "cache" in `/health`.

use deja_plugin::stats::{Gauges, Outcome};
use serde::Serialize;

use crate::histogram::Histogram;
use crate::history::History;
use crate::recent::Window;
use crate::totals::{Times, Totals};

/// The report. Clients know the first five fields, in this order.
#[derive(Serialize)]
struct Report {
    hits: u64,
    misses: u64,
    total_requests: u64,
    hit_rate: String,
    cached_items: u64,
    cached_bytes: u64,
    evictions: u64,
    #[serde(flatten)]
    ever: Summary,
    last_minute: Summary,
    last_15_minutes: Summary,
}

/// What happened in a stretch of time.
#[derive(Serialize)]
struct Summary {
    requests: Requests,
    saved: Saved,
    answer_bytes: u64,
    latency_ms: ByOutcome,
    first_token_ms: ByOutcome,
}

/// Requests by outcome.
#[derive(Serialize)]
struct Requests {
    hit: u64,
    miss: u64,
    coalesced: u64,
    bypass: u64,
    error: u64,
}

/// What hits saved.
#[derive(Serialize)]
struct Saved {
    prompt_tokens: u64,
    output_tokens: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct ByOutcome {
    hit: Percentiles,
    miss: Percentiles,
}

/// Milliseconds; null where there was nothing.
#[derive(Serialize)]
struct Percentiles {
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

/// The report, as JSON.
pub(crate) fn report(history: &History, gauges: &Gauges) -> String {
    let recent = |window| Summary::of(&history.recent.totals(window, gauges.at_ms));
    let ever = &history.ever;
    let report = Report {
        hits: ever.count(Outcome::Hit),
        misses: ever.count(Outcome::Miss),
        total_requests: ever.answerable(),
        hit_rate: hit_rate(ever),
        cached_items: gauges.entries,
        cached_bytes: gauges.bytes,
        evictions: gauges.evictions,
        ever: Summary::of(ever),
        last_minute: recent(Window::LastMinute),
        last_15_minutes: recent(Window::LastQuarter),
    };
    serde_json::to_string(&report).expect("numbers and texts make JSON")
}

/// Hits among all requests, in percent to one decimal.
fn hit_rate(totals: &Totals) -> String {
    // Whole numbers throughout: halves go up.
    let permille = match u128::from(totals.answerable()) {
        0 => 0,
        total => (u128::from(totals.count(Outcome::Hit)) * 2000 + total) / (2 * total),
    };
    format!("{}.{}%", permille / 10, permille % 10)
}

impl Summary {
    fn of(totals: &Totals) -> Self {
        Self {
            requests: Requests {
                hit: totals.count(Outcome::Hit),
                miss: totals.count(Outcome::Miss),
                coalesced: totals.count(Outcome::Coalesced),
                bypass: totals.count(Outcome::Bypass),
                error: totals.count(Outcome::Error),
            },
            saved: Saved {
                prompt_tokens: totals.saved.prompt_tokens,
                output_tokens: totals.saved.output_tokens,
                seconds: thousandths(totals.saved.milliseconds),
            },
            answer_bytes: totals.bytes,
            latency_ms: ByOutcome::of(totals, |times| &times.whole),
            first_token_ms: ByOutcome::of(totals, |times| &times.first),
        }
    }
}

impl ByOutcome {
    fn of(totals: &Totals, histogram: fn(&Times) -> &Histogram) -> Self {
        Self {
            hit: Percentiles::of(histogram(&totals.hits)),
            miss: Percentiles::of(histogram(&totals.misses)),
        }
    }
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Self {
        let of = |percent| histogram.percentile(percent).map(thousandths);
        Self {
            p50: of(50),
            p95: of(95),
            p99: of(99),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are plenty for what is shown"
)]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{event, gauges};

    const NOW: u64 = 1_000_000_000;

    fn history(ended: &[(u64, Outcome)]) -> History {
        let mut history = History::default();
        for &(at_ms, outcome) in ended {
            history.add(&event(at_ms, outcome));
        }
        history
    }

    fn read(history: &History) -> Value {
        serde_json::from_str(&report(history, &gauges(NOW))).expect("it is JSON")
    }

    #[test]
    fn the_five_fields_come_first() {
        use Outcome::{Bypass, Error, Hit, Miss};
        let history = history(&[Miss, Hit, Hit, Bypass, Error].map(|outcome| (NOW, outcome)));
        let report = report(&history, &gauges(NOW));
        let first =
            r#"{"hits":2,"misses":1,"total_requests":3,"hit_rate":"66.7%","cached_items":1,"#;
        assert!(report.starts_with(first), "{report}");
    }

    #[test]
    fn the_hit_rate_has_one_decimal() {
        use Outcome::{Coalesced, Hit, Miss};
        let rate = |outcomes: &[Outcome]| {
            let ended: Vec<_> = outcomes.iter().map(|&outcome| (NOW, outcome)).collect();
            hit_rate(&history(&ended).ever)
        };
        assert_eq!(rate(&[]), "0.0%");
        assert_eq!(rate(&[Hit]), "100.0%");
        assert_eq!(rate(&[Hit, Miss, Coalesced]), "33.3%");
        assert_eq!(rate(&[&[Hit][..], &[Miss; 15]].concat()), "6.3%");
    }

    #[test]
    fn every_window_has_its_summary() {
        let ago = |minutes: u64| NOW - minutes * 60_000;
        let report = read(&history(&[
            (ago(30), Outcome::Hit),
            (ago(10), Outcome::Hit),
            (ago(0), Outcome::Hit),
            (ago(0), Outcome::Coalesced),
        ]));
        let expected = |hit: u32| {
            json!({
                "requests": {"hit": hit, "miss": 0, "coalesced": 1, "bypass": 0, "error": 0},
                "saved": {"prompt_tokens": 20 * hit, "output_tokens": 5 * hit, "seconds": 0.7 * f64::from(hit)},
                "answer_bytes": 100 * (hit + 1),
                "latency_ms": {
                    "hit": {"p50": 1.488, "p95": 1.488, "p99": 1.488},
                    "miss": {"p50": null, "p95": null, "p99": null},
                },
                "first_token_ms": {
                    "hit": {"p50": 0.25, "p95": 0.25, "p99": 0.25},
                    "miss": {"p50": null, "p95": null, "p99": null},
                },
            })
        };
        assert_eq!(report["last_minute"], expected(1));
        assert_eq!(report["last_15_minutes"], expected(2));
        assert_eq!(report["requests"]["hit"], 3);
        assert_eq!(report["saved"]["seconds"], 2.1);
        assert_eq!(
            (&report["cached_bytes"], &report["evictions"]),
            (&json!(9), &json!(4))
        );
    }
}
