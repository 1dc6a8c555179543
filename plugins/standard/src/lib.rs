//! Counts hits and misses.

mod counters;

use std::cell::RefCell;

use counters::Counters;
use deja_plugin::stats::{Collector, Event, Gauges, Sample, Stats};

/// The stats component.
pub struct Standard;

impl Stats for Standard {
    type Collector = Account;
}

/// The account of one cache.
pub struct Account(RefCell<Counters>);

impl Collector for Account {
    fn new() -> Self {
        Self(RefCell::default())
    }

    fn fold(&self, events: Vec<Event>) {
        let mut counters = self.0.borrow_mut();
        for event in &events {
            counters.add(event);
        }
    }

    fn report(&self, gauges: Gauges) -> String {
        self.0.borrow().report(&gauges)
    }

    fn samples(&self, gauges: Gauges) -> Vec<Sample> {
        self.0.borrow().samples(&gauges)
    }

    fn save(&self) -> Vec<u8> {
        self.0.borrow().save()
    }

    fn restore(&self, state: Vec<u8>) -> bool {
        let Some(counters) = Counters::restore(&state) else {
            return false;
        };
        *self.0.borrow_mut() = counters;
        true
    }
}

deja_plugin::export_stats!(Standard);
