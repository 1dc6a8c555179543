//! Makes the backends that are configured, and keeps those that stay as they are.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use deja_engine::{
    Engine, EngineError, Residency, Settings as EngineSettings, Source, WorkerCommand,
};
use deja_proxy::{Backend, Backends, Routed, Upstream};
use tokio::runtime::Handle;
use tracing::info;

use crate::{
    config::{BackendKind, BackendSettings, Load, ModelSettings, ModelSource},
    hub,
};

/// The backends that run, each with what it was made of.
pub(crate) struct Running {
    backends: Vec<(BackendKind, Backend)>,
    /// The memory that all engines share.
    residency: Residency,
    /// Where engines run: changes come from a thread outside of it.
    runtime: Handle,
}

impl Running {
    /// Starts what is configured, within so many bytes for all models.
    pub(crate) async fn start(
        settings: &[BackendSettings],
        model_bytes: Option<u64>,
    ) -> anyhow::Result<Self> {
        let mut running = Self {
            backends: Vec::new(),
            residency: Residency::new(model_bytes),
            runtime: Handle::current(),
        };
        for backend in settings {
            if let BackendKind::Engine(model) = &backend.kind
                && model.load == Load::Start
                && running.find(&backend.kind).is_none()
            {
                let engine = start_engine(model, &running.residency).await?;
                running.add(&backend.kind, Backend::Engine(Arc::new(engine)));
            }
        }
        running.add_at_once(settings)?;
        Ok(running)
    }

    /// What runs, with the upstreams and the engines on demand of other settings. Engines stay
    /// those that they were, as long as their settings do.
    pub(crate) fn with(&self, settings: &[BackendSettings]) -> anyhow::Result<Self> {
        let mut running = Self {
            backends: self.backends.clone(),
            residency: self.residency.clone(),
            runtime: self.runtime.clone(),
        };
        running.add_at_once(settings)?;
        running
            .backends
            .retain(|(kind, _)| settings.iter().any(|backend| backend.kind == *kind));
        Ok(running)
    }

    /// Limits the bytes of all models to so many from now on.
    pub(crate) fn set_limit(&self, model_bytes: Option<u64>) {
        self.residency.set_limit(model_bytes);
    }

    /// Whether all that is configured runs.
    pub(crate) fn has_all(&self, settings: &[BackendSettings]) -> bool {
        settings
            .iter()
            .all(|backend| self.find(&backend.kind).is_some())
    }

    /// The backends in the order of their settings, each behind the models that it answers for.
    pub(crate) fn routed(&self, settings: &[BackendSettings]) -> anyhow::Result<Backends> {
        let routed = settings.iter().map(|backend| {
            let running = self.find(&backend.kind);
            Ok(Arc::new(Routed {
                name: backend.name.clone(),
                backend: running.context("a configured backend does not run")?,
                models: backend.models.clone(),
                aliases: backend.aliases.clone(),
            }))
        });
        Ok(Backends::new(routed.collect::<anyhow::Result<Vec<_>>>()?))
    }

    fn find(&self, kind: &BackendKind) -> Option<Backend> {
        let found = self.backends.iter().find(|(known, _)| known == kind);
        found.map(|(_, backend)| backend.clone())
    }

    fn add(&mut self, kind: &BackendKind, backend: Backend) {
        self.backends.push((kind.clone(), backend));
    }

    /// Adds what need not be waited for.
    fn add_at_once(&mut self, settings: &[BackendSettings]) -> anyhow::Result<()> {
        for BackendSettings { kind, .. } in settings {
            if self.find(kind).is_some() {
                continue;
            }
            match kind {
                BackendKind::Upstream(upstream) => {
                    let upstream = Upstream::new(upstream.clone())?;
                    self.add(kind, Backend::Upstream(Arc::new(upstream)));
                }
                BackendKind::Engine(model) if model.load == Load::Demand => {
                    let engine = self.engine_on_demand(model)?;
                    self.add(kind, Backend::Engine(Arc::new(engine)));
                }
                BackendKind::Engine(_) => {}
            }
        }
        Ok(())
    }

    fn engine_on_demand(&self, model: &ModelSettings) -> anyhow::Result<Engine> {
        let _inside = self.runtime.enter();
        let (source, name) = match &model.source {
            ModelSource::Path(path) => (Source::Here(path.clone()), None),
            ModelSource::Hub(name) => (from_hub(name.clone()), Some(name.clone())),
        };
        let settings = engine_settings(model, source, name, &self.residency)?;
        explained(Engine::on_demand(settings))
    }
}

/// A model that is fetched when it is asked for.
fn from_hub(name: String) -> Source {
    // The whole chain of causes: the engine passes it on as text.
    let fetch =
        move || hub::fetch(&name).map_err(|error| format!("{:#}", anyhow::Error::new(error)));
    Source::Elsewhere(Arc::new(fetch))
}

async fn start_engine(model: &ModelSettings, residency: &Residency) -> anyhow::Result<Engine> {
    let (path, name) = match model.source.clone() {
        ModelSource::Path(path) => (path, None),
        ModelSource::Hub(name) => {
            let wanted = name.clone();
            let path = tokio::task::spawn_blocking(move || hub::fetch(&wanted)).await??;
            (path, Some(name))
        }
    };
    info!(path = %path.display(), "loading the model");
    let settings = engine_settings(model, Source::Here(path), name, residency)?;
    explained(Engine::start(settings).await)
}

fn engine_settings(
    model: &ModelSettings,
    source: Source,
    name: Option<String>,
    residency: &Residency,
) -> anyhow::Result<EngineSettings> {
    let worker =
        WorkerCommand::this_program(["worker"]).context("cannot find this program's own file")?;
    let path = match &source {
        Source::Here(path) => path.clone(),
        Source::Elsewhere(_) => PathBuf::new(),
    };
    let standard = EngineSettings::new(path, worker);
    Ok(EngineSettings {
        model: source,
        name: name.unwrap_or_else(|| standard.name.clone()),
        context_length: model.context_length,
        start_timeout: model.start_timeout,
        patience: model.patience,
        idle_timeout: model.idle_timeout,
        residency: residency.clone(),
        max_waiting: model.max_waiting,
        limits: model.limits.clone(),
        ..standard
    })
}

/// The engine, or what can be done where its model is missing.
fn explained(engine: Result<Engine, EngineError>) -> anyhow::Result<Engine> {
    if let Err(error @ EngineError::ModelNotFound { .. }) = engine {
        bail!(
            "{error}; `cargo xtask setup` fetches the default one, `backend.model` names another"
        );
    }
    Ok(engine?)
}
