//! `GET /health`: how the whole thing is doing.

use serde_json::{Value, json};

use crate::pipeline::Proxy;

/// What `/health` shows. Under `cache` stands what the stats component reported.
pub(crate) fn health(proxy: &Proxy) -> Value {
    json!({
        "status": if proxy.backend.is_well() { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "cache": proxy.ledger.report(&proxy.cache.gauges()),
        "backend": proxy.backend.health(),
        "plugins": proxy.plugins.load().status(),
    })
}
