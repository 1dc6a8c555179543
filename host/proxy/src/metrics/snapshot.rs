//! What is so at the moment of a scrape: gauges, plugins, workers, and a stats component's numbers.

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64};

use deja_cache::{Gauges, Sample};
use deja_engine::WorkerState;
use deja_policy::{BreakerState, PluginStatus};
use deja_trace::RecorderStatus;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Registry, Unit},
};

/// Names that are the host's own. A stats component cannot speak for it.
const RESERVED: [&str; 18] = [
    "deja_requests",
    "deja_request_duration_seconds",
    "deja_time_to_first_token_seconds",
    "deja_upstream_duration_seconds",
    "deja_requests_in_flight",
    "deja_cache_entries",
    "deja_cache_bytes",
    "deja_cache_evictions",
    "deja_plugin_calls",
    "deja_plugin_left_alone",
    "deja_plugin_failures",
    "deja_plugin_rejected",
    "deja_plugin_seconds",
    "deja_worker_restarts",
    "deja_model_loaded",
    "deja_log_dropped",
    "deja_trace_records",
    "deja_trace_records_dropped",
];

/// What is so at the moment of a scrape.
pub(crate) struct Snapshot {
    pub(crate) in_flight: usize,
    pub(crate) gauges: Gauges,
    pub(crate) plugins: Vec<PluginStatus>,
    /// How each backend's worker is doing.
    pub(crate) workers: Vec<(String, WorkerState)>,
    /// Lines that the log lacks.
    pub(crate) dropped_lines: u64,
    /// How the recording goes, where traffic is recorded.
    pub(crate) trace: Option<RecorderStatus>,
    /// What the stats component tells.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BackendLabel {
    backend: String,
}

impl Snapshot {
    /// Registers the host's own numbers, and returns what collects the component's.
    pub(super) fn register(self, registry: &mut Registry) -> Samples {
        let gauge = |registry: &mut Registry, name: &str, help: &str, value: u64| {
            let gauge: Gauge<u64, AtomicU64> = Gauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        let in_flight = self.in_flight as u64;
        gauge(
            registry,
            "requests_in_flight",
            "Requests that are being answered",
            in_flight,
        );
        gauge(
            registry,
            "cache_entries",
            "Answers held",
            self.gauges.entries,
        );
        gauge(registry, "cache_bytes", "Bytes held", self.gauges.bytes);
        let evicted = self.gauges.evictions;
        counter(
            registry,
            "cache_evictions",
            "Answers that had to leave",
            evicted,
        );
        counter(
            registry,
            "log_dropped",
            "Lines that the log lacks: standard error is slow",
            self.dropped_lines,
        );
        register_plugins(registry, self.plugins);
        register_workers(registry, self.workers);
        if let Some(status) = &self.trace {
            register_trace(registry, status);
        }
        Samples::new(self.samples)
    }
}

fn register_workers(registry: &mut Registry, workers: Vec<(String, WorkerState)>) {
    let restarts = Family::<BackendLabel, Counter>::default();
    let loaded = Family::<BackendLabel, Gauge>::default();
    for (backend, state) in workers {
        let label = BackendLabel { backend };
        restarts.get_or_create(&label).inc_by(state.restarts.into());
        let is_loaded = state.status.is_loaded();
        loaded.get_or_create(&label).inc_by(is_loaded.into());
    }
    registry.register(
        "worker_restarts",
        "Times a worker was started again",
        restarts,
    );
    registry.register(
        "model_loaded",
        "Whether a backend's model is in memory",
        loaded,
    );
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(value);
    registry.register(name, help, counter);
}

fn register_trace(registry: &mut Registry, status: &RecorderStatus) {
    counter(
        registry,
        "trace_records",
        "Requests that the trace holds",
        status.written,
    );
    counter(
        registry,
        "trace_records_dropped",
        "Requests that the trace lacks: its disk is full or slow",
        status.dropped,
    );
}

fn register_plugins(registry: &mut Registry, plugins: Vec<PluginStatus>) {
    let calls = Family::<PluginLabels, Counter>::default();
    let failures = Family::<PluginLabels, Counter>::default();
    let seconds = Family::<PluginLabels, Counter<f64, AtomicU64>>::default();
    let left_alone = Family::<PluginLabels, Gauge>::default();
    let rejected = Family::<PluginLabels, Gauge>::default();
    for status in plugins {
        let labels = PluginLabels {
            plugin: status.name,
            kind: status.kind.to_string(),
        };
        calls.get_or_create(&labels).inc_by(status.calls);
        let is_left_alone = status.breaker != BreakerState::Closed;
        left_alone
            .get_or_create(&labels)
            .inc_by(is_left_alone.into());
        let is_rejected = status.rejected.is_some();
        rejected.get_or_create(&labels).inc_by(is_rejected.into());
        failures.get_or_create(&labels).inc_by(status.failures);
        let busy = std::time::Duration::from_micros(status.busy_us);
        seconds.get_or_create(&labels).inc_by(busy.as_secs_f64());
    }
    registry.register("plugin_calls", "Calls into a plugin", calls);
    registry.register(
        "plugin_failures",
        "Calls into a plugin that failed, or whose answers were of no use",
        failures,
    );
    registry.register(
        "plugin_left_alone",
        "Whether a plugin is left alone because it failed",
        left_alone,
    );
    registry.register(
        "plugin_rejected",
        "Whether a plugin's newest file was not loaded",
        rejected,
    );
    registry.register_with_unit("plugin", "Time spent in a plugin", Unit::Seconds, seconds);
}

/// A stats component's numbers, by name. What Prometheus could not read is left out.
#[derive(Debug)]
pub(super) struct Samples(BTreeMap<String, Vec<Sample>>);

impl Samples {
    fn new(samples: Vec<Sample>) -> Self {
        let mut by_name: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        let usable = samples.into_iter().filter(is_readable);
        for sample in usable {
            let family = by_name.entry(family(&sample.name).to_owned()).or_default();
            if !family.iter().any(|known| known.labels == sample.labels) {
                family.push(sample);
            }
        }
        by_name.retain(|name, _| !RESERVED.contains(&name.as_str()));
        Self(by_name)
    }
}

/// A counter's family is named without the suffix that its samples have.
fn family(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

fn is_readable(sample: &Sample) -> bool {
    let label = |name: &str| is_name(name) && !name.contains(':') && !name.starts_with("__");
    is_name(&sample.name)
        && sample.value.is_finite()
        && sample.labels.iter().all(|(name, _)| label(name))
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(allowed) && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        const HELP: &str = "As the stats component counts it";
        for (name, samples) in &self.0 {
            let is_counter = samples[0].name.ends_with("_total");
            let kind = if is_counter {
                ConstCounter::new(0.0).metric_type()
            } else {
                ConstGauge::new(0.0).metric_type()
            };
            let mut descriptor = encoder.encode_descriptor(name, HELP, None, kind)?;
            for sample in samples {
                let encoder = descriptor.encode_family(&sample.labels)?;
                if is_counter {
                    ConstCounter::new(sample.value.max(0.0)).encode(encoder)?;
                } else {
                    ConstGauge::new(sample.value).encode(encoder)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use deja_engine::WorkerStatus;

    use super::*;
    use crate::metrics::Metrics;

    fn sample(name: &str, label: &str, value: f64) -> Sample {
        Sample {
            name: name.to_owned(),
            labels: vec![("outcome".to_owned(), label.to_owned())],
            value,
        }
    }

    fn text(samples: Vec<Sample>) -> String {
        let worker = WorkerState {
            status: WorkerStatus::Unloaded,
            restarts: 2,
        };
        Metrics::new().text(Snapshot {
            in_flight: 3,
            gauges: Gauges::default(),
            plugins: Vec::new(),
            workers: vec![("mlx".to_owned(), worker)],
            dropped_lines: 5,
            trace: None,
            samples,
        })
    }

    #[test]
    fn a_components_numbers_stand_beside_the_hosts() {
        let text = text(vec![
            sample("my_hits_total", "a\"b", 2.0),
            sample("my_hits_total", "c", 3.0),
            sample("my_level", "x", -0.5),
        ]);
        for line in [
            "deja_requests_in_flight 3",
            "deja_log_dropped_total 5",
            "deja_worker_restarts_total{backend=\"mlx\"} 2",
            "deja_model_loaded{backend=\"mlx\"} 0",
            "# TYPE my_hits counter",
            "my_hits_total{outcome=\"a\\\"b\"} 2.0",
            "my_hits_total{outcome=\"c\"} 3.0",
            "my_level{outcome=\"x\"} -0.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn what_would_break_a_scrape_is_left_out() {
        let text = text(vec![
            sample("my level", "x", 1.0),
            sample("my_nan", "x", f64::NAN),
            sample("deja_cache_entries", "x", 7.0),
            sample("twice", "x", 1.0),
            sample("twice", "x", 2.0),
        ]);
        assert!(!text.contains("my"), "{text}");
        assert!(text.contains("deja_cache_entries 0\n"), "{text}");
        assert_eq!(text.matches("twice{").count(), 1);
    }
}
