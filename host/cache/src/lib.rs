//! Keys, entries, the store and the policies it asks: no HTTP, no Wasm.
//!
//! [`KeyerChain`] makes a request's [`Key`], [`Memo`] remembers it, [`Cache`] holds answers under it, [`Flights`] lets
//! those who ask for the same at once share one fetch, and [`Ledger`] takes in what happened.

#![forbid(unsafe_code)]

mod account;
mod cache;
mod canonical;
mod difference;
mod digest;
mod edit;
mod edited;
mod entry;
mod eviction;
mod fetches;
mod flight;
mod floor;
mod header_rules;
mod headers;
mod key;
mod ledger;
mod memo;
mod patch;
mod policy;
mod question;
mod tenant;
#[cfg(test)]
mod testing;

use std::time::{SystemTime, UNIX_EPOCH};

pub use cache::{Cache, CacheLimits, HIT_BATCH, Purge, Stored};
pub use deja_wire::Endpoint;
pub use difference::Difference;
pub use edit::{EditError, EditProblem};
pub use entry::{Entry, NewEntry};
pub use eviction::EvictionDriver;
pub use fetches::PendingFetch;
pub use flight::{Boarding, FlightError, Flights, Follower, Permit};
pub use floor::{Floor, Held};
pub use header_rules::{HeaderPattern, HeaderRole, HeaderRules, NotAHeader, is_credential};
pub use headers::{HeaderRead, Headers, NoHeaders};
pub use key::{BypassReason, Consultation, Key, Keyed, KeyerChain, NotAKey, Scope, Ticket};
pub use ledger::Ledger;
pub use memo::{Memo, RawDigest, RawHasher, Recalled};
pub use policy::{
    Capacity, Change, Decision, Edit, EntryFacts, EntryId, Eviction, Gauges, KeyRequest, Keyer,
    Outcome, OutcomeKind, PolicyError, PolicyFailure, Recipe, RemovalCause, Sample, Stats,
};
pub use question::{Keep, Question, ScopePart};
pub use tenant::{Fraction, Tenant};

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn now_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}
