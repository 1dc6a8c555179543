//! A keyer of which the caller holds every instance.

use std::sync::Arc;

use deja_cache::{Decision, KeyRequest, Keyer, PolicyError, PolicyFailure};
use parking_lot::Mutex;

use crate::blueprint::{Blueprint, Instance};
use crate::contract::keyer::GuestIndices;
use crate::error::{Problem, chain};
use crate::fault::Fault;

/// A keyer with one instance, where those that serve have a pool: so that two instances can be
/// compared, and the memory of one is known.
pub struct LoneKeyer {
    name: String,
    blueprint: Arc<Blueprint<GuestIndices>>,
    /// `None` after a fault.
    instance: Mutex<Option<Instance<GuestIndices>>>,
}

impl LoneKeyer {
    pub(crate) fn new(
        name: &str,
        blueprint: Arc<Blueprint<GuestIndices>>,
    ) -> Result<Self, Problem> {
        let instance = blueprint.instantiate()?;
        Ok(Self {
            name: name.to_owned(),
            blueprint,
            instance: Mutex::new(Some(instance)),
        })
    }

    /// The same keyer with another instance.
    pub fn twin(&self) -> Result<Self, Problem> {
        Self::new(&self.name, Arc::clone(&self.blueprint))
    }

    /// Bytes of memory that the instance holds.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let instance = self.instance.lock();
        let instance = instance.as_ref();
        instance.map_or(0, |instance| instance.store.data().memory_bytes())
    }

    fn fails(&self, message: String) -> PolicyError {
        PolicyError {
            plugin: self.name.clone(),
            message,
            failure: PolicyFailure::Broken,
        }
    }
}

impl Keyer for LoneKeyer {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> &str {
        &self.name
    }

    fn decide(&self, request: &KeyRequest) -> Result<Decision, PolicyError> {
        let mut kept = self.instance.lock();
        let mut instance = match kept.take() {
            Some(instance) => instance,
            None => self
                .blueprint
                .instantiate()
                .map_err(|problem| self.fails(chain(&problem)))?,
        };
        match decide(&mut instance, request) {
            Ok(decision) => {
                *kept = Some(instance);
                decision.map_err(|message| self.fails(message))
            }
            Err(fault) => Err(self.fails(chain(&fault))),
        }
    }
}

/// One decision, or the keyer's own word that it cannot make one.
fn decide(
    instance: &mut Instance<GuestIndices>,
    request: &KeyRequest,
) -> Result<Result<Decision, String>, Fault> {
    let shown = instance.store.data_mut().show_request(request.clone());
    let decision = instance.call(|functions, store| functions.interface.call_decide(store, shown));
    instance.store.data_mut().hide_request();
    Ok(decision?.map(Decision::from))
}
