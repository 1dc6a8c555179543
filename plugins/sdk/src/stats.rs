//! For plugins that say what is reported.

use std::cell::RefCell;

use crate::bindings::stats::exports::deja::policy::stats as contract;
use crate::settings::Settings;

pub use contract::{Event, Gauges, Guest as Stats, GuestCollector as Collector, Outcome, Sample};

/// A stats component: the account of one cache, in one `impl`. The contract tells what each of
/// these is told, and what it answers.
pub trait StatsAccount: Sized + 'static {
    /// What it takes; [`NoSettings`](crate::NoSettings) if nothing.
    type Settings: Settings;

    /// An account with nothing in it.
    fn new(settings: &Self::Settings) -> Self;

    /// Takes in what became of one request.
    fn add(&mut self, event: &Event);

    /// The JSON object that stands under `cache` in `/health`.
    fn report(&self, gauges: &Gauges) -> String;

    /// Samples for `/metrics`.
    fn samples(&self, _gauges: &Gauges) -> Vec<Sample> {
        Vec::new()
    }

    /// The state, for the next version of this plugin.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes a predecessor's state over; false if it is not understood.
    fn restore(&mut self, _state: &[u8]) -> bool {
        false
    }
}

/// Where an account's plugin keeps its settings.
#[doc(hidden)]
pub trait Configured: StatsAccount {
    /// The settings of this instance.
    fn settings() -> &'static Self::Settings;
}

/// An account in the form that the contract asks for, which knows no exclusive access.
#[doc(hidden)]
pub struct Account<A>(RefCell<A>);

impl<A: Configured> contract::GuestCollector for Account<A> {
    fn new() -> Self {
        Self(RefCell::new(A::new(A::settings())))
    }

    fn fold(&self, events: Vec<Event>) {
        let mut account = self.0.borrow_mut();
        for event in &events {
            account.add(event);
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
        self.0.borrow_mut().restore(&state)
    }
}
