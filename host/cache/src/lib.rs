//! Keys, entries, the store and the policies it asks: no HTTP, no Wasm.
//!
//! [`KeyerChain`] makes a request's [`Key`], [`Cache`] holds answers under it, [`Flights`] lets
//! those who ask for the same at once share one fetch, and [`Ledger`] takes in what happened.

#![forbid(unsafe_code)]

mod cache;
mod canonical;
mod edit;
mod entry;
mod eviction;
mod flight;
mod key;
mod ledger;
mod policy;
#[cfg(test)]
mod testing;

use std::time::{SystemTime, UNIX_EPOCH};

pub use cache::{Cache, CacheLimits, Stored};
pub use edit::{EditError, EditProblem};
pub use entry::Entry;
pub use flight::{Boarding, FlightError, Flights, Follower, Permit};
pub use key::{BypassReason, Key, Keyed, KeyerChain, Partition, Ticket};
pub use ledger::Ledger;
pub use policy::{
    Capacity, Change, Decision, Edit, Endpoint, EntryFacts, EntryId, Eviction, Gauges, Headers,
    KeyRequest, Keyer, Outcome, OutcomeKind, PolicyError, Recipe, RemovalCause, Stats,
};

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
