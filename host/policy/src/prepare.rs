//! From a component's bytes to a policy that has shown that it works.

use std::sync::Arc;

use deja_cache::{Capacity, PolicyError};

use crate::blueprint::Blueprint;
use crate::contract::eviction::GuestIndices;
use crate::error::{PluginError, Problem};
use crate::eviction::WasmEviction;
use crate::interface::Interface;
use crate::keyer::WasmKeyer;
use crate::runtime::Runtime;
use crate::self_test;
use crate::settings::PluginChoice;
use crate::source::Artifact;
use crate::stateful::Stateful;
use crate::stats::WasmStats;
use crate::status::About;

/// A component that is to become a policy. Making one of it is slow: it is compiled.
pub(crate) struct Candidate<'a> {
    pub(crate) runtime: &'a Arc<Runtime>,
    pub(crate) choice: &'a PluginChoice,
    pub(crate) capacity: Capacity,
    pub(crate) artifact: &'a Artifact,
}

/// A policy that may be put to work.
pub(crate) struct Prepared<P> {
    pub(crate) policy: P,
    pub(crate) about: Arc<About>,
}

impl Candidate<'_> {
    pub(crate) fn keyer(&self) -> Result<Prepared<Arc<WasmKeyer>>, PluginError> {
        self.prepare(|blueprint, about| {
            let keyer = WasmKeyer::new(blueprint, about, self.choice.floor);
            self_test::keyer(&keyer)?;
            Ok(Arc::new(keyer))
        })
    }

    pub(crate) fn eviction(&self) -> Result<Prepared<WasmEviction>, PluginError> {
        self.prepare(|blueprint, about| {
            let mut eviction = WasmEviction(Stateful::new(blueprint, about, self.capacity));
            self_test::eviction(&mut eviction)?;
            eviction.0.forget();
            Ok(eviction)
        })
    }

    /// The eviction policy as what instances are made of.
    pub(crate) fn eviction_blueprint(
        &self,
    ) -> Result<Prepared<Arc<Blueprint<GuestIndices>>>, PluginError> {
        self.prepare(|blueprint, about| {
            let blueprint = Arc::new(blueprint);
            let stateful = Stateful::new(Arc::clone(&blueprint), about, self.capacity);
            self_test::eviction(&mut WasmEviction(stateful))?;
            Ok(blueprint)
        })
    }

    pub(crate) fn stats(&self) -> Result<Prepared<WasmStats>, PluginError> {
        self.prepare(|blueprint, about| {
            let mut stats = WasmStats(Stateful::new(blueprint, about, self.capacity));
            self_test::stats(&mut stats)?;
            stats.0.forget();
            Ok(stats)
        })
    }

    fn prepare<I: Interface, P>(
        &self,
        test: impl FnOnce(Blueprint<I>, Arc<About>) -> Result<P, PolicyError>,
    ) -> Result<Prepared<P>, PluginError> {
        self.check(test).map_err(|problem| PluginError::Unusable {
            kind: I::KIND,
            name: self.choice.name.clone(),
            origin: self.artifact.source.clone(),
            problem,
        })
    }

    fn check<I: Interface, P>(
        &self,
        test: impl FnOnce(Blueprint<I>, Arc<About>) -> Result<P, PolicyError>,
    ) -> Result<Prepared<P>, Problem> {
        let blueprint = Blueprint::<I>::new(self.runtime, self.choice, self.artifact)?;
        let descriptor = blueprint.describe()?;
        // Refused settings are told apart from a failed test.
        blueprint.instantiate()?;
        let limits = self.runtime.limits.breaker;
        let about = About::new(
            I::KIND,
            &self.choice.name,
            &descriptor,
            self.artifact,
            limits,
        );
        let about = Arc::new(about);
        let policy = test(blueprint, Arc::clone(&about))
            .map_err(|error| Problem::SelfTest(error.message))?;
        about.forget_calls();
        Ok(Prepared { policy, about })
    }
}
