//! How long calls took.

use std::{
    fmt::{self, Display, Formatter},
    time::{Duration, Instant},
};

/// The time that each call took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Makes a call, and keeps its time.
    pub(super) fn of<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let answer = call();
        self.0.push(start.elapsed());
        answer
    }
}

impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        // The time within which so many in a hundred ended.
        let within = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted.get(index).copied().unwrap_or_default()
        };
        let (middle, long) = (within(50), within(99));
        write!(
            f,
            "p50 {middle:.1?}, p99 {long:.1?} of {} calls",
            self.0.len()
        )
    }
}

#[cfg(test)]
impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_calls_took_no_longer_than_the_first_number() {
        let times: Times = (1..=200).rev().map(Duration::from_micros).collect();
        assert_eq!(times.to_string(), "p50 100.0µs, p99 198.0µs of 200 calls");
        assert_eq!(
            Times::default().to_string(),
            "p50 0.0ns, p99 0.0ns of 0 calls"
        );
    }

    #[test]
    fn a_call_gives_its_answer() {
        let mut times = Times::default();
        assert_eq!(times.of(|| 7), 7);
        assert_eq!(times.0.len(), 1);
    }
}
