//! Leaves a plugin alone that fails again and again, and lets it try now and then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

/// When a plugin is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Failures in a row after which a keyer is left alone. The others are left alone after one:
    /// it costs them all that they know.
    pub failures: u32,
    /// How long it is left alone the first time. Each time that it fails soon after, it is twice as
    /// long.
    pub first_pause: Duration,
    /// How long it is left alone at most.
    pub longest_pause: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_mins(1),
        }
    }
}

/// Whether a plugin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is left alone.
    Open,
    /// It was left alone, and is asked once to see whether it works again.
    Probing,
}

/// Bytes of the largest request that is of the first size.
const FIRST_SIZE: usize = 1 << 20;

/// Classes of request sizes, each with a breaker of its own.
const SIZES: usize = 14;

/// The circuit breakers of one plugin, one for each size of requests: what fails on large ones may
/// work on smaller ones, and whoever sends the large ones is not to have it left alone for all.
pub(crate) struct Breakers {
    limits: BreakerLimits,
    of_size: [Breaker; SIZES],
}

/// How large a request is: each size is twice the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(usize);

impl Size {
    /// The size of what is no request.
    pub(crate) const FIRST: Self = Self(0);

    /// The size of a request of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        let doublings = (bytes / FIRST_SIZE).checked_ilog2();
        let size = doublings.map_or(0, |doublings| doublings as usize + 1);
        Self(size.min(SIZES - 1))
    }
}

impl Breakers {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            of_size: std::array::from_fn(|_| Breaker::new(limits)),
        }
    }

    pub(crate) fn limits(&self) -> BreakerLimits {
        self.limits
    }

    /// Whether no call has failed since all went well, so that no size has to be known.
    pub(crate) fn are_calm(&self) -> bool {
        self.of_size.iter().all(Breaker::is_calm)
    }

    /// The one for requests of this size.
    pub(crate) fn of(&self, size: Size) -> &Breaker {
        &self.of_size[size.0]
    }

    /// The state for small requests, or for the first size for which all is not well.
    pub(crate) fn state(&self) -> BreakerState {
        let mut states = self.of_size.iter().map(Breaker::state);
        states
            .find(|state| *state != BreakerState::Closed)
            .unwrap_or(BreakerState::Closed)
    }
}

/// The circuit breaker of one plugin, for requests of one size.
pub(crate) struct Breaker {
    limits: BreakerLimits,
    /// Whether all is well, so that a call need not take the lock.
    calm: AtomicBool,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    /// Failures since the last success.
    failures: u32,
    /// The last pause; zero before the first.
    pause: Duration,
}

enum Phase {
    Closed { since: Instant },
    Open { until: Instant },
    Probing { until: Instant },
}

impl Breaker {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        let inner = Inner {
            phase: Phase::Closed {
                since: Instant::now(),
            },
            failures: 0,
            pause: Duration::ZERO,
        };
        Self {
            limits,
            calm: AtomicBool::new(true),
            inner: Mutex::new(inner),
        }
    }

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether the plugin may be called now. After each pause one call may, as a probe; should
    /// nobody hear of it again, another may after the same time.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        if self.calm.load(Ordering::Relaxed) {
            return true;
        }
        let mut inner = self.inner.lock();
        match inner.phase {
            Phase::Closed { .. } => true,
            Phase::Open { until } | Phase::Probing { until } if now < until => false,
            Phase::Open { .. } | Phase::Probing { .. } => {
                let until = now + inner.pause;
                inner.phase = Phase::Probing { until };
                true
            }
        }
    }

    /// A call went well. One that began before the plugin was left alone proves nothing. The clock
    /// is read only where all was not well before: that takes a tenth of a short call.
    pub(crate) fn succeeded(&self, clock: impl FnOnce() -> Instant) {
        if self.calm.load(Ordering::Relaxed) {
            return;
        }
        let now = clock();
        let mut inner = self.inner.lock();
        match inner.phase {
            Phase::Closed { .. } => {}
            Phase::Probing { .. } => inner.phase = Phase::Closed { since: now },
            Phase::Open { .. } => return,
        }
        inner.failures = 0;
        self.calm.store(true, Ordering::Relaxed);
    }

    /// A call failed. Returns how long the plugin is left alone, if that begins now.
    pub(crate) fn failed(&self, now: Instant) -> Option<Duration> {
        let mut inner = self.inner.lock();
        self.calm.store(false, Ordering::Relaxed);
        inner.failures = inner.failures.saturating_add(1);
        let longest = self.limits.longest_pause;
        let first = self.limits.first_pause.min(longest);
        let longer = inner.pause.saturating_mul(2).max(first).min(longest);
        inner.pause = match inner.phase {
            Phase::Open { .. } => return None,
            Phase::Closed { .. } if inner.failures < self.limits.failures => return None,
            Phase::Closed { since } if now >= since + inner.pause => first,
            Phase::Closed { .. } | Phase::Probing { .. } => longer,
        };
        inner.phase = Phase::Open {
            until: now + inner.pause,
        };
        Some(inner.pause)
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.inner.lock().phase {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::Probing { .. } => BreakerState::Probing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BreakerLimits = BreakerLimits {
        failures: 2,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(3),
    };

    #[test]
    fn failures_in_a_row_open_it_and_a_good_probe_closes_it() {
        let (breaker, start) = (Breaker::new(LIMITS), Instant::now());
        assert_eq!(breaker.failed(start), None);
        breaker.succeeded(|| start);
        assert_eq!(breaker.failed(start), None, "not in a row");
        assert_eq!(breaker.failed(start), Some(Duration::from_secs(1)));
        assert_eq!(breaker.failed(start), None, "it began before");
        breaker.succeeded(|| start);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(!breaker.admits(start));

        let later = start + LIMITS.first_pause;
        assert!(breaker.admits(later) && !breaker.admits(later), "one probe");
        assert_eq!(breaker.state(), BreakerState::Probing);
        breaker.succeeded(|| later);
        assert!(breaker.admits(later) && breaker.admits(later));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn who_fails_again_soon_waits_longer_up_to_a_limit() {
        let breaker = Breaker::new(LIMITS);
        let mut now = Instant::now();
        breaker.failed(now);
        assert_eq!(breaker.failed(now), Some(Duration::from_secs(1)));
        for pause in [2, 3, 3] {
            now += Duration::from_secs(3);
            assert!(breaker.admits(now));
            assert_eq!(breaker.failed(now), Some(Duration::from_secs(pause)));
        }
        now += Duration::from_secs(3);
        assert!(breaker.admits(now));
        breaker.succeeded(|| now);
        breaker.failed(now);
        assert_eq!(
            breaker.failed(now),
            Some(Duration::from_secs(3)),
            "it worked for too short"
        );
        now += Duration::from_secs(3);
        assert!(breaker.admits(now));
        breaker.succeeded(|| now);
        now += Duration::from_secs(3);
        breaker.failed(now);
        assert_eq!(
            breaker.failed(now),
            Some(Duration::from_secs(1)),
            "it had worked for long"
        );
    }

    #[test]
    fn failures_on_large_requests_leave_small_ones_alone() {
        let (breakers, now) = (Breakers::new(LIMITS), Instant::now());
        let [small, large] = [1000, 30 << 20].map(Size::of);
        assert!(breakers.are_calm() && Size::of(0) == Size::FIRST && small == Size::FIRST);
        assert_eq!(Size::of(usize::MAX), Size(SIZES - 1));
        for _ in 0..LIMITS.failures {
            breakers.of(large).failed(now);
        }
        assert!(!breakers.are_calm() && breakers.state() == BreakerState::Open);
        assert!(!breakers.of(large).admits(now) && breakers.of(small).admits(now));
        assert!(breakers.of(Size::of(10 << 20)).admits(now));
    }

    #[test]
    fn a_probe_that_nobody_hears_of_again_is_followed_by_another() {
        let (breaker, start) = (Breaker::new(LIMITS), Instant::now());
        breaker.failed(start);
        breaker.failed(start);
        assert!(breaker.admits(start + Duration::from_secs(1)));
        assert!(breaker.admits(start + Duration::from_secs(2)));
    }
}
