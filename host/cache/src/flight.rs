//! Answers in the making, shared by all who ask for the same.
//!
//! The first to ask leads: it fetches, and tells the flight each event. The others, and the
//! leader's own client, follow it from its first event. A leader holds a [`Permit`], whose drop
//! ends the flight, so nobody waits for a leader that is gone.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Cache, Entry, Key, PendingFetch, Ticket};

/// The flights in the air, by key: each tells events `T` and lands as `L`, or fails with `E`.
pub struct Flights<T, L, E> {
    open: Open<T, L, E>,
}

type Open<T, L, E> = Arc<Mutex<HashMap<Key, InFlight<T, L, E>>>>;

/// A fetch under way that others can follow, unless a purge takes it.
struct InFlight<T, L, E> {
    fetch: Arc<PendingFetch>,
    progress: watch::Sender<Progress<T, L, E>>,
}

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

    /// Follows the fetch of this ticket's answer, or leads a new one. One that a purge has taken is
    /// not followed. The cache is asked once more, under the lock, so that nobody fetches what a
    /// leader has just stored.
    pub fn board(&self, cache: &Cache, ticket: &Ticket) -> Boarding<T, L, E> {
        let key = ticket.key;
        let mut open = self.open.lock();
        if let Some(flight) = open.get(&key).filter(|flight| !flight.fetch.is_purged()) {
            return Boarding::Join(Follower::new(&flight.progress));
        }
        if let Some(entry) = cache.peek(&key) {
            return Boarding::Landed(entry);
        }
        let fetch = Arc::new(cache.begin_fetch(ticket));
        let (permit, follower) = self.start(Some(key), Some(fetch.clone()));
        let progress = permit.progress.clone();
        open.insert(key, InFlight { fetch, progress });
        Boarding::Lead(permit, follower)
    }

    /// Leads a fetch that nobody else can follow.
    #[must_use]
    pub fn alone(&self, fetch: Option<PendingFetch>) -> (Permit<T, L, E>, Follower<T, L, E>) {
        self.start(None, fetch.map(Arc::new))
    }

    fn start(
        &self,
        key: Option<Key>,
        fetch: Option<Arc<PendingFetch>>,
    ) -> (Permit<T, L, E>, Follower<T, L, E>) {
        let progress = watch::Sender::new(Progress {
            events: Vec::new(),
            end: None,
        });
        let follower = Follower::new(&progress);
        (
            Permit {
                open: self.open.clone(),
                key,
                fetch,
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
    fetch: Option<Arc<PendingFetch>>,
    progress: watch::Sender<Progress<T, L, E>>,
}

impl<T, L, E> Permit<T, L, E> {
    /// Returns the fetch that it leads, where its answer is shared or stored.
    #[must_use]
    pub fn fetch(&self) -> Option<&PendingFetch> {
        self.fetch.as_deref()
    }

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
        self.leave(&mut self.open.lock());
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
                self.leave(&mut open);
                return;
            }
        }
    }

    /// Takes itself off the map, where a fetch that began after a purge may have taken its place.
    fn leave(&self, open: &mut HashMap<Key, InFlight<T, L, E>>) {
        let Some(key) = self.key else { return };
        let is_own = |flight: &InFlight<T, L, E>| flight.progress.same_channel(&self.progress);
        if open.get(&key).is_some_and(is_own) {
            open.remove(&key);
        }
    }
}

impl<T, L, E> Drop for Permit<T, L, E> {
    fn drop(&mut self) {
        self.leave(&mut self.open.lock());
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
    use crate::{
        Purge,
        testing::{cache, key, new_entry, ticket},
    };

    type TestFlights = Flights<&'static str, u8, &'static str>;
    type TestFollower = Follower<&'static str, u8, &'static str>;
    type TestPermit = Permit<&'static str, u8, &'static str>;
    type Error = FlightError<&'static str>;

    /// All who ask the same question of one cache.
    struct Callers {
        cache: Cache,
        flights: TestFlights,
    }

    impl Callers {
        fn new() -> Self {
            let (_, cache) = cache(9);
            let flights = TestFlights::new();
            Self { cache, flights }
        }

        fn board(&self) -> Boarding<&'static str, u8, &'static str> {
            self.flights.board(&self.cache, &ticket(1))
        }

        fn lead(&self) -> (TestPermit, TestFollower) {
            match self.board() {
                Boarding::Lead(permit, follower) => (permit, follower),
                Boarding::Join(_) | Boarding::Landed(_) => panic!("somebody leads already"),
            }
        }

        fn join(&self) -> TestFollower {
            match self.board() {
                Boarding::Join(follower) => follower,
                Boarding::Lead(..) | Boarding::Landed(_) => panic!("nobody leads"),
            }
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
        let callers = Callers::new();
        let (permit, mut leader) = callers.lead();
        permit.tell("Par");
        let mut late = callers.join();
        permit.tell("is");
        let mut very_late = callers.join();
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
        let callers = Callers::new();
        let (permit, mut leader) = callers.lead();
        permit.tell("Par");
        permit.fail("lost");
        assert_eq!(leader.land().await, Err(FlightError::Failed("lost")));
        assert_eq!(leader.landing(), None);
        callers.lead();
    }

    #[tokio::test]
    async fn nobody_waits_for_a_leader_that_is_gone() {
        let callers = Callers::new();
        let (permit, mut leader) = callers.lead();
        drop(permit);
        assert_eq!(events(&mut leader).await, Err(FlightError::Abandoned));
        assert_eq!(leader.land().await, Err(FlightError::Abandoned));
        callers.lead();
    }

    #[tokio::test]
    async fn a_flight_is_deserted_once_its_last_follower_leaves() {
        let callers = Callers::new();
        let (permit, leader) = callers.lead();
        let other = callers.join();
        drop(leader);
        let waits = tokio::time::timeout(std::time::Duration::ZERO, permit.deserted()).await;
        assert!(waits.is_err(), "somebody follows still");
        drop(other);
        permit.deserted().await;
        callers.lead();
    }

    #[tokio::test]
    async fn a_fetch_that_a_purge_has_taken_is_not_joined() {
        let callers = Callers::new();
        let (old, mut before) = callers.lead();
        callers.cache.purge(&Purge::Key(key(2)));
        let mut also_before = callers.join();
        callers.cache.purge(&Purge::Key(key(1)));
        let (new, mut after) = callers.lead();
        old.land(Some("Rome"), 1);
        let mut also_after = callers.join();
        new.land(Some("Paris"), 2);
        for (follower, text) in [
            (&mut before, "Rome"),
            (&mut also_before, "Rome"),
            (&mut after, "Paris"),
            (&mut also_after, "Paris"),
        ] {
            assert_eq!(events(follower).await, Ok(vec![text]));
        }
    }

    #[tokio::test]
    async fn a_deserted_fetch_leaves_the_one_in_its_place_alone() {
        let callers = Callers::new();
        let (old, follower) = callers.lead();
        callers.cache.purge(&Purge::All);
        let (_new, _follower) = callers.lead();
        drop(follower);
        old.deserted().await;
        callers.join();
    }

    #[test]
    fn what_was_stored_meanwhile_is_not_fetched_again() {
        let callers = Callers::new();
        callers.cache.insert(new_entry(1, "Paris"));
        let held = callers.cache.peek(&key(1)).expect("it is held");
        let boarding = callers.board();
        assert!(matches!(boarding, Boarding::Landed(entry) if Arc::ptr_eq(&entry, &held)));
    }
}
