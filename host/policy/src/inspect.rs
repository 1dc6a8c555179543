//! One component looked at by itself, for its author: what it is, whether it would be loaded, and
//! what it decides.

use std::path::Path;
use std::sync::Arc;

use deja_cache::{Capacity, Floor, PolicyError};
use serde_json::Value;
use wasmtime::component::Component;

use crate::blueprint::Blueprint;
use crate::component;
use crate::contract::plugin::Descriptor;
use crate::error::{PluginError, Problem};
use crate::eviction::WasmEviction;
use crate::interface::Interface;
use crate::keyer::WasmKeyer;
use crate::lone_keyer::LoneKeyer;
use crate::runtime::Runtime;
use crate::self_test;
use crate::settings::{Limits, PluginChoice, PluginKind};
use crate::source::Artifact;
use crate::stateful::{Accounting, Stateful};
use crate::stats::WasmStats;
use crate::status::About;

/// The capacity that eviction policies are tested with.
const CAPACITY: Capacity = Capacity {
    entries: 1000,
    bytes: 1 << 20,
};

/// What is known of a component.
#[derive(Debug)]
pub struct Inspection {
    /// What it decides.
    pub kind: PluginKind,
    /// The names that it exports.
    pub exports: Vec<String>,
    /// The names that it imports.
    pub imports: Vec<String>,
    /// Bytes of its file.
    pub bytes: usize,
    /// The name that it gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it says of itself.
    pub summary: String,
    /// JSON Schema of its settings.
    pub config_schema: String,
    /// Whether it takes these settings and passes the test that comes before it is loaded.
    pub outcome: Result<(), Problem>,
}

/// Looks at components as a host does that is about to load them.
pub struct Inspector {
    runtime: Arc<Runtime>,
}

/// A component's file, read, with its names.
struct Specimen {
    artifact: Artifact,
    choice: PluginChoice,
    kind: PluginKind,
    exports: Vec<String>,
    imports: Vec<String>,
}

impl Inspector {
    /// Starts the runtime.
    pub fn new(limits: Limits) -> Result<Self, PluginError> {
        let runtime = Runtime::start(limits, None)?;
        Ok(Self { runtime })
    }

    /// Looks at a file, and tries it with these settings.
    pub fn inspect(&self, file: &Path, config: &Value) -> Result<Inspection, Problem> {
        let specimen = self.read(file, config)?;
        match specimen.kind {
            PluginKind::Keyer => self.examine(specimen, |blueprint, about| {
                self_test::keyer(&WasmKeyer::new(blueprint, about, Floor::Held))
            }),
            PluginKind::Eviction => self.examine(specimen, |blueprint, about| {
                let stateful = Stateful::new(blueprint, about, CAPACITY);
                self_test::eviction(&mut WasmEviction(stateful))
            }),
            PluginKind::Stats => self.examine(specimen, |blueprint, about| {
                let stateful = Stateful::new(blueprint, about, CAPACITY);
                self_test::stats(&mut WasmStats(stateful))
            }),
        }
    }

    /// What the component in a file decides.
    pub fn kind(&self, file: &Path) -> Result<PluginKind, Problem> {
        Ok(self.read(file, &Value::Null)?.kind)
    }

    /// The keyer in a file, with these settings.
    pub fn keyer(&self, file: &Path, config: &Value) -> Result<LoneKeyer, Problem> {
        let specimen = self.read(file, config)?;
        let (choice, artifact) = (&specimen.choice, &specimen.artifact);
        let blueprint = Blueprint::new(&self.runtime, choice, artifact)?;
        LoneKeyer::new(&choice.name, Arc::new(blueprint))
    }

    /// The eviction policy in a file, with these settings, for an empty cache.
    pub fn eviction(
        &self,
        file: &Path,
        config: &Value,
        capacity: Capacity,
    ) -> Result<WasmEviction, Problem> {
        let specimen = self.read(file, config)?;
        Ok(WasmEviction(self.stateful(&specimen, capacity)?))
    }

    /// The stats component in a file, with these settings.
    pub fn stats(&self, file: &Path, config: &Value) -> Result<WasmStats, Problem> {
        let specimen = self.read(file, config)?;
        Ok(WasmStats(self.stateful(&specimen, CAPACITY)?))
    }

    fn read(&self, file: &Path, config: &Value) -> Result<Specimen, Problem> {
        let artifact = Artifact::read(file, self.runtime.limits.component_bytes)?;
        component::check_header(&artifact.bytes)?;
        let engine = &self.runtime.engine;
        let component =
            Component::from_binary(engine, &artifact.bytes).map_err(Problem::Invalid)?;
        let world = component.component_type();
        let exports: Vec<_> = world
            .exports(engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Specimen {
            kind: component::kind(&exports)?,
            choice: PluginChoice {
                config: config.clone(),
                ..PluginChoice::new(name)
            },
            imports: world
                .imports(engine)
                .map(|(name, _)| name.to_owned())
                .collect(),
            artifact,
            exports,
        })
    }

    fn examine<I: Interface>(
        &self,
        specimen: Specimen,
        test: impl FnOnce(Blueprint<I>, Arc<About>) -> Result<(), PolicyError>,
    ) -> Result<Inspection, Problem> {
        let (blueprint, about, descriptor) = self.blueprint::<I>(&specimen)?;
        let outcome = blueprint
            .instantiate()
            .and_then(|_| test(blueprint, about).map_err(|error| Problem::SelfTest(error.message)));
        Ok(specimen.told(descriptor, outcome))
    }

    fn stateful<I: Accounting>(
        &self,
        specimen: &Specimen,
        capacity: Capacity,
    ) -> Result<Stateful<I>, Problem> {
        let (blueprint, about, _) = self.blueprint::<I>(specimen)?;
        // Refused settings are a problem now, not at the first call.
        blueprint.instantiate()?;
        Ok(Stateful::new(blueprint, about, capacity))
    }

    fn blueprint<I: Interface>(
        &self,
        specimen: &Specimen,
    ) -> Result<(Blueprint<I>, Arc<About>, Descriptor), Problem> {
        let (choice, artifact) = (&specimen.choice, &specimen.artifact);
        let blueprint = Blueprint::<I>::new(&self.runtime, choice, artifact)?;
        let descriptor = blueprint.describe()?;
        let limits = self.runtime.limits.breaker;
        let about = About::new(I::KIND, &choice.name, &descriptor, artifact, limits);
        Ok((blueprint, Arc::new(about), descriptor))
    }
}

impl Specimen {
    fn told(self, descriptor: Descriptor, outcome: Result<(), Problem>) -> Inspection {
        Inspection {
            kind: self.kind,
            exports: self.exports,
            imports: self.imports,
            bytes: self.artifact.bytes.len(),
            name: descriptor.name,
            version: descriptor.version,
            summary: descriptor.summary,
            config_schema: descriptor.config_schema,
            outcome,
        }
    }
}
