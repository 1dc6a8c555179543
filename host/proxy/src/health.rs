//! `GET /health` and `GET /metrics`: how the whole thing is doing.

use deja_trace::RecorderStatus;
use serde_json::{Value, json};

use crate::{backend::Backend, metrics::Snapshot, pipeline::Proxy};

/// What `/health` shows. Under `cache` stands what the stats component reported, under `backend`
/// the first of the `backends`.
pub(crate) fn health(proxy: &Proxy) -> Value {
    let rules = proxy.rules.load();
    let backends: Vec<Value> = rules
        .backends
        .iter()
        .map(|routed| {
            let mut health = routed.backend.health();
            health["name"] = routed.name.as_str().into();
            health
        })
        .collect();
    let well = rules.backends.iter().all(|routed| routed.backend.is_well());
    json!({
        "status": if well { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "cache": proxy.ledger.report(&proxy.cache.gauges()),
        "backend": backends.first(),
        "backends": backends,
        "plugins": proxy.plugins.load().status(),
        "trace": proxy.recorder.as_ref().map(|recorder| trace(&recorder.status())),
        "log": {"dropped": dropped_lines(proxy)},
        "in_flight": proxy.metrics.in_flight(),
    })
}

fn dropped_lines(proxy: &Proxy) -> u64 {
    let dropped = proxy.dropped_lines.as_ref();
    dropped.map_or(0, |counter| counter.dropped_lines() as u64)
}

fn trace(status: &RecorderStatus) -> Value {
    json!({
        "written": status.written,
        "dropped": status.dropped,
        "bytes": status.bytes,
        "error": status.error,
    })
}

/// What `/metrics` shows.
pub(crate) fn metrics(proxy: &Proxy) -> String {
    let gauges = proxy.cache.gauges();
    let rules = proxy.rules.load();
    let workers = rules.backends.iter().filter_map(|routed| {
        let Backend::Engine(engine) = &routed.backend else {
            return None;
        };
        Some((routed.name.clone(), engine.state()))
    });
    proxy.metrics.text(Snapshot {
        in_flight: proxy.metrics.in_flight(),
        gauges,
        plugins: proxy.plugins.load().status(),
        workers: workers.collect(),
        dropped_lines: dropped_lines(proxy),
        trace: proxy.recorder.as_ref().map(|recorder| recorder.status()),
        samples: proxy.ledger.samples(&gauges),
    })
}
