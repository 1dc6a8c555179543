//! When to start a lost worker again.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Failures older than this are forgiven.
const MEMORY: Duration = Duration::from_mins(1);

/// So many failures within [`MEMORY`] are taken for chance: the next worker starts at once.
const FORGIVEN: usize = 2;

const LONGEST: Duration = Duration::from_secs(30);

/// Waits twice as long after each failure, once there are three in a minute.
#[derive(Debug, Default)]
pub(crate) struct BackOff {
    failures: VecDeque<Instant>,
    delay: Duration,
}

impl BackOff {
    /// Notes a failure, and tells how long to wait before the next attempt.
    pub(crate) fn after_failure(&mut self, now: Instant) -> Duration {
        self.failures.push_back(now);
        while self
            .failures
            .front()
            .is_some_and(|failure| now.duration_since(*failure) > MEMORY)
        {
            self.failures.pop_front();
        }
        self.delay = match self.failures.len() {
            ..=FORGIVEN => Duration::ZERO,
            _ => (self.delay * 2).clamp(Duration::from_secs(1), LONGEST),
        };
        self.delay
    }

    /// The last wait.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_from_the_third_failure_in_a_minute_on() {
        let (mut back_off, start) = (BackOff::default(), Instant::now());
        let seconds = [0, 1, 2, 3, 5, 9, 17, 33];
        let delays = seconds.map(|second| {
            back_off
                .after_failure(start + Duration::from_secs(second))
                .as_secs()
        });
        assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 30]);
    }

    #[test]
    fn forgets_after_a_minute() {
        let (mut back_off, start) = (BackOff::default(), Instant::now());
        for minute in 0..5 {
            let now = start + minute * Duration::from_secs(61);
            assert_eq!(back_off.after_failure(now), Duration::ZERO);
        }
    }
}
