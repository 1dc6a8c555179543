//! `GET /metrics`, in the format of Prometheus.

mod snapshot;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use deja_cache::{Endpoint, OutcomeKind};
use hyper::StatusCode;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub(crate) use snapshot::Snapshot;

/// What is counted as it happens. The rest is looked up when somebody asks.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OutcomeLabel, Histogram>,
    first_tokens: Family<OutcomeLabel, Histogram>,
    upstream: Family<BackendLabel, Histogram>,
    in_flight: Arc<AtomicUsize>,
    fetches: Arc<AtomicUsize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    outcome: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BackendLabel {
    backend: String,
}

/// One of a limited number of places. Its drop gives it back.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let place = Self(taken.clone());
        (taken.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// From 0.1 ms, which a hit takes, to an hour and more.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.5, 20))
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("deja");
        let requests = Family::default();
        let [durations, first_tokens] =
            [(); 2].map(|()| Family::new_with_constructor(histogram as fn() -> Histogram));
        let upstream = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from a request to the end of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register_with_unit(
            "time_to_first_token",
            "Time from a request to the beginning of its answer",
            Unit::Seconds,
            first_tokens.clone(),
        );
        registry.register_with_unit(
            "upstream_duration",
            "Time that a backend took for an answer",
            Unit::Seconds,
            upstream.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            first_tokens,
            upstream,
            in_flight: Arc::default(),
            fetches: Arc::default(),
        }
    }

    /// Takes a request in, if fewer than `limit` are being answered.
    pub(crate) fn admit(&self, limit: usize) -> Option<Place> {
        Place::take(&self.in_flight, limit)
    }

    /// Lets a fetch begin, if fewer than `limit` are under way.
    pub(crate) fn admit_fetch(&self, limit: usize) -> Option<Place> {
        Place::take(&self.fetches, limit)
    }

    /// Requests that are being answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A request came to its end.
    pub(crate) fn request(
        &self,
        endpoint: Endpoint,
        outcome: OutcomeKind,
        status: StatusCode,
        latency: Duration,
    ) {
        let outcome = outcome.name();
        let labels = RequestLabels {
            endpoint: endpoint.name(),
            outcome,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&OutcomeLabel { outcome })
            .observe(latency.as_secs_f64());
    }

    /// A request that was passed on came to its end.
    pub(crate) fn passed_through(&self, status: u16, latency: Duration) {
        let outcome = OutcomeKind::Bypass.name();
        let labels = RequestLabels {
            endpoint: "other",
            outcome,
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&OutcomeLabel { outcome })
            .observe(latency.as_secs_f64());
    }

    /// An answer begins.
    pub(crate) fn first_token(&self, outcome: OutcomeKind, after: Duration) {
        let outcome = outcome.name();
        self.first_tokens
            .get_or_create(&OutcomeLabel { outcome })
            .observe(after.as_secs_f64());
    }

    /// A backend answered to the end.
    pub(crate) fn fetched(&self, backend: &str, took: Duration) {
        let backend = backend.to_owned();
        self.upstream
            .get_or_create(&BackendLabel { backend })
            .observe(took.as_secs_f64());
    }

    /// All of it as text, with what is so now.
    pub(crate) fn text(&self, now: Snapshot) -> String {
        let mut registry = Registry::with_prefix("deja");
        let collector = now.register(&mut registry);
        let mut samples = Registry::default();
        samples.register_collector(Box::new(collector));
        let mut text = String::new();
        let written = text::encode_registry(&mut text, &self.registry)
            .and_then(|()| text::encode_registry(&mut text, &registry))
            .and_then(|()| text::encode_registry(&mut text, &samples))
            .and_then(|()| text::encode_eof(&mut text));
        written.expect("memory takes every text");
        text
    }
}
