//! Plugins one by one, and each as often as somebody wants it: for experiments, where a
//! [`PluginHost`](crate::PluginHost) serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deja_cache::{Capacity, Eviction, Keyer};

use crate::blueprint::Blueprint;
use crate::contract::eviction::GuestIndices;
use crate::error::PluginError;
use crate::eviction::WasmEviction;
use crate::prepare::Candidate;
use crate::runtime::Runtime;
use crate::settings::{Limits, PluginChoice, PluginKind};
use crate::source::{self, Artifact};
use crate::stateful::Stateful;
use crate::status::About;

/// The capacity that eviction policies are tested with.
const CAPACITY: Capacity = Capacity {
    entries: 1000,
    bytes: 1 << 20,
};

/// Gives plugins out, each checked as a server checks it.
pub struct PluginLibrary {
    runtime: Arc<Runtime>,
    dir: Option<PathBuf>,
}

/// An eviction policy that can be started for one cache after the other.
pub struct EvictionPlugin {
    blueprint: Arc<Blueprint<GuestIndices>>,
    about: Arc<About>,
    identity: String,
}

impl PluginLibrary {
    /// A library of the files in `dir` and of the built-in plugins. Compiled code is kept in
    /// `cache_dir`, if one is named.
    pub fn new(
        limits: Limits,
        dir: Option<PathBuf>,
        cache_dir: Option<&Path>,
    ) -> Result<Self, PluginError> {
        let runtime = Runtime::start(limits, cache_dir)?;
        Ok(Self { runtime, dir })
    }

    /// The keyer of this name, or in the `.wasm` file of this path.
    pub fn keyer(&self, choice: &PluginChoice) -> Result<Arc<dyn Keyer>, PluginError> {
        let (choice, artifact) = self.find(PluginKind::Keyer, choice)?;
        Ok(self.candidate(&choice, &artifact).keyer()?.policy)
    }

    /// The eviction policy of this name, or in the `.wasm` file of this path.
    pub fn eviction(&self, choice: &PluginChoice) -> Result<EvictionPlugin, PluginError> {
        let (choice, artifact) = self.find(PluginKind::Eviction, choice)?;
        let prepared = self.candidate(&choice, &artifact).eviction_blueprint()?;
        let (blueprint, about) = (prepared.policy, prepared.about);
        Ok(EvictionPlugin {
            identity: format!("{} {}", about.identity(), blueprint.config()),
            blueprint,
            about,
        })
    }

    fn find(
        &self,
        kind: PluginKind,
        choice: &PluginChoice,
    ) -> Result<(PluginChoice, Artifact), PluginError> {
        let limit = self.runtime.limits.component_bytes;
        let path = Path::new(&choice.name);
        if path.extension().is_none_or(|extension| extension != "wasm") {
            let artifact = source::find(kind, &choice.name, self.dir.as_deref(), limit)?;
            return Ok((choice.clone(), artifact));
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let artifact = source::read(kind, &name, path, limit)?;
        let choice = PluginChoice {
            name: name.into_owned(),
            ..choice.clone()
        };
        Ok((choice, artifact))
    }

    fn candidate<'a>(&'a self, choice: &'a PluginChoice, artifact: &'a Artifact) -> Candidate<'a> {
        Candidate {
            runtime: &self.runtime,
            choice,
            capacity: CAPACITY,
            artifact,
        }
    }
}

impl EvictionPlugin {
    /// What the policy is: name, version, code and settings. Two with the same identity choose
    /// alike.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The policy with an account of its own, of an empty cache of this capacity.
    #[must_use]
    pub fn start(&self, capacity: Capacity) -> Box<dyn Eviction> {
        let blueprint = Arc::clone(&self.blueprint);
        let about = Arc::new(self.about.anew());
        Box::new(WasmEviction(Stateful::new(blueprint, about, capacity)))
    }
}
