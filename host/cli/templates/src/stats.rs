//! How many requests were answered in which way, and the time that this saved.

use deja_plugin::stats::{Event, Gauges, Outcome, Sample, StatsAccount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the configuration may set.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Whether requests count that left the cache out.
    count_bypasses: bool,
}

/// What is counted.
#[derive(Default, Deserialize, Serialize)]
struct Counts {
    hits: u64,
    others: u64,
    saved_ms: u64,
    #[serde(skip)]
    count_bypasses: bool,
}

impl StatsAccount for Counts {
    type Settings = Settings;

    fn new(settings: &Settings) -> Self {
        let count_bypasses = settings.count_bypasses;
        Self {
            count_bypasses,
            ..Self::default()
        }
    }

    fn add(&mut self, event: &Event) {
        match event.outcome {
            Outcome::Hit => self.hits += 1,
            Outcome::Bypass if !self.count_bypasses => {}
            _ => self.others += 1,
        }
        self.saved_ms += u64::from(event.saved_ms);
    }

    fn report(&self, gauges: &Gauges) -> String {
        let Self {
            hits,
            others,
            saved_ms,
            ..
        } = self;
        let entries = gauges.entries;
        serde_json::json!({
            "hits": hits, "others": others, "saved_ms": saved_ms, "entries": entries,
        })
        .to_string()
    }

    fn samples(&self, _gauges: &Gauges) -> Vec<Sample> {
        vec![Sample {
            name: "saved_milliseconds_total".to_owned(),
            labels: Vec::new(),
            value: self.saved_ms as f64,
        }]
    }

    fn save(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn restore(&mut self, state: &[u8]) -> bool {
        let Ok(saved) = serde_json::from_slice::<Self>(state) else {
            return false;
        };
        let count_bypasses = self.count_bypasses;
        *self = Self {
            count_bypasses,
            ..saved
        };
        true
    }
}

deja_plugin::stats_account!(Counts);

#[cfg(test)]
mod tests {
    use super::*;

    fn event(outcome: Outcome) -> Event {
        Event {
            at_ms: 1,
            outcome,
            first_us: 1,
            latency_us: 1,
            saved_ms: 7,
            prompt_tokens: 1,
            output_tokens: 1,
            bytes: 1,
        }
    }

    /// What is counted of a hit, a miss and a bypass.
    fn counted(settings: &Settings) -> Counts {
        let mut counts = Counts::new(settings);
        for outcome in [Outcome::Hit, Outcome::Miss, Outcome::Bypass] {
            counts.add(&event(outcome));
        }
        counts
    }

    #[test]
    fn each_outcome_is_counted() {
        let counts = counted(&Settings::default());
        assert_eq!((counts.hits, counts.others, counts.saved_ms), (1, 1, 21));
        assert_eq!(
            counted(&Settings {
                count_bypasses: true
            })
            .others,
            2
        );
    }

    #[test]
    fn the_next_version_goes_on_counting() {
        let mut next = Counts::new(&Settings::default());
        assert!(next.restore(&counted(&Settings::default()).save()));
        next.add(&event(Outcome::Hit));
        assert_eq!(next.hits, 2);
        assert!(!next.restore(b"nothing"));
    }
}
