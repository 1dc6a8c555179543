//! All that is kept, and its hand-over to the next version of this plugin.

use deja_plugin::stats::Event;
use serde::{Deserialize, Serialize};

use crate::recent::Recent;
use crate::totals::{OUTCOMES, Saved, Totals};

/// The first byte of a saved state: the version of what follows, which is a [`History`] in
/// postcard's format. A change of any type in it is a new version.
const STATE_VERSION: u8 = 2;
/// The version before: requests by outcome and the milliseconds saved, as little-endian numbers of
/// eight bytes.
const COUNTERS_VERSION: u8 = 1;

/// What happened since the beginning, and lately.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) ever: Totals,
    pub(crate) recent: Recent,
}

impl History {
    /// Takes one request in.
    pub(crate) fn add(&mut self, event: &Event) {
        self.ever.add(event);
        self.recent.add(event);
    }

    /// The history, to be restored.
    pub(crate) fn save(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![STATE_VERSION]).expect("numbers and lists can be written")
    }

    /// A saved history, if this is one.
    pub(crate) fn restore(state: &[u8]) -> Option<Self> {
        match state.split_first()? {
            (&STATE_VERSION, saved) => {
                let (history, rest) = postcard::take_from_bytes::<Self>(saved).ok()?;
                (rest.is_empty() && history.is_sound()).then_some(history)
            }
            (&COUNTERS_VERSION, saved) => Self::of_counters(saved),
            _ => None,
        }
    }

    fn is_sound(&self) -> bool {
        self.ever.is_sound() && self.recent.is_sound()
    }

    fn of_counters(saved: &[u8]) -> Option<Self> {
        let (counters, []) = saved.as_chunks() else {
            return None;
        };
        let [requests @ .., milliseconds] = <[_; OUTCOMES.len() + 1]>::try_from(counters)
            .ok()?
            .map(u64::from_le_bytes);
        let saved = Saved {
            milliseconds,
            ..Saved::default()
        };
        let ever = Totals {
            requests,
            saved,
            ..Totals::default()
        };
        Some(Self {
            ever,
            recent: Recent::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use deja_plugin::stats::Outcome;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::event;

    fn any_events() -> impl Strategy<Value = Vec<Event>> {
        let times = (0..2_000_000_u64, 0..100_000_000_u64, any::<u64>());
        let any =
            (times, 0..OUTCOMES.len()).prop_map(|((at_ms, latency_us, bytes), outcome)| Event {
                latency_us,
                bytes,
                ..event(at_ms, OUTCOMES[outcome].0)
            });
        prop::collection::vec(any, 0..100)
    }

    fn of(events: &[Event]) -> History {
        let mut history = History::default();
        for event in events {
            history.add(event);
        }
        history
    }

    #[test]
    fn the_counters_of_the_version_before_go_on() {
        let mut state = vec![1];
        for counter in [3_u64, 2, 1, 9, 8, 7_000] {
            state.extend(counter.to_le_bytes());
        }
        let mut history = History::restore(&state).expect("it is understood");
        assert_eq!(history.ever.requests, [3, 2, 1, 9, 8]);
        assert_eq!(history.ever.saved.milliseconds, 7_000);
        history.add(&event(0, Outcome::Hit));
        assert_eq!(history.ever.count(Outcome::Hit), 4);
    }

    #[test]
    fn a_state_of_another_kind_is_refused() {
        let saved = History::default().save();
        let longer = [&saved[..], &[0]].concat();
        let newer = [&[3], &saved[1..]].concat();
        let states: [&[u8]; 8] = [
            &[],
            &[1],
            &[1; 48],
            &[1; 50],
            b"{}",
            &saved[..saved.len() - 1],
            &longer,
            &newer,
        ];
        for state in states {
            assert_eq!(History::restore(state), None, "{state:?}");
        }
    }

    #[test]
    fn a_state_that_would_not_hold_is_refused() {
        #[derive(Serialize)]
        struct Unsound {
            ever: Totals,
            slots: Vec<(u64, Totals)>,
        }
        let unsound = Unsound {
            ever: Totals::default(),
            slots: vec![(0, Totals::default())],
        };
        let state = postcard::to_extend(&unsound, vec![STATE_VERSION]).expect("is written");
        assert_eq!(History::restore(&state), None);
    }

    proptest! {
        #[test]
        fn a_restored_history_goes_on_as_if_nothing_was(before in any_events(), after in any_events()) {
            let mut restored = History::restore(&of(&before).save()).expect("it is understood");
            for event in &after {
                restored.add(event);
            }
            prop_assert_eq!(restored, of(&[before, after].concat()));
        }

        #[test]
        fn any_bytes_are_a_state_or_none(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(mut history) = History::restore(&[&[STATE_VERSION], &bytes[..]].concat()) {
                history.add(&event(0, Outcome::Hit));
            }
        }
    }
}
