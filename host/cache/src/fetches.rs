//! The fetches under way: which began first, and which a purge has taken.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{Key, NewEntry, Purge, Ticket};

/// When an answer was asked for: later ones compare as greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FetchOrder(u64);

/// What a purge knows an answer by.
pub(crate) struct Subject {
    key: Key,
    model: Box<str>,
    tags: Vec<String>,
}

impl From<&Ticket> for Subject {
    fn from(ticket: &Ticket) -> Self {
        Self {
            key: ticket.key,
            model: ticket.model.clone(),
            tags: ticket.tags.clone(),
        }
    }
}

impl From<&NewEntry> for Subject {
    fn from(entry: &NewEntry) -> Self {
        Self {
            key: entry.key,
            model: entry.question.model.clone(),
            tags: entry.tags.clone(),
        }
    }
}

/// Numbers fetches, and knows those under way that no purge has taken. Clones share both.
#[derive(Clone, Default)]
pub(crate) struct Fetches(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    last: u64,
    pending: HashMap<FetchOrder, Subject>,
}

impl Fetches {
    /// Numbers a fetch that begins now.
    pub(crate) fn begin(&self, subject: Subject) -> PendingFetch {
        let mut state = self.0.lock();
        state.last += 1;
        let order = FetchOrder(state.last);
        state.pending.insert(order, subject);
        PendingFetch {
            fetches: self.clone(),
            order,
        }
    }

    /// Takes the fetches whose answers a purge takes.
    pub(crate) fn purge(&self, which: &Purge) {
        let is_kept = |of: &Subject| !which.takes(&of.key, &of.model, &of.tags);
        self.0.lock().pending.retain(|_, subject| is_kept(subject));
    }
}

/// A fetch under way, whose answer is shared or stored. It ends when this is dropped.
pub struct PendingFetch {
    fetches: Fetches,
    order: FetchOrder,
}

impl PendingFetch {
    /// Returns whether a purge has taken it since it began.
    #[must_use]
    pub fn is_purged(&self) -> bool {
        !self.fetches.0.lock().pending.contains_key(&self.order)
    }

    /// Returns when it began.
    pub(crate) fn order(&self) -> FetchOrder {
        self.order
    }
}

impl Drop for PendingFetch {
    fn drop(&mut self) {
        self.fetches.0.lock().pending.remove(&self.order);
    }
}
