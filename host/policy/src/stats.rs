//! Stats components over WebAssembly.

use deja_cache::{Gauges, Outcome, PolicyError, Sample, Stats};
use serde_json::Value;

use crate::contract::stats::{Event, GuestIndices};
use crate::stateful::Stateful;

/// A stats component.
pub struct WasmStats(pub(crate) Stateful<GuestIndices>);

impl WasmStats {
    /// Bytes of memory that it holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// What was wrong with the last of its answers that was of no use.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.0.last_error()
    }
}

impl Stats for WasmStats {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn fold(&mut self, events: &[Outcome]) -> Result<(), PolicyError> {
        let events: Vec<_> = events.iter().copied().map(Event::from).collect();
        self.0.call(|functions, store, collector| {
            functions.collector().call_fold(store, collector, &events)
        })
    }

    fn report(&mut self, gauges: &Gauges) -> Result<Value, PolicyError> {
        let gauges = (*gauges).into();
        let report = self.0.call(|functions, store, collector| {
            functions.collector().call_report(store, collector, gauges)
        })?;
        match serde_json::from_str(&report) {
            Ok(report @ Value::Object(_)) => Ok(report),
            Ok(_) => Err(self.0.useless("the report is not a JSON object")),
            Err(error) => Err(self.0.useless(&format!("the report is not JSON: {error}"))),
        }
    }

    fn samples(&mut self, gauges: &Gauges) -> Result<Vec<Sample>, PolicyError> {
        let gauges = (*gauges).into();
        let samples = self.0.call(|functions, store, collector| {
            functions.collector().call_samples(store, collector, gauges)
        })?;
        let (numbers, others): (Vec<_>, Vec<_>) = samples
            .into_iter()
            .map(Sample::from)
            .partition(|sample| sample.value.is_finite());
        if let Some(sample) = others.first() {
            self.0
                .useless(&format!("the sample `{}` is no number", sample.name));
        }
        Ok(numbers)
    }

    fn save(&mut self) -> Result<Vec<u8>, PolicyError> {
        self.0
            .call(|functions, store, collector| functions.collector().call_save(store, collector))
    }

    fn restore(&mut self, state: &[u8]) -> Result<bool, PolicyError> {
        self.0.call(|functions, store, collector| {
            functions.collector().call_restore(store, collector, state)
        })
    }
}
