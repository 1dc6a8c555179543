//! A component that is known to be a plugin of its kind, with its settings: instances are made of
//! it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::component;
use crate::contract::plugin;
use crate::error::{Problem, one_line};
use crate::fault::Fault;
use crate::interface::Interface;
use crate::plugin_log::PluginLog;
use crate::runtime::{Runtime, ticks};
use crate::sandbox::Sandbox;
use crate::settings::PluginChoice;
use crate::source::Artifact;

/// Bytes that are kept of a plugin's reason to refuse its settings.
const LONGEST_REASON: usize = 1000;

/// A plugin of one kind, ready to be instantiated.
pub(crate) struct Blueprint<I> {
    runtime: Arc<Runtime>,
    component: InstancePre<Sandbox>,
    plugin: plugin::GuestIndices,
    interface: I,
    /// The settings, as `configure` gets them.
    config: String,
    log: Arc<PluginLog>,
}

impl<I: Interface> Blueprint<I> {
    /// Compiles a component, and checks that it is of this kind.
    pub(crate) fn new(
        runtime: &Arc<Runtime>,
        choice: &PluginChoice,
        artifact: &Artifact,
    ) -> Result<Self, Problem> {
        let component = component::compile(&runtime.engine, &artifact.bytes, I::KIND)?;
        let component = runtime.link(&component).map_err(Problem::Contract)?;
        Ok(Self {
            runtime: Arc::clone(runtime),
            plugin: plugin::GuestIndices::new(&component).map_err(Problem::Contract)?,
            interface: I::find(&component).map_err(Problem::Contract)?,
            component,
            config: canonical(&choice.config)?,
            log: Arc::new(PluginLog::new(&choice.name, &runtime.limits)),
        })
    }

    /// Asks the plugin what it is.
    pub(crate) fn describe(&self) -> Result<plugin::Descriptor, Problem> {
        let mut instance = self.start()?;
        instance
            .call(|functions, store| functions.plugin.call_describe(store))
            .map_err(|fault| Problem::Failed {
                call: "describe",
                fault,
            })
    }

    /// A fresh instance that knows its settings.
    pub(crate) fn instantiate(&self) -> Result<Instance<I>, Problem> {
        let mut instance = self.start()?;
        let configured = instance
            .call(|functions, store| functions.plugin.call_configure(store, &self.config))
            .map_err(|fault| Problem::Failed {
                call: "configure",
                fault,
            })?;
        configured.map_err(|reason| Problem::Settings(one_line(&reason, LONGEST_REASON)))?;
        instance.allow(self.runtime.limits.deadline);
        Ok(instance)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The settings in the one form that all spellings of them have.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    fn start(&self) -> Result<Instance<I>, Problem> {
        let limits = &self.runtime.limits;
        let deadline = limits.setup_deadline;
        let sandbox = Sandbox::new(Arc::clone(&self.log), limits);
        let mut store = Store::new(&self.runtime.engine, sandbox);
        store.limiter(Sandbox::limiter);
        store.set_hostcall_fuel(limits.result_bytes);
        store.set_epoch_deadline(ticks(deadline));
        let functions = self
            .functions(&mut store)
            .map_err(|error| Problem::Failed {
                call: "start",
                fault: Fault::of(error, deadline),
            })?;
        Ok(Instance {
            store,
            functions,
            deadline,
            ticks: ticks(deadline),
        })
    }

    fn functions(&self, store: &mut Store<Sandbox>) -> wasmtime::Result<Functions<I>> {
        let instance = self.component.instantiate(&mut *store)?;
        Ok(Functions {
            plugin: self.plugin.load(&mut *store, &instance)?,
            interface: self.interface.functions(store, &instance)?,
        })
    }
}

/// A plugin at work, in a store of its own. After a fault it is good for nothing.
pub(crate) struct Instance<I: Interface> {
    pub(crate) store: Store<Sandbox>,
    functions: Functions<I>,
    deadline: Duration,
    /// The deadline as the engine counts it, which takes a division to say.
    ticks: u64,
}

/// What can be called in an instance.
pub(crate) struct Functions<I: Interface> {
    plugin: plugin::Guest,
    pub(crate) interface: I::Functions,
}

impl<I: Interface> Instance<I> {
    /// Gives every call from now on so much time.
    fn allow(&mut self, deadline: Duration) {
        self.deadline = deadline;
        self.ticks = ticks(deadline);
    }

    /// Calls into the plugin, for no longer than the deadline.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&Functions<I>, &mut Store<Sandbox>) -> wasmtime::Result<R>,
    ) -> Result<R, Fault> {
        self.store.set_epoch_deadline(self.ticks);
        call(&self.functions, &mut self.store).map_err(|error| Fault::of(error, self.deadline))
    }
}

/// Settings as JSON with sorted keys: the same settings are the same text.
fn canonical(config: &Value) -> Result<String, Problem> {
    match config {
        Value::Null => Ok("{}".to_owned()),
        Value::Object(_) => {
            let mut config = config.clone();
            config.sort_all_objects();
            Ok(config.to_string())
        }
        _ => Err(Problem::Settings("they are not an object".to_owned())),
    }
}
