//! `deja serve`: puts the parts together, and takes them apart in order.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use deja_engine::{Engine, EngineError, Settings as EngineSettings, WorkerCommand};
use deja_policy::{PluginHost, PluginSettings, Watcher};
use deja_proxy::{Backend, Proxy, Server};
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::{
    config::{Config, ModelSettings},
    reload::ConfigWatcher,
};

/// The configuration that is read if none is named.
const DEFAULT_CONFIG: &str = "deja.toml";

/// Serves until the process is told to stop.
pub(crate) fn serve(config: Option<PathBuf>) -> anyhow::Result<()> {
    let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists());
    let path = config
        .or_else(default)
        .map(std::path::absolute)
        .transpose()?;
    let config = match &path {
        Some(path) => Config::read(path)?,
        None => Config::standard(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(run(config, path));
    // Not dropped: that would wait for what a second signal wants to cut short.
    runtime.shutdown_background();
    served
}

async fn run(config: Config, path: Option<PathBuf>) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    tokio::select! {
        ended = serve_until_told(config, path) => ended,
        () = signals.twice() => {
            warn!("stopped at once");
            Ok(())
        }
    }
}

async fn serve_until_told(config: Config, path: Option<PathBuf>) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let server = Server::bind(config.server).await?;
    let plugins = PluginHost::new(config.plugins.clone())?;
    let policies = plugins.load()?;
    let engine = tokio::select! {
        engine = start_engine(&config.model) => engine?,
        () = signals.once() => return Ok(()),
    };
    let backend = Backend::Engine(engine);
    let proxy = Proxy::new(
        config.proxy,
        config.cache,
        backend,
        plugins.clone(),
        policies,
    );
    let proxy = Arc::new(proxy);
    let live = Arc::new(Mutex::new(Live::start(config, &plugins, proxy.clone())?));
    let _watcher = path
        .map(|path| watch_config(&path, live.clone()))
        .transpose()?;

    announce(&server);
    server.run(proxy.clone(), signals.once()).await;
    proxy.shutdown().await;
    info!("stopped");
    Ok(())
}

async fn start_engine(model: &ModelSettings) -> anyhow::Result<Engine> {
    let worker =
        WorkerCommand::this_program(["worker"]).context("cannot find this program's own file")?;
    info!(path = %model.path.display(), "loading the model");
    let settings = EngineSettings {
        context_length: model.context_length,
        start_timeout: model.start_timeout,
        ..EngineSettings::new(&model.path, worker)
    };
    let engine = Engine::start(settings).await;
    if let Err(error @ EngineError::ModelNotFound { .. }) = engine {
        bail!(
            "{error}; `cargo xtask setup` fetches the default one, `backend.model` names another"
        );
    }
    Ok(engine?)
}

/// What can change while the server runs, as it is now.
struct Live {
    config: Config,
    proxy: Arc<Proxy>,
    /// Has changed plugin files take effect.
    watcher: Watcher,
}

impl Live {
    fn start(config: Config, plugins: &Arc<PluginHost>, proxy: Arc<Proxy>) -> anyhow::Result<Self> {
        let watcher = watch(plugins, &proxy)?;
        Ok(Self {
            config,
            proxy,
            watcher,
        })
    }

    /// Puts the plugins of another configuration in place, and names what has to wait.
    fn apply(&mut self, new: Config) -> anyhow::Result<()> {
        let waiting = self.config.needs_restart(&new);
        if !waiting.is_empty() {
            warn!("a restart is needed for: {}", waiting.join(", "));
        }
        let settings = PluginSettings {
            capacity: self.config.plugins.capacity,
            ..new.plugins
        };
        if settings != self.config.plugins {
            let plugins = PluginHost::new(settings.clone())?;
            let policies = plugins.load()?;
            self.watcher = watch(&plugins, &self.proxy)?;
            self.proxy.install(plugins, policies);
            self.config.plugins = settings;
            info!("the configured plugins are in place");
        }
        Ok(())
    }
}

fn watch_config(path: &Path, live: Arc<Mutex<Live>>) -> anyhow::Result<ConfigWatcher> {
    ConfigWatcher::start(path, move |config| live.lock().apply(config))
        .with_context(|| format!("cannot watch {}", path.display()))
}

fn watch(plugins: &Arc<PluginHost>, proxy: &Arc<Proxy>) -> anyhow::Result<Watcher> {
    let proxy = Arc::downgrade(proxy);
    let replace = move |replacement| {
        if let Some(proxy) = proxy.upgrade() {
            proxy.replace(replacement);
        }
    };
    Ok(plugins.watch(replace)?)
}

/// The one line on standard output: scripts wait for it.
#[allow(clippy::print_stdout, reason = "this is the edge")]
fn announce(server: &Server) {
    println!("deja listens on http://{}", server.address());
}

/// The signals that stop the server. Each instance sees every signal.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self {
            interrupt,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn once(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn twice(&mut self) {
        self.once().await;
        self.once().await;
    }
}
