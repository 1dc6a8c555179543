//! Servers in all states.

use crate::live::{
    Backend, Latencies, Live, LiveError, Outcomes, Percentiles, Plugin, Saved, Worker,
};

/// A server of which only two counts are known.
pub(crate) fn live(hit: u64, miss: u64) -> Live {
    Live {
        requests: Outcomes {
            hit,
            miss,
            ..Outcomes::default()
        },
        ..Live::default()
    }
}

pub(crate) fn unreachable() -> LiveError {
    LiveError::NotDeja {
        url: "http://127.0.0.1:1".to_owned(),
        path: "/health",
        found: "404 Not Found".to_owned(),
    }
}

fn times(p50: f64) -> Percentiles {
    Percentiles {
        p50: Some(p50),
        p95: Some(p50 * 2.0),
        p99: None,
    }
}

fn plugin(kind: &str, name: &str, breaker: &str, failures: u64) -> Plugin {
    Plugin {
        kind: kind.to_owned(),
        name: name.to_owned(),
        calls: 1000,
        busy_us: 5000,
        failures,
        last_error: (failures > 0).then(|| "it trapped: unreachable".to_owned()),
        breaker: breaker.to_owned(),
        rejected: None,
    }
}

/// A server that does much, and not all of it well.
pub(crate) fn busy() -> Live {
    Live {
        version: "0.1.0".to_owned(),
        status: "degraded".to_owned(),
        requests: Outcomes {
            hit: 600,
            miss: 300,
            coalesced: 100,
            bypass: 20,
            error: 1,
        },
        in_flight: 3,
        entries: 250,
        bytes: 3 << 20,
        evictions: 50,
        saved: Some(Saved {
            prompt_tokens: 123_456,
            output_tokens: 7890,
            seconds: 5400.0,
        }),
        latency_ms: Some(Latencies {
            hit: times(0.5),
            miss: times(1500.0),
        }),
        backends: vec![Backend {
            name: "mlx".to_owned(),
            kind: "mlx".to_owned(),
            worker: Some(Worker {
                status: "restarting".to_owned(),
                reason: Some("it was killed".to_owned()),
                restarts: 2,
            }),
        }],
        plugins: vec![
            plugin("keyer", "claude-code", "closed", 0),
            plugin("keyer", "mine", "open", 7),
            plugin("eviction", "lru", "closed", 0),
        ],
    }
}
