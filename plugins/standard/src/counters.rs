//! The counters, and what is made of them.

use deja_plugin::stats::{Event, Gauges, Outcome, Sample};

/// The first byte of a saved state: the version of what follows, which is each counter as a
/// little-endian number of eight bytes.
const STATE_VERSION: u8 = 1;

/// What happened since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    hits: u64,
    misses: u64,
    coalesced: u64,
    bypasses: u64,
    errors: u64,
    saved_ms: u64,
}

impl Counters {
    /// Takes one request in.
    pub(crate) fn add(&mut self, event: &Event) {
        *match event.outcome {
            Outcome::Hit => &mut self.hits,
            Outcome::Miss => &mut self.misses,
            Outcome::Coalesced => &mut self.coalesced,
            Outcome::Bypass => &mut self.bypasses,
            Outcome::Error => &mut self.errors,
        } += 1;
        self.saved_ms = self.saved_ms.saturating_add(event.saved_ms.into());
    }

    /// The JSON object of `/health`.
    pub(crate) fn report(&self, gauges: &Gauges) -> String {
        format!(
            r#"{{"hits":{},"misses":{},"total_requests":{},"hit_rate":"{}","cached_items":{}}}"#,
            self.hits,
            self.misses,
            self.total(),
            self.hit_rate(),
            gauges.entries,
        )
    }

    /// Requests that the cache could have answered.
    fn total(&self) -> u64 {
        self.hits + self.misses + self.coalesced
    }

    /// Hits among all requests, in percent to one decimal.
    fn hit_rate(&self) -> String {
        // Whole numbers throughout: halves go up, and no float is formatted.
        let permille = match u128::from(self.total()) {
            0 => 0,
            total => (u128::from(self.hits) * 2000 + total) / (2 * total),
        };
        format!("{}.{}%", permille / 10, permille % 10)
    }

    /// The samples of `/metrics`.
    pub(crate) fn samples(&self, gauges: &Gauges) -> Vec<Sample> {
        let outcomes = [
            ("hit", self.hits),
            ("miss", self.misses),
            ("coalesced", self.coalesced),
            ("bypass", self.bypasses),
            ("error", self.errors),
        ];
        let requests = outcomes.map(|(outcome, count)| {
            let labels = vec![("outcome".to_owned(), outcome.to_owned())];
            sample("deja_cache_requests_total", labels, count)
        });
        let others = [
            ("deja_cache_saved_milliseconds_total", self.saved_ms),
            ("deja_cache_evictions_total", gauges.evictions),
            ("deja_cache_entries", gauges.entries),
            ("deja_cache_bytes", gauges.bytes),
        ];
        let others = others.map(|(name, value)| sample(name, Vec::new(), value));
        requests.into_iter().chain(others).collect()
    }

    /// The counters, to be restored.
    pub(crate) fn save(&self) -> Vec<u8> {
        let Self {
            hits,
            misses,
            coalesced,
            bypasses,
            errors,
            saved_ms,
        } = *self;
        let mut state = vec![STATE_VERSION];
        for counter in [hits, misses, coalesced, bypasses, errors, saved_ms] {
            state.extend(counter.to_le_bytes());
        }
        state
    }

    /// Saved counters, if these are some.
    pub(crate) fn restore(state: &[u8]) -> Option<Self> {
        let (&STATE_VERSION, saved) = state.split_first()? else {
            return None;
        };
        let (counters, []) = saved.as_chunks() else {
            return None;
        };
        let [hits, misses, coalesced, bypasses, errors, saved_ms] = *counters else {
            return None;
        };
        Some(Self {
            hits: u64::from_le_bytes(hits),
            misses: u64::from_le_bytes(misses),
            coalesced: u64::from_le_bytes(coalesced),
            bypasses: u64::from_le_bytes(bypasses),
            errors: u64::from_le_bytes(errors),
            saved_ms: u64::from_le_bytes(saved_ms),
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a float, and 53 bits are plenty"
)]
fn sample(name: &str, labels: Vec<(String, String)>, value: u64) -> Sample {
    Sample {
        name: name.to_owned(),
        labels,
        value: value as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAUGES: Gauges = Gauges {
        at_ms: 0,
        entries: 1,
        bytes: 9,
        capacity_entries: 2,
        capacity_bytes: 99,
        evictions: 0,
    };

    fn counters(outcomes: &[Outcome]) -> Counters {
        let mut counters = Counters::default();
        for &outcome in outcomes {
            counters.add(&Event {
                at_ms: 0,
                outcome,
                first_us: 0,
                latency_us: 5,
                saved_ms: 7,
                prompt_tokens: 1,
                output_tokens: 1,
                bytes: 1,
            });
        }
        counters
    }

    #[test]
    fn the_report_counts_what_the_cache_could_have_answered() {
        use Outcome::{Bypass, Error, Hit, Miss};
        let counters = counters(&[Miss, Hit, Hit, Bypass, Error]);
        assert_eq!(
            counters.report(&GAUGES),
            r#"{"hits":2,"misses":1,"total_requests":3,"hit_rate":"66.7%","cached_items":1}"#
        );
    }

    #[test]
    fn the_hit_rate_has_one_decimal() {
        use Outcome::{Coalesced, Hit, Miss};
        assert_eq!(counters(&[]).hit_rate(), "0.0%");
        assert_eq!(counters(&[Hit]).hit_rate(), "100.0%");
        assert_eq!(counters(&[Hit, Miss, Coalesced]).hit_rate(), "33.3%");
        assert_eq!(
            Counters {
                hits: 1,
                misses: 15,
                ..counters(&[])
            }
            .hit_rate(),
            "6.3%"
        );
    }

    #[test]
    fn counters_go_on_after_a_restore() {
        let before = counters(&[Outcome::Hit, Outcome::Coalesced, Outcome::Error]);
        assert_eq!(Counters::restore(&before.save()), Some(before));
    }

    #[test]
    fn a_state_of_another_kind_is_refused() {
        for state in [&[][..], &[1], &[2; 49], &[1; 48], &[1; 50], b"{}"] {
            assert_eq!(Counters::restore(state), None, "{state:?}");
        }
    }

    #[test]
    fn every_outcome_has_its_sample() {
        let samples = counters(&[Outcome::Bypass]).samples(&GAUGES);
        let counts: Vec<_> = samples
            .iter()
            .flat_map(|sample| {
                sample
                    .labels
                    .iter()
                    .map(|(_, outcome)| (&**outcome, sample.value))
            })
            .collect();
        let expected = [
            ("hit", 0.0),
            ("miss", 0.0),
            ("coalesced", 0.0),
            ("bypass", 1.0),
            ("error", 0.0),
        ];
        assert_eq!(counts, expected);
    }
}
