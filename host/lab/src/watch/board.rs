//! What is known of a server, and how it came to be so.

use std::{collections::VecDeque, time::Duration};

use crate::live::{Live, LiveError, Outcomes};

/// Looks that are kept, which is how far the curve of the hit rate goes back.
const KEPT: usize = 240;

/// Looks over which "now" reaches.
const NOW: usize = 10;

/// What is known of a server.
#[derive(Debug)]
pub struct Board {
    url: String,
    /// The last that it told.
    live: Option<Live>,
    /// Why it tells nothing at present.
    trouble: Option<String>,
    /// What happened between looks, the latest last.
    ticks: VecDeque<Tick>,
}

/// What happened between one look and the next.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    requests: Outcomes,
    took: Duration,
}

impl Board {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            live: None,
            trouble: None,
            ticks: VecDeque::new(),
        }
    }

    /// Takes in the next look, so long after the one before.
    pub fn update(&mut self, look: Result<Live, LiveError>, took: Duration) {
        match look {
            Ok(live) => {
                if let Some(before) = self.live.take() {
                    let requests = live.requests.since(before.requests);
                    self.ticks.push_back(Tick { requests, took });
                }
                if self.ticks.len() > KEPT {
                    self.ticks.pop_front();
                }
                self.live = Some(live);
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn live(&self) -> Option<&Live> {
        self.live.as_ref()
    }

    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The hit rate of the last looks, if there were requests.
    pub(super) fn hit_rate_now(&self) -> Option<f64> {
        self.now().requests.hit_rate()
    }

    /// Requests a second, over the last looks.
    pub(super) fn requests_per_second(&self, count: impl Fn(Outcomes) -> u64) -> f64 {
        let now = self.now();
        let requests = Duration::from_secs(count(now.requests)).as_secs_f64();
        if now.took.is_zero() {
            0.0
        } else {
            requests / now.took.as_secs_f64()
        }
    }

    /// The hit rate between looks in percent, the latest last; none where nothing was asked.
    pub(super) fn hit_rates(&self) -> Vec<Option<u64>> {
        let percent = |requests: Outcomes| {
            let answerable = requests.answerable();
            (answerable > 0).then(|| requests.hit * 100 / answerable)
        };
        self.ticks
            .iter()
            .map(|tick| percent(tick.requests))
            .collect()
    }

    fn now(&self) -> Tick {
        let mut now = Tick::default();
        for tick in self.ticks.iter().rev().take(NOW) {
            now.requests = now.requests.plus(tick.requests);
            now.took += tick.took;
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::testing::{live, unreachable};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_curve_shows_what_happened_between_looks() {
        let mut board = Board::new("");
        for (hit, miss) in [(90, 10), (91, 11), (91, 11), (94, 11)] {
            board.update(Ok(live(hit, miss)), SECOND);
        }
        assert_eq!(board.hit_rates(), [Some(50), None, Some(100)]);
        assert_eq!(board.hit_rate_now(), Some(0.8));
        let rate = board.requests_per_second(Outcomes::total);
        assert!((rate - 5.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_known_stays_when_the_server_is_gone() {
        let mut board = Board::new("");
        board.update(Ok(live(3, 1)), SECOND);
        board.update(Err(unreachable()), SECOND);
        assert_eq!(board.live().map(|live| live.requests.hit), Some(3));
        assert!(
            board
                .trouble()
                .is_some_and(|trouble| trouble.contains("404"))
        );
        board.update(Ok(live(0, 0)), SECOND);
        assert_eq!((board.trouble(), board.hit_rate_now()), (None, None));
    }

    #[test]
    fn the_past_is_forgotten_at_last() {
        let mut board = Board::new("");
        for hits in 0..=(2 * KEPT as u64) {
            board.update(Ok(live(hits, 0)), SECOND);
        }
        assert_eq!(board.hit_rates().len(), KEPT);
    }
}
