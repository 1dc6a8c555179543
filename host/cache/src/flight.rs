//! Answers in the making, shared by all who ask for the same.
//!
//! The first to ask leads: it fetches, and tells the flight each event. The others, and the
//! leader's own client, follow it from its first event. A leader holds a [`Permit`], whose drop
//! ends the flight, so nobody waits for a leader that is gone.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Entry, Key};

/// The flights in the air, by key: each tells events `T` and lands as `L`, or fails with `E`.
pub struct Flights<T, L, E> {
    open: Open<T, L, E>,
}

type Open<T, L, E> = Arc<Mutex<HashMap<Key, watch::Sender<Progress<T, L, E>>>>>;

/// How far a flight is.
struct Progress<T, L, E> {
    events: Vec<T>,
    end: Option<Result<L, E>>,
}

/// A caller's part in a flight.
pub enum Boarding<T, L, E> {
    /// The answer came in meanwhile.
    Landed(Arc<Entry>),
    /// Nobody fetches it yet: the caller does.
    Lead(Permit<T, L, E>, Follower<T, L, E>),
    /// Somebody fetches it already.
    Join(Follower<T, L, E>),
}

/// Why a flight ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlightError<E> {
    /// The fetch failed.
    #[error(transparent)]
    Failed(E),
    /// The leader is gone and said nothing.
    #[error("the request was given up")]
    Abandoned,
}

impl<T: Clone, L: Clone, E: Clone> Flights<T, L, E> {
    /// No flight yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: Open::default(),
        }
    }

    /// Joins the flight to this key, or leads a new one. `landed` looks the answer up once more,
    /// under the lock, so that nobody fetches what a leader has just stored.
    pub fn board(
        &self,
        key: Key,
        landed: impl FnOnce() -> Option<Arc<Entry>>,
    ) -> Boarding<T, L, E> {
        let mut open = self.open.lock();
        if let Some(progress) = open.get(&key) {
            return Boarding::Join(Follower::new(progress));
        }
        if let Some(entry) = landed() {
            return Boarding::Landed(entry);
        }
        let (permit, follower) = self.start(Some(key));
        open.insert(key, permit.progress.clone());
        Boarding::Lead(permit, follower)
    }

    /// A flight that nobody else can join.
    #[must_use]
    pub fn alone(&self) -> (Permit<T, L, E>, Follower<T, L, E>) {
        self.start(None)
    }

    fn start(&self, key: Option<Key>) -> (Permit<T, L, E>, Follower<T, L, E>) {
        let progress = watch::Sender::new(Progress {
            events: Vec::new(),
            end: None,
        });
        let follower = Follower::new(&progress);
        (
            Permit {
                open: self.open.clone(),
                key,
                progress,
            },
            follower,
        )
    }
}

impl<T: Clone, L: Clone, E: Clone> Default for Flights<T, L, E> {
    fn default() -> Self {
        Self::new()
    }
}

/// The leader's duty to bring a flight to its end.
pub struct Permit<T, L, E> {
    open: Open<T, L, E>,
    key: Option<Key>,
    progress: watch::Sender<Progress<T, L, E>>,
}

impl<T, L, E> Permit<T, L, E> {
    /// Tells all followers what came.
    pub fn tell(&self, event: T) {
        self.progress
            .send_modify(|progress| progress.events.push(event));
    }

    /// Lands the flight. Who sees its last event knows how it landed.
    pub fn land(self, last: Option<T>, landing: L) {
        self.end(last, Ok(landing));
    }

    /// Ends the flight without an answer.
    pub fn fail(self, error: E) {
        self.end(None, Err(error));
    }

    fn end(self, last: Option<T>, how: Result<L, E>) {
        // Off the map first: who sees a failure and asks again must not join this flight.
        self.leave();
        self.progress.send_modify(|progress| {
            progress.events.extend(last);
            progress.end = Some(how);
        });
    }

    /// Waits until nobody follows, and then closes the flight to newcomers.
    pub async fn deserted(&self) {
        loop {
            self.progress.closed().await;
            let mut open = self.open.lock();
            if self.progress.receiver_count() == 0 {
                self.key.iter().for_each(|key| drop(open.remove(key)));
                return;
            }
        }
    }

    fn leave(&self) {
        let Some(key) = self.key else { return };
        let mut open = self.open.lock();
        if open
            .get(&key)
            .is_some_and(|progress| progress.same_channel(&self.progress))
        {
            open.remove(&key);
        }
    }
}

impl<T, L, E> Drop for Permit<T, L, E> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Sees a flight's events, from its first on.
pub struct Follower<T, L, E> {
    progress: watch::Receiver<Progress<T, L, E>>,
    seen: usize,
}

impl<T: Clone, L: Clone, E: Clone> Follower<T, L, E> {
    fn new(progress: &watch::Sender<Progress<T, L, E>>) -> Self {
        Self {
            progress: progress.subscribe(),
            seen: 0,
        }
    }

    /// How the flight landed, once its last event was seen.
    #[must_use]
    pub fn landing(&self) -> Option<L> {
        let progress = self.progress.borrow();
        let over = self.seen == progress.events.len();
        progress
            .end
            .as_ref()
            .filter(|_| over)?
            .as_ref()
            .ok()
            .cloned()
    }

    /// The next event; `None` after the last.
    ///
    /// # Errors
    /// The flight ended without an answer.
    pub async fn next(&mut self) -> Result<Option<T>, FlightError<E>> {
        let seen = self.seen;
        let news = self
            .progress
            .wait_for(|now| now.events.len() > seen || now.end.is_some())
            .await;
        let progress = news.map_err(|_| FlightError::Abandoned)?;
        if let Some(event) = progress.events.get(seen) {
            self.seen += 1;
            return Ok(Some(event.clone()));
        }
        match &progress.end {
            Some(Err(error)) => Err(FlightError::Failed(error.clone())),
            Some(Ok(_)) | None => Ok(None),
        }
    }

    /// Waits for the end, and tells how the flight landed.
    ///
    /// # Errors
    /// The flight ended without an answer.
    pub async fn land(&mut self) -> Result<L, FlightError<E>> {
        let over = self.progress.wait_for(|now| now.end.is_some()).await;
        let progress = over.map_err(|_| FlightError::Abandoned)?;
        self.seen = progress.events.len();
        match &progress.end {
            Some(Ok(landing)) => Ok(landing.clone()),
            Some(Err(error)) => Err(FlightError::Failed(error.clone())),
            None => Err(FlightError::Abandoned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, key};

    type TestFlights = Flights<&'static str, u8, &'static str>;
    type TestFollower = Follower<&'static str, u8, &'static str>;
    type TestPermit = Permit<&'static str, u8, &'static str>;
    type Error = FlightError<&'static str>;

    fn lead(flights: &TestFlights) -> (TestPermit, TestFollower) {
        match flights.board(key(1), || None) {
            Boarding::Lead(permit, follower) => (permit, follower),
            Boarding::Join(_) | Boarding::Landed(_) => panic!("somebody leads already"),
        }
    }

    fn join(flights: &TestFlights) -> TestFollower {
        match flights.board(key(1), || None) {
            Boarding::Join(follower) => follower,
            Boarding::Lead(..) | Boarding::Landed(_) => panic!("nobody leads"),
        }
    }

    async fn events(follower: &mut TestFollower) -> Result<Vec<&'static str>, Error> {
        let mut events = Vec::new();
        while let Some(event) = follower.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    #[tokio::test]
    async fn who_comes_later_sees_all_from_the_first_event() {
        let flights = TestFlights::new();
        let (permit, mut leader) = lead(&flights);
        permit.tell("Par");
        let mut late = join(&flights);
        permit.tell("is");
        let mut very_late = join(&flights);
        permit.land(Some("."), 7);
        let all = Ok(vec!["Par", "is", "."]);
        for follower in [&mut leader, &mut late, &mut very_late] {
            assert_eq!(follower.landing(), None, "its end is not seen yet");
            assert_eq!(events(follower).await, all);
            assert_eq!(follower.landing(), Some(7));
        }
        assert_eq!(late.land().await, Ok(7));
    }

    #[tokio::test]
    async fn who_asks_again_after_a_failure_leads() {
        let flights = TestFlights::new();
        let (permit, mut leader) = lead(&flights);
        permit.tell("Par");
        permit.fail("lost");
        assert_eq!(leader.land().await, Err(FlightError::Failed("lost")));
        assert_eq!(leader.landing(), None);
        lead(&flights);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_leader_that_is_gone() {
        let flights = TestFlights::new();
        let (permit, mut leader) = lead(&flights);
        drop(permit);
        assert_eq!(events(&mut leader).await, Err(FlightError::Abandoned));
        assert_eq!(leader.land().await, Err(FlightError::Abandoned));
        lead(&flights);
    }

    #[tokio::test]
    async fn a_flight_is_deserted_once_its_last_follower_leaves() {
        let flights = TestFlights::new();
        let (permit, leader) = lead(&flights);
        let other = join(&flights);
        drop(leader);
        let waits = tokio::time::timeout(std::time::Duration::ZERO, permit.deserted()).await;
        assert!(waits.is_err(), "somebody follows still");
        drop(other);
        permit.deserted().await;
        lead(&flights);
    }

    #[test]
    fn what_landed_meanwhile_is_not_fetched_again() {
        let flights = TestFlights::new();
        let landed = entry("Paris");
        let boarding = flights.board(key(1), || Some(landed.clone()));
        assert!(matches!(boarding, Boarding::Landed(entry) if Arc::ptr_eq(&entry, &landed)));
    }
}
