//! Keyers over WebAssembly: a pool of warm instances, of which any may decide.

use std::sync::Arc;

use deja_cache::{Decision, Floor, KeyRequest, Keyer, PolicyError};
use parking_lot::Mutex;

use crate::blueprint::{Blueprint, Instance};
use crate::breaker::Size;
use crate::contract::keyer::GuestIndices;
use crate::error::chain;
use crate::fault::Fault;
use crate::settings::Limits;
use crate::status::About;

/// A keyer that is a component.
pub(crate) struct WasmKeyer {
    blueprint: Blueprint<GuestIndices>,
    about: Arc<About>,
    identity: String,
    floor: Floor,
    idle: Mutex<Vec<Warm>>,
}

/// An instance between calls, and how many it has answered.
struct Warm {
    instance: Instance<GuestIndices>,
    calls: u64,
    /// Bytes of memory that it held before the first call.
    memory_at_start: usize,
}

impl WasmKeyer {
    pub(crate) fn new(blueprint: Blueprint<GuestIndices>, about: Arc<About>, floor: Floor) -> Self {
        let mut identity = format!("{} {}", about.identity(), blueprint.config());
        if floor == Floor::Open {
            // What was stored under an open floor is not found once it holds.
            identity.push_str(" floor=open");
        }
        Self {
            blueprint,
            about,
            identity,
            floor,
            idle: Mutex::new(Vec::new()),
        }
    }

    fn take(&self) -> Result<Warm, PolicyError> {
        // A statement of its own, lest the lock be held while an instance is made.
        let idle = self.idle.lock().pop();
        match idle {
            Some(warm) => Ok(warm),
            None => match self.blueprint.instantiate() {
                Ok(instance) => Ok(Warm::new(instance)),
                Err(problem) => Err(self.about.failed(&chain(&problem), Size::FIRST)),
            },
        }
    }

    fn give_back(&self, warm: Warm) {
        let limits = &self.blueprint.runtime().limits;
        let mut idle = self.idle.lock();
        if warm.is_fit(limits) && idle.len() < limits.idle_instances {
            idle.push(warm);
        }
    }
}

impl Keyer for WasmKeyer {
    fn name(&self) -> &str {
        &self.about.name
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn floor(&self) -> Floor {
        self.floor
    }

    fn decide(&self, request: &KeyRequest) -> Result<Decision, PolicyError> {
        let size = || Size::of(request.weight());
        let _counted = self.about.begin_call(size)?;
        let mut warm = self.take()?;
        match warm.decide(request) {
            Ok(decision) => {
                self.about.succeeded(size);
                self.give_back(warm);
                decision.map_err(|message| self.about.useless(&message))
            }
            // The instance is dropped: nobody knows what state it is in.
            Err(fault) => Err(self.about.failed(&chain(&fault), size())),
        }
    }

    fn note_useless(&self, why: &str) {
        self.about.useless(why);
    }
}

impl Warm {
    fn new(instance: Instance<GuestIndices>) -> Self {
        Self {
            memory_at_start: instance.store.data().memory_bytes(),
            instance,
            calls: 0,
        }
    }

    /// One decision, or the keyer's own word that it cannot make one.
    fn decide(&mut self, request: &KeyRequest) -> Result<Result<Decision, String>, Fault> {
        self.calls += 1;
        let shown = self.instance.store.data_mut().show_request(request.clone());
        let decision = self
            .instance
            .call(|functions, store| functions.interface.call_decide(store, shown));
        self.instance.store.data_mut().hide_request();
        Ok(decision?.map(Decision::from))
    }

    /// Whether it may answer again. A guest's memory only ever grows; how much a language runtime
    /// takes from the start is no fault of its.
    fn is_fit(&self, limits: &Limits) -> bool {
        let grown = self.instance.store.data().memory_bytes() - self.memory_at_start;
        self.calls < limits.calls_per_instance && grown < limits.retire_memory_bytes
    }
}
