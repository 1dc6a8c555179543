//! The WebAssembly engine that all plugins share, and the clock that stops those that overrun.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Engine};

use crate::compiled;
use crate::contract;
use crate::error::PluginError;
use crate::sandbox::Sandbox;
use crate::settings::Limits;
use crate::wasi;

/// What every plugin's instances need. Policies keep it alive: without its clock no deadline ends.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    linker: Linker<Sandbox>,
    pub(crate) limits: Limits,
    _clock: EpochClock,
}

impl Runtime {
    /// Starts the engine and its clock. Compiled code is kept in a folder, if one is named.
    pub(crate) fn start(
        limits: Limits,
        cache_dir: Option<&Path>,
    ) -> Result<Arc<Self>, PluginError> {
        let engine = engine(cache_dir).map_err(PluginError::Runtime)?;
        let linker = linker(&engine).map_err(PluginError::Runtime)?;
        let clock = EpochClock::start(engine.clone()).map_err(PluginError::Thread)?;
        Ok(Arc::new(Self {
            engine,
            linker,
            limits,
            _clock: clock,
        }))
    }

    /// Gives a component what it imports.
    pub(crate) fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<Sandbox>> {
        if !wasi::is_wanted_by(component, &self.engine) {
            return self.linker.instantiate_pre(component);
        }
        let mut linker = self.linker.clone();
        wasi::answer(&mut linker, component)?;
        linker.instantiate_pre(component)
    }
}

fn engine(cache_dir: Option<&Path>) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .cache(cache_dir.and_then(compiled::cache));
    Engine::new(&config)
}

/// Everything that a plugin may import. A plugin that imports less gets less.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Sandbox>> {
    let mut linker = Linker::new(engine);
    contract::EveryPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)?;
    Ok(linker)
}

/// Time between two looks of running plugins at the clock.
const TICK: Duration = Duration::from_millis(5);

/// Ticks that a call of this length may see begin.
pub(crate) fn ticks(deadline: Duration) -> u64 {
    let ticks = deadline.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
}

/// Counts the engine's epochs up until it is dropped.
struct EpochClock {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EpochClock {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let tick = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new()
            .name("plugin-clock".to_owned())
            .spawn(tick)?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for EpochClock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread does nothing that panics.
            let _ = thread.join();
        }
    }
}
