//! In which order answers were asked for and purged, so that an old one is not stored late.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::{Entry, Purge};

/// The most purges that are remembered. An answer that was asked for before an older one is not
/// stored.
const PURGES: usize = 1024;

/// When an answer was asked for: later ones compare as greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchOrder(pub(crate) u64);

/// Numbers fetches and purges.
#[derive(Default)]
pub(crate) struct FetchLog {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// The newest purges, oldest first.
    purges: VecDeque<(u64, Purge)>,
    /// The newest purge that was dropped from the list.
    dropped: Option<u64>,
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl FetchLog {
    /// Returns the place of a fetch that begins now.
    pub(crate) fn begin(&self) -> FetchOrder {
        FetchOrder(self.state.lock().number())
    }

    /// Remembers a purge that is made now.
    pub(crate) fn purged(&self, purge: Purge) {
        let mut state = self.state.lock();
        let number = state.number();
        if purge == Purge::All {
            state.purges.clear();
        }
        state.purges.push_back((number, purge));
        if state.purges.len() > PURGES {
            state.dropped = state.purges.pop_front().map(|(number, _)| number);
        }
    }

    /// Returns whether the entry's answer was asked for before a purge that takes it.
    pub(crate) fn is_purged(&self, entry: &Entry) -> bool {
        let state = self.state.lock();
        let order = entry.order.0;
        let mut later = state.purges.iter().rev().take_while(|(at, _)| *at > order);
        state.dropped.is_some_and(|at| at > order) || later.any(|(_, purge)| purge.takes(entry))
    }
}
