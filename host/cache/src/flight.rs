//! Answers in the making, shared by all who ask for the same.
//!
//! The first to ask leads: it fetches, and tells the flight each event. The others, and the
//! leader's own client, follow it from its first event. A leader holds a [`Permit`], whose drop
//! ends the flight, so nobody waits for a leader that is gone.

use std::{collections::HashMap, sync::Arc};

use deja_chat::Event;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{Entry, Key, Stored};

/// The flights in the air, by key. `E` is what a fetch fails with.
pub struct Flights<E> {
    open: Open<E>,
}

type Open<E> = Arc<Mutex<HashMap<Key, watch::Sender<Progress<E>>>>>;

/// How far a flight is.
struct Progress<E> {
    events: Vec<Event>,
    end: Option<Result<Option<Stored>, E>>,
}

/// A caller's part in a flight.
pub enum Boarding<E> {
    /// The answer came in meanwhile.
    Landed(Arc<Entry>),
    /// Nobody fetches it yet: the caller does.
    Lead(Permit<E>, Follower<E>),
    /// Somebody fetches it already.
    Join(Follower<E>),
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

impl<E: Clone> Flights<E> {
    /// No flight yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            open: Open::default(),
        }
    }

    /// Joins the flight to this key, or leads a new one. `landed` looks the answer up once more,
    /// under the lock, so that nobody fetches what a leader has just stored.
    pub fn board(&self, key: Key, landed: impl FnOnce() -> Option<Arc<Entry>>) -> Boarding<E> {
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
    pub fn alone(&self) -> (Permit<E>, Follower<E>) {
        self.start(None)
    }

    fn start(&self, key: Option<Key>) -> (Permit<E>, Follower<E>) {
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

impl<E: Clone> Default for Flights<E> {
    fn default() -> Self {
        Self::new()
    }
}

/// The leader's duty to bring a flight to its end.
pub struct Permit<E> {
    open: Open<E>,
    key: Option<Key>,
    progress: watch::Sender<Progress<E>>,
}

impl<E> Permit<E> {
    /// Tells all followers what came.
    pub fn tell(&self, event: Event) {
        self.progress
            .send_modify(|progress| progress.events.push(event));
    }

    /// Ends the flight: the answer is whole and, if it was to be, stored; or the fetch failed.
    pub fn end(self, how: Result<Option<Stored>, E>) {
        // Off the map first: who sees a failure and asks again must not join this flight.
        self.leave();
        self.progress
            .send_modify(|progress| progress.end = Some(how));
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

impl<E> Drop for Permit<E> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Sees a flight's events, from its first on.
pub struct Follower<E> {
    progress: watch::Receiver<Progress<E>>,
    seen: usize,
}

impl<E: Clone> Follower<E> {
    fn new(progress: &watch::Sender<Progress<E>>) -> Self {
        Self {
            progress: progress.subscribe(),
            seen: 0,
        }
    }

    /// What became of the answer after the last event, if it was to be stored.
    #[must_use]
    pub fn stored(&self) -> Option<Stored> {
        self.progress
            .borrow()
            .end
            .as_ref()?
            .as_ref()
            .ok()
            .copied()
            .flatten()
    }

    /// The next event; `None` after the last.
    ///
    /// # Errors
    /// The flight ended without an answer.
    pub async fn next(&mut self) -> Result<Option<Event>, FlightError<E>> {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{END, entry, key, text};

    type Error = FlightError<&'static str>;

    fn lead(flights: &Flights<&'static str>) -> (Permit<&'static str>, Follower<&'static str>) {
        match flights.board(key(1), || None) {
            Boarding::Lead(permit, follower) => (permit, follower),
            Boarding::Join(_) | Boarding::Landed(_) => panic!("somebody leads already"),
        }
    }

    fn join(flights: &Flights<&'static str>) -> Follower<&'static str> {
        match flights.board(key(1), || None) {
            Boarding::Join(follower) => follower,
            Boarding::Lead(..) | Boarding::Landed(_) => panic!("nobody leads"),
        }
    }

    async fn events(mut follower: Follower<&'static str>) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        while let Some(event) = follower.next().await? {
            events.push(event);
        }
        Ok(events)
    }

    #[tokio::test]
    async fn who_comes_later_sees_all_from_the_first_event() {
        let flights = Flights::new();
        let (permit, leader) = lead(&flights);
        permit.tell(text("Par"));
        let late = join(&flights);
        permit.tell(text("is"));
        permit.tell(END);
        let very_late = join(&flights);
        permit.end(Ok(Some(Stored::Yes)));
        let all = Ok(vec![text("Par"), text("is"), END]);
        assert_eq!(leader.stored(), Some(Stored::Yes));
        assert_eq!(events(leader).await, all);
        assert_eq!(events(late).await, all);
        assert_eq!(events(very_late).await, all);
    }

    #[tokio::test]
    async fn who_asks_again_after_a_failure_leads() {
        let flights = Flights::new();
        let (permit, leader) = lead(&flights);
        permit.tell(text("Par"));
        permit.end(Err("lost"));
        assert_eq!(events(leader).await, Err(FlightError::Failed("lost")));
        lead(&flights);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_leader_that_is_gone() {
        let flights = Flights::new();
        let (permit, leader) = lead(&flights);
        drop(permit);
        assert_eq!(events(leader).await, Err(FlightError::Abandoned));
        lead(&flights);
    }

    #[tokio::test]
    async fn a_flight_is_deserted_once_its_last_follower_leaves() {
        let flights = Flights::new();
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
        let flights = Flights::<&str>::new();
        let landed = entry("Paris");
        let boarding = flights.board(key(1), || Some(landed.clone()));
        assert!(matches!(boarding, Boarding::Landed(entry) if Arc::ptr_eq(&entry, &landed)));
    }
}
