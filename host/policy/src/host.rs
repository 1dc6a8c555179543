//! The host of the plugins that are configured: loads them, replaces them, tells how they fare.

use std::path::Path;
use std::sync::Arc;

use deja_cache::{Eviction, Floor, Keyer, Stats};
use parking_lot::Mutex;

use crate::error::{PluginError, chain};
use crate::keyer::WasmKeyer;
use crate::prepare::{Candidate, Prepared};
use crate::runtime::Runtime;
use crate::settings::{PluginChoice, PluginKind, PluginSettings};
use crate::source::{self, Artifact};
use crate::status::{About, PluginStatus};
use crate::watch::{self, Watcher};

/// Runs policies that are WebAssembly components.
pub struct PluginHost {
    runtime: Arc<Runtime>,
    settings: PluginSettings,
    /// Empty until [`load`](Self::load): first the keyers in their order, then the others.
    slots: Mutex<Vec<Slot>>,
}

/// The policies that the cache asks.
pub struct Policies {
    /// The keyers, in the order in which they see a request.
    pub keyers: Vec<Arc<dyn Keyer>>,
    /// The eviction policy.
    pub eviction: Box<dyn Eviction>,
    /// The stats component.
    pub stats: Box<dyn Stats>,
}

/// Policies to be used from now on. State is not carried over yet.
pub enum Replacement {
    /// All keyers, of which one is new.
    Keyers(Vec<Arc<dyn Keyer>>),
    /// A new eviction policy, which knows of no entry.
    Eviction(Box<dyn Eviction>),
    /// A new stats component, which has counted nothing.
    Stats(Box<dyn Stats>),
}

/// A configured plugin, and what is loaded for it.
struct Slot {
    choice: PluginChoice,
    about: Arc<About>,
    /// The keyer itself, for the chain in which another one is replaced.
    keyer: Option<Arc<WasmKeyer>>,
    /// Why the newest file was not loaded.
    rejected: Option<String>,
}

impl PluginHost {
    /// Starts the runtime; nothing is loaded yet.
    pub fn new(settings: PluginSettings) -> Result<Arc<Self>, PluginError> {
        let runtime = Runtime::start(settings.limits, settings.cache_dir.as_deref())?;
        Ok(Arc::new(Self {
            runtime,
            settings,
            slots: Mutex::default(),
        }))
    }

    /// Loads every plugin that is configured, or says which one cannot be used.
    pub fn load(&self) -> Result<Policies, PluginError> {
        let settings = &self.settings;
        let mut slots = Vec::new();
        let mut keyers: Vec<Arc<dyn Keyer>> = Vec::new();
        for choice in &settings.keyers {
            let artifact = self.find(PluginKind::Keyer, choice)?;
            let keyer = self.candidate(choice, &artifact).keyer()?;
            if choice.floor == Floor::Open {
                let plugin = &choice.name;
                tracing::warn!(%plugin, floor = "open", "this keyer may leave out anything of a request");
            }
            keyers.push(Arc::clone(&keyer.policy) as _);
            slots.push(Slot::new(choice, keyer.about, Some(keyer.policy)));
        }
        let choice = &settings.eviction;
        let artifact = self.find(PluginKind::Eviction, choice)?;
        let eviction = self.candidate(choice, &artifact).eviction()?;
        slots.push(Slot::new(choice, eviction.about, None));
        let choice = &settings.stats;
        let artifact = self.find(PluginKind::Stats, choice)?;
        let stats = self.candidate(choice, &artifact).stats()?;
        slots.push(Slot::new(choice, stats.about, None));
        *self.slots.lock() = slots;
        Ok(Policies {
            keyers,
            eviction: Box::new(eviction.policy),
            stats: Box::new(stats.policy),
        })
    }

    /// Watches the plugin folder for new files of the plugins that are [loaded](Self::load). Each
    /// that becomes a working policy is handed to `on_change`, on the watcher's own thread; any
    /// other is logged, and shown in the [`status`](Self::status). A file that goes away leaves its
    /// plugin loaded.
    pub fn watch(
        self: &Arc<Self>,
        on_change: impl Fn(Replacement) + Send + 'static,
    ) -> Result<Watcher, PluginError> {
        watch::start(Arc::clone(self), on_change)
    }

    /// What is loaded, and how it fares.
    #[must_use]
    pub fn status(&self) -> Vec<PluginStatus> {
        let slots = self.slots.lock();
        slots.iter().map(Slot::status).collect()
    }

    fn find(&self, kind: PluginKind, choice: &PluginChoice) -> Result<Artifact, PluginError> {
        let limit = self.settings.limits.component_bytes;
        source::find(kind, &choice.name, self.settings.dir.as_deref(), limit)
    }

    fn candidate<'a>(&'a self, choice: &'a PluginChoice, artifact: &'a Artifact) -> Candidate<'a> {
        let (runtime, capacity) = (&self.runtime, self.settings.capacity);
        Candidate {
            runtime,
            choice,
            capacity,
            artifact,
        }
    }
}

/// What the watcher needs. A slot is known by its index.
impl PluginHost {
    pub(crate) fn settings(&self) -> &PluginSettings {
        &self.settings
    }

    /// The names of the plugins, slot by slot.
    pub(crate) fn names(&self) -> Vec<String> {
        self.slots
            .lock()
            .iter()
            .map(|slot| slot.choice.name.clone())
            .collect()
    }

    /// Reads a file for a slot.
    pub(crate) fn read(&self, slot: usize, path: &Path) -> Result<Artifact, PluginError> {
        // The lock is not held while the file is read.
        let (kind, name) = {
            let slot = &self.slots.lock()[slot];
            (slot.about.kind, slot.choice.name.clone())
        };
        source::read(kind, &name, path, self.settings.limits.component_bytes)
    }

    /// The hash of the component that is loaded.
    pub(crate) fn loaded(&self, slot: usize) -> blake3::Hash {
        self.slots.lock()[slot].about.hash
    }

    /// Makes a policy of a new component, and counts it as loaded.
    pub(crate) fn replace(
        &self,
        slot: usize,
        artifact: &Artifact,
    ) -> Result<Replacement, PluginError> {
        let (kind, choice) = {
            let slot = &self.slots.lock()[slot];
            (slot.about.kind, slot.choice.clone())
        };
        let candidate = self.candidate(&choice, artifact);
        match kind {
            PluginKind::Keyer => {
                let Prepared { policy, about } = candidate.keyer()?;
                self.put(slot, about, Some(policy));
                Ok(Replacement::Keyers(self.keyers()))
            }
            PluginKind::Eviction => {
                let Prepared { policy, about } = candidate.eviction()?;
                self.put(slot, about, None);
                Ok(Replacement::Eviction(Box::new(policy)))
            }
            PluginKind::Stats => {
                let Prepared { policy, about } = candidate.stats()?;
                self.put(slot, about, None);
                Ok(Replacement::Stats(Box::new(policy)))
            }
        }
    }

    /// Notes why the newest file was not loaded.
    pub(crate) fn reject(&self, slot: usize, error: &PluginError) {
        self.slots.lock()[slot].rejected = Some(chain(error));
    }

    /// Forgets a rejected file that is not there any more.
    pub(crate) fn forget_rejected(&self, slot: usize) {
        self.slots.lock()[slot].rejected = None;
    }

    fn put(&self, slot: usize, about: Arc<About>, keyer: Option<Arc<WasmKeyer>>) {
        let slot = &mut self.slots.lock()[slot];
        *slot = Slot {
            choice: slot.choice.clone(),
            about,
            keyer,
            rejected: None,
        };
    }

    fn keyers(&self) -> Vec<Arc<dyn Keyer>> {
        let slots = self.slots.lock();
        slots
            .iter()
            .filter_map(|slot| slot.keyer.clone())
            .map(|keyer| keyer as _)
            .collect()
    }
}

impl Slot {
    fn status(&self) -> PluginStatus {
        let floor = self.choice.floor;
        PluginStatus {
            floor: (floor == Floor::Open).then(|| floor.name()),
            ..self.about.status(self.rejected.clone())
        }
    }

    fn new(choice: &PluginChoice, about: Arc<About>, keyer: Option<Arc<WasmKeyer>>) -> Self {
        Self {
            choice: choice.clone(),
            about,
            keyer,
            rejected: None,
        }
    }
}
