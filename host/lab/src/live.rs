//! What a running Deja tells of itself in `/health` and `/metrics`.
//!
//! The host's own counts stand in `/metrics`, whatever stats component reports in `/health`. What
//! only the standard component reports is optional here.

use std::collections::BTreeMap;

use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::real;

/// The state of a server at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Live {
    /// The server's version.
    pub version: String,
    /// `ok` or `degraded`.
    pub status: String,
    /// Requests since the start, by what became of them.
    pub requests: Outcomes,
    /// Requests that are being answered.
    pub in_flight: u64,
    /// Answers held.
    pub entries: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Answers that had to leave.
    pub evictions: u64,
    /// What hits saved since the start.
    pub saved: Option<Saved>,
    /// Milliseconds to the end of an answer, of all requests since the start.
    pub latency_ms: Option<Latencies>,
    /// The backends.
    pub backends: Vec<Backend>,
    /// The loaded plugins.
    pub plugins: Vec<Plugin>,
}

/// Requests, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// The cache answered.
    pub hit: u64,
    /// A backend answered.
    pub miss: u64,
    /// A backend answered that somebody else had asked.
    pub coalesced: u64,
    /// A backend answered, and the cache was left out.
    pub bypass: u64,
    /// Nobody answered.
    pub error: u64,
}

/// What hits saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Tokens that were not read again.
    pub prompt_tokens: u64,
    /// Tokens that were not generated again.
    pub output_tokens: u64,
    /// Seconds of inference.
    pub seconds: f64,
}

/// Latencies by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// Of hits.
    pub hit: Percentiles,
    /// Of misses.
    pub miss: Percentiles,
}

/// Milliseconds; none where there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half were quicker.
    pub p50: Option<f64>,
    /// 95% were quicker.
    pub p95: Option<f64>,
    /// 99% were quicker.
    pub p99: Option<f64>,
}

/// Who answers what the cache does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name in the configuration.
    pub name: String,
    /// `mlx` or `upstream`.
    pub kind: String,
    /// The state of the built-in engine's process.
    pub worker: Option<Worker>,
}

/// The process of the built-in engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// What it does, like `running`, `unloaded` or `restarting`.
    pub status: String,
    /// Why it restarts, or could not be started.
    pub reason: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
}

/// A loaded plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// `keyer`, `eviction` or `stats`.
    pub kind: String,
    /// Its name in the configuration.
    pub name: String,
    /// Calls since it was loaded.
    pub calls: u64,
    /// Microseconds that they took.
    pub busy_us: u64,
    /// Calls that failed.
    pub failures: u64,
    /// What was wrong with the last of them.
    pub last_error: Option<String>,
    /// `closed` while it is asked, `open` while it is left alone, `probing` in between.
    pub breaker: String,
    /// Why the newest file of this name was not loaded.
    pub rejected: Option<String>,
}

/// Why a server's state is not known.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Nobody answers.
    #[error("no server answers at {url}")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// Somebody answers, and it is not Deja.
    #[error("the server at {url} is not Deja: {path} is {found}")]
    NotDeja {
        /// The server.
        url: String,
        /// What was asked for.
        path: &'static str,
        /// What came.
        found: String,
    },
}

impl Live {
    /// Asks a server.
    pub async fn read(client: &Client, url: &str) -> Result<Self, LiveError> {
        let health = fetch(client, url, "/health").await?;
        let metrics = fetch(client, url, "/metrics").await?;
        Self::of(&health, &metrics).map_err(|found| LiveError::NotDeja {
            url: url.to_owned(),
            path: "/health",
            found,
        })
    }

    /// What the two texts tell, or what is wrong with the first.
    fn of(health: &str, metrics: &str) -> Result<Self, String> {
        let health: Health = serde_json::from_str(health).map_err(|error| error.to_string())?;
        let count = |name: &str| whole(sum(metrics, name, ""));
        let requests = |outcome: &str| {
            let label = format!("outcome=\"{outcome}\"");
            whole(sum(metrics, "deja_requests_total", &label))
        };
        Ok(Self {
            version: health.version,
            status: health.status,
            requests: Outcomes {
                hit: requests("hit"),
                miss: requests("miss"),
                coalesced: requests("coalesced"),
                bypass: requests("bypass"),
                error: requests("error"),
            },
            in_flight: health.in_flight,
            entries: count("deja_cache_entries"),
            bytes: count("deja_cache_bytes"),
            evictions: count("deja_cache_evictions_total"),
            saved: reported(&health.cache, "saved"),
            latency_ms: reported(&health.cache, "latency_ms"),
            backends: health.backends,
            plugins: health.plugins,
        })
    }
}

impl Outcomes {
    /// Requests that could have been hits.
    #[must_use]
    pub fn answerable(self) -> u64 {
        self.hit + self.miss + self.coalesced
    }

    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.answerable() + self.bypass + self.error
    }

    /// Hits among the requests that could have been some, if there were any.
    #[must_use]
    pub fn hit_rate(self) -> Option<f64> {
        (self.answerable() > 0).then(|| real(self.hit) / real(self.answerable()))
    }

    /// All counts by name.
    #[must_use]
    pub fn named(self) -> [(&'static str, u64); 5] {
        [
            ("hit", self.hit),
            ("miss", self.miss),
            ("coalesced", self.coalesced),
            ("bypass", self.bypass),
            ("error", self.error),
        ]
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            hit: self.hit + other.hit,
            miss: self.miss + other.miss,
            coalesced: self.coalesced + other.coalesced,
            bypass: self.bypass + other.bypass,
            error: self.error + other.error,
        }
    }

    /// What came since; nothing where the server started anew in between.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            hit: self.hit.saturating_sub(before.hit),
            miss: self.miss.saturating_sub(before.miss),
            coalesced: self.coalesced.saturating_sub(before.coalesced),
            bypass: self.bypass.saturating_sub(before.bypass),
            error: self.error.saturating_sub(before.error),
        }
    }
}

/// What `/health` tells.
#[derive(Deserialize)]
struct Health {
    status: String,
    version: String,
    in_flight: u64,
    /// The stats component's report, in whatever shape.
    cache: BTreeMap<String, Value>,
    backends: Vec<Backend>,
    plugins: Vec<Plugin>,
}

/// A part of a stats component's report, if it has the standard one's shape.
fn reported<'a, T: Deserialize<'a>>(report: &'a BTreeMap<String, Value>, part: &str) -> Option<T> {
    T::deserialize(report.get(part)?).ok()
}

async fn fetch(client: &Client, url: &str, path: &'static str) -> Result<String, LiveError> {
    let unreachable = |source| LiveError::Unreachable {
        url: url.to_owned(),
        source,
    };
    let reply = client.get(format!("{url}{path}")).send().await;
    let reply = reply.map_err(unreachable)?;
    if !reply.status().is_success() {
        return Err(LiveError::NotDeja {
            url: url.to_owned(),
            path,
            found: reply.status().to_string(),
        });
    }
    reply.text().await.map_err(unreachable)
}

/// The sum of a metric's samples with this label. The labels that are looked for here hold words
/// only, so that no other label's value can look like one.
fn sum(metrics: &str, name: &str, label: &str) -> f64 {
    let sample = |line: &str| {
        let labels = line.strip_prefix(name)?;
        let is_this = labels.starts_with(['{', ' ']) && labels.contains(label);
        is_this.then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
    };
    metrics.lines().filter_map(sample).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "these metrics count, and a cast saturates"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const METRICS: &str = "\
        # TYPE deja_requests counter\n\
        deja_requests_total{endpoint=\"messages\",outcome=\"hit\",status=\"200\"} 3\n\
        deja_requests_total{endpoint=\"chat-completions\",outcome=\"hit\",status=\"200\"} 4\n\
        deja_requests_total{endpoint=\"messages\",outcome=\"error\",status=\"502\"} 1\n\
        deja_cache_entries 5\n\
        deja_cache_entries_of_somebody_else 9\n\
        deja_cache_bytes 1024\n";

    fn health(cache: &Value) -> String {
        json!({
            "status": "ok", "version": "0.1.0", "in_flight": 2, "cache": cache,
            "backend": null,
            "backends": [{"name": "mlx", "kind": "mlx",
                "worker": {"status": "restarting", "reason": "it was killed", "restarts": 1}}],
            "plugins": [],
        })
        .to_string()
    }

    #[test]
    fn the_hosts_counts_come_from_the_metrics() {
        let live = Live::of(&health(&json!({"mine": "other"})), METRICS).expect("it is Deja's");
        assert_eq!(
            (live.requests.hit, live.requests.error, live.entries),
            (7, 1, 5)
        );
        assert_eq!((live.saved, live.latency_ms), (None, None));
        let worker = live.backends[0].worker.as_ref().expect("it has one");
        assert_eq!(worker.status, "restarting");
    }

    #[test]
    fn the_standard_report_tells_more() {
        let report = json!({
            "saved": {"prompt_tokens": 1, "output_tokens": 2, "seconds": 0.5},
            "latency_ms": {"hit": {"p50": 1.5, "p95": null, "p99": null},
                "miss": {"p50": null, "p95": null, "p99": null}},
        });
        let live = Live::of(&health(&report), METRICS).expect("it is Deja's");
        assert_eq!(live.saved.map(|saved| saved.output_tokens), Some(2));
        assert_eq!(live.latency_ms.and_then(|times| times.hit.p50), Some(1.5));
    }

    #[test]
    fn other_servers_are_told_apart() {
        assert!(Live::of("{\"status\":\"ok\"}", "").is_err());
        assert!(Live::of("<html>", "").is_err());
    }

    #[test]
    fn a_hit_rate_needs_requests() {
        let outcomes = Outcomes {
            hit: 3,
            miss: 1,
            bypass: 7,
            ..Outcomes::default()
        };
        assert_eq!(outcomes.hit_rate(), Some(0.75));
        assert_eq!(Outcomes::default().hit_rate(), None);
        assert_eq!(Outcomes::default().since(outcomes), Outcomes::default());
    }
}
