//! Counts what happened and how long it took, since the beginning and lately.

mod histogram;
mod history;
mod recent;
mod report;
mod samples;
#[cfg(test)]
mod testing;
mod totals;

use std::cell::RefCell;

use deja_plugin::stats::{Collector, Event, Gauges, Sample, Stats};
use history::History;

/// The stats component.
pub struct Standard;

impl Stats for Standard {
    type Collector = Account;
}

/// The account of one cache.
pub struct Account(RefCell<History>);

impl Collector for Account {
    fn new() -> Self {
        Self(RefCell::default())
    }

    fn fold(&self, events: Vec<Event>) {
        let mut history = self.0.borrow_mut();
        for event in &events {
            history.add(event);
        }
    }

    fn report(&self, gauges: Gauges) -> String {
        report::report(&self.0.borrow(), &gauges)
    }

    fn samples(&self, gauges: Gauges) -> Vec<Sample> {
        samples::samples(&self.0.borrow(), &gauges)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow().save()
    }

    fn restore(&self, state: Vec<u8>) -> bool {
        let Some(history) = History::restore(&state) else {
            return false;
        };
        *self.0.borrow_mut() = history;
        true
    }
}

deja_plugin::export_stats!(Standard);
