//! `deja serve`: puts the parts together, and takes them apart in order.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::Context;
use deja_policy::{PluginHost, Policies, Watcher};
use deja_proxy::{Proxy, Server};
use deja_trace::{Recorder, RecorderSettings};
use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, info, warn};
use tracing_appender::non_blocking::ErrorCounter;

use crate::{
    backends::Running,
    config::{Config, ConfigFile},
    log::Log,
    reload::ConfigWatcher,
};

/// The configuration that is read if none is named.
const DEFAULT_CONFIG: &str = "deja.toml";

/// Time between two looks for answers that have outlived their time.
const SWEEP: Duration = Duration::from_secs(30);

/// Serves until the process is told to stop.
pub(crate) fn serve(config: Option<PathBuf>) -> anyhow::Result<()> {
    let default = || Some(PathBuf::from(DEFAULT_CONFIG)).filter(|path| path.exists());
    let path = config
        .or_else(default)
        .map(std::path::absolute)
        .transpose()?;
    let file = path.map(ConfigFile::read).transpose()?;
    let config = match &file {
        Some(file) => Config::from_text(&file.text, &file.path)?,
        None => Config::standard(),
    };
    let log = Log::start(config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(run(config, file, log.dropped()));
    // Not dropped: that would wait for what a second signal wants to cut short.
    runtime.shutdown_background();
    served
}

async fn run(
    config: Config,
    file: Option<ConfigFile>,
    dropped: ErrorCounter,
) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    tokio::select! {
        ended = serve_until_told(config, file, dropped) => ended,
        () = signals.twice() => {
            warn!("stopped at once");
            Ok(())
        }
    }
}

async fn serve_until_told(
    config: Config,
    file: Option<ConfigFile>,
    dropped: ErrorCounter,
) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let server = Server::bind(config.server).await?;
    let plugins = PluginHost::new(config.plugins.clone())?;
    let policies = plugins.load()?;
    let running = tokio::select! {
        running = Running::start(&config.backends, config.model_bytes) => running?,
        () = signals.once() => return Ok(()),
    };
    let recorder = config.trace.clone().map(record).transpose()?;
    let proxy = Proxy::new(
        config.proxy.clone(),
        config.cache,
        running.routed(&config.backends)?,
        plugins.clone(),
        policies,
        recorder.clone(),
    );
    let proxy = Arc::new(proxy.counting_dropped_lines(dropped));
    tokio::spawn(sweep(Arc::downgrade(&proxy)));
    let live = Live::start(config, running, &plugins, proxy.clone())?;
    let live = Arc::new(Mutex::new(live));
    let _watcher = file
        .map(|file| watch_config(file, live.clone()))
        .transpose()?;

    announce(&server);
    server.run(proxy.clone(), signals.once()).await;
    proxy.shutdown().await;
    if let Some(recorder) = recorder {
        // A disk that is stuck holds nobody up who sends a second signal.
        let _ = tokio::task::spawn_blocking(move || recorder.flush()).await;
    }
    info!("stopped");
    Ok(())
}

fn record(settings: RecorderSettings) -> anyhow::Result<Arc<Recorder>> {
    let dir = settings.dir.display().to_string();
    let recorder = Recorder::start(settings).context("cannot start to record")?;
    info!(dir, "traffic is recorded");
    Ok(Arc::new(recorder))
}

/// Forgets what has outlived its time, as long as the proxy lives.
async fn sweep(proxy: Weak<Proxy>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(proxy) = proxy.upgrade() else { return };
        let swept = tokio::task::spawn_blocking(move || proxy.sweep()).await;
        if let Ok(expired @ 1..) = swept {
            debug!(expired, "answers outlived their time");
        }
    }
}

/// What can change while the server runs, as it is now.
struct Live {
    config: Config,
    running: Running,
    proxy: Arc<Proxy>,
    /// Has changed plugin files take effect.
    watcher: Option<Watcher>,
}

impl Live {
    fn start(
        config: Config,
        running: Running,
        plugins: &Arc<PluginHost>,
        proxy: Arc<Proxy>,
    ) -> anyhow::Result<Self> {
        let watcher = Some(watch(plugins, &proxy, &Installing::default())?);
        Ok(Self {
            config,
            running,
            proxy,
            watcher,
        })
    }

    /// Puts another configuration in place, and names what has to wait.
    ///
    /// # Errors
    /// Some of it cannot be had; then all stays as it was.
    fn apply(&mut self, mut new: Config) -> anyhow::Result<()> {
        let waiting = self.config.needs_restart(&new);
        // All that can fail comes first, and changes nothing.
        let running = self.backends(&mut new)?;
        let backends = running.routed(&new.backends)?;
        let plugins = (new.plugins != self.config.plugins).then(|| Plugins::load(&new));
        let plugins = plugins.transpose()?;
        let installing = Installing::default();
        let turn = installing.lock();
        let watcher = plugins
            .as_ref()
            .map(|plugins| watch(&plugins.host, &self.proxy, &installing));
        if let Some(watcher) = watcher.transpose()? {
            self.watcher = Some(watcher);
        }

        new.server = self.config.server;
        new.log = self.config.log;
        new.trace.clone_from(&self.config.trace);
        running.set_limit(new.model_bytes);
        let has_plugins = plugins.is_some();
        let plugins = plugins.map(|plugins| (plugins.host, plugins.policies));
        self.proxy
            .reconfigure(&new.proxy, new.cache, &backends, plugins);
        drop(turn);
        self.running = running;
        self.config = new;
        if !waiting.is_empty() {
            warn!("a restart is needed for: {}", waiting.join(", "));
        }
        if has_plugins {
            info!("the configured plugins are in place");
        }
        info!("the configuration is in place");
        Ok(())
    }

    /// Returns the backends that run under another configuration.
    fn backends(&self, new: &mut Config) -> anyhow::Result<Running> {
        let running = self.running.with(&new.backends)?;
        if running.has_all(&new.backends) {
            return Ok(running);
        }
        // An engine that waits for a restart has all backends wait: their order matters.
        new.backends.clone_from(&self.config.backends);
        self.running.with(&new.backends)
    }
}

/// Plugins that are loaded and not in place yet.
struct Plugins {
    host: Arc<PluginHost>,
    policies: Policies,
}

impl Plugins {
    fn load(config: &Config) -> anyhow::Result<Self> {
        let host = PluginHost::new(config.plugins.clone())?;
        let policies = host.load()?;
        Ok(Self { host, policies })
    }
}

/// Held while a host's plugins are put in place: what its watcher finds meanwhile is newer, and
/// waits.
type Installing = Arc<Mutex<()>>;

fn watch_config(file: ConfigFile, live: Arc<Mutex<Live>>) -> anyhow::Result<ConfigWatcher> {
    let apply = move |config| live.lock().apply(config);
    ConfigWatcher::start(&file.path, file.text, apply)
        .with_context(|| format!("cannot watch {}", file.path.display()))
}

fn watch(
    plugins: &Arc<PluginHost>,
    proxy: &Arc<Proxy>,
    installing: &Installing,
) -> anyhow::Result<Watcher> {
    let proxy = Arc::downgrade(proxy);
    let installing = installing.clone();
    let replace = move |replacement| {
        let _turn = installing.lock();
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
