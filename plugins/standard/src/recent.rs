//! What happened lately: a ring of short stretches of time.

use deja_plugin::stats::Event;
use serde::{Deserialize, Serialize};

use crate::totals::Totals;

/// How long a slot lasts.
const SLOT_MS: u64 = 10_000;
const SLOTS_PER_MINUTE: u64 = 60_000 / SLOT_MS;
/// Slots for the longest window, and the one that time is in now.
const SLOTS: u64 = Window::LastQuarter.minutes() * SLOTS_PER_MINUTE + 1;

/// A stretch of time that ends now. It begins with a slot, and is up to 10 seconds longer than its
/// name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// One minute.
    LastMinute,
    /// 15 minutes.
    LastQuarter,
}

impl Window {
    const fn minutes(self) -> u64 {
        match self {
            Self::LastMinute => 1,
            Self::LastQuarter => 15,
        }
    }
}

/// What happened in each of the last slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    /// Slots from the Unix epoch to this one. Its place in the ring is what is left of it.
    number: u64,
    totals: Totals,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
        }
    }
}

impl Recent {
    /// Takes one request in.
    pub(crate) fn add(&mut self, event: &Event) {
        let number = event.at_ms / SLOT_MS;
        let slot = &mut self.slots[place(number)];
        // Also where the clock was set back: what came before is of no moment then.
        if slot.number != number {
            let totals = Totals::default();
            *slot = Slot { number, totals };
        }
        slot.totals.add(event);
    }

    /// What happened in a window that ends at this time.
    pub(crate) fn totals(&self, window: Window, now_ms: u64) -> Totals {
        let now = now_ms / SLOT_MS;
        let first = now.saturating_sub(window.minutes() * SLOTS_PER_MINUTE);
        let mut totals = Totals::default();
        for slot in &self.slots {
            if (first..=now).contains(&slot.number) {
                totals.merge(&slot.totals);
            }
        }
        totals
    }

    /// Whether [`Self::add`] could have made it.
    pub(crate) fn is_sound(&self) -> bool {
        self.slots.len() as u64 == SLOTS && self.slots.iter().all(|slot| slot.totals.is_sound())
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number % SLOTS).expect("there are few slots")
}

#[cfg(test)]
mod tests {
    use deja_plugin::stats::Outcome;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::event;

    const MINUTE: u64 = 60_000;

    fn of(events: &[Event]) -> Recent {
        let mut recent = Recent::default();
        for event in events {
            recent.add(event);
        }
        recent
    }

    fn hits(recent: &Recent, window: Window, now_ms: u64) -> u64 {
        recent.totals(window, now_ms).count(Outcome::Hit)
    }

    #[test]
    fn a_window_forgets_what_is_older() {
        let at = 1_000 * MINUTE;
        let recent = of(&[event(at, Outcome::Hit)]);
        for (window, minutes) in [(Window::LastMinute, 1), (Window::LastQuarter, 15)] {
            assert_eq!(hits(&recent, window, at), 1);
            assert_eq!(hits(&recent, window, at + minutes * MINUTE), 1);
            assert_eq!(hits(&recent, window, at + minutes * MINUTE + SLOT_MS), 0);
            assert_eq!(hits(&recent, window, at - SLOT_MS), 0);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_starts_anew() {
        let at = 1_000 * MINUTE;
        let earlier = at - SLOTS * SLOT_MS;
        let recent = of(&[event(at, Outcome::Hit), event(earlier, Outcome::Hit)]);
        assert_eq!(hits(&recent, Window::LastMinute, earlier), 1);
        assert_eq!(hits(&recent, Window::LastQuarter, at), 0);
    }

    #[test]
    fn any_time_will_do() {
        let recent = of(&[event(u64::MAX, Outcome::Hit), event(0, Outcome::Hit)]);
        assert_eq!(hits(&recent, Window::LastMinute, u64::MAX), 1);
        assert_eq!(hits(&recent, Window::LastMinute, 0), 1);
    }

    proptest! {
        #[test]
        fn a_window_holds_what_happened_since(mut times in prop::collection::vec(0..40 * MINUTE, 0..100)) {
            times.sort_unstable();
            let now = times.last().copied().unwrap_or_default();
            let events: Vec<_> = times.iter().map(|&at_ms| event(at_ms, Outcome::Hit)).collect();
            let recent = of(&events);
            for window in [Window::LastMinute, Window::LastQuarter] {
                let first = (now / SLOT_MS * SLOT_MS).saturating_sub(window.minutes() * MINUTE);
                let expected = times.iter().filter(|&&at_ms| at_ms >= first).count();
                prop_assert_eq!(hits(&recent, window, now), expected as u64);
            }
        }
    }
}
