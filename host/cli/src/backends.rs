//! Makes the backends that are configured, and keeps those that stay as they are.

use std::sync::Arc;

use anyhow::{Context, bail};
use deja_engine::{Engine, EngineError, Settings as EngineSettings, WorkerCommand};
use deja_proxy::{Backend, Backends, Routed, Upstream};
use tracing::info;

use crate::{
    config::{BackendKind, BackendSettings, ModelSettings, ModelSource},
    hub,
};

/// The backends that run, each with what it was made of.
#[derive(Default)]
pub(crate) struct Running(Vec<(BackendKind, Backend)>);

impl Running {
    /// Starts what is configured.
    pub(crate) async fn start(settings: &[BackendSettings]) -> anyhow::Result<Self> {
        let mut running = Self::default();
        for backend in settings {
            if let BackendKind::Engine(model) = &backend.kind
                && running.find(&backend.kind).is_none()
            {
                let engine = Backend::Engine(Arc::new(start_engine(model).await?));
                running.0.push((backend.kind.clone(), engine));
            }
        }
        running.add_upstreams(settings)?;
        Ok(running)
    }

    /// What runs, with the upstreams of other settings. Engines stay those that they were.
    pub(crate) fn with(&self, settings: &[BackendSettings]) -> anyhow::Result<Self> {
        let mut running = Self(self.0.clone());
        running.add_upstreams(settings)?;
        running
            .0
            .retain(|(kind, _)| settings.iter().any(|backend| backend.kind == *kind));
        Ok(running)
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
        let found = self.0.iter().find(|(known, _)| known == kind);
        found.map(|(_, backend)| backend.clone())
    }

    fn add_upstreams(&mut self, settings: &[BackendSettings]) -> anyhow::Result<()> {
        for backend in settings {
            if let BackendKind::Upstream(upstream) = &backend.kind
                && self.find(&backend.kind).is_none()
            {
                let upstream = Backend::Upstream(Arc::new(Upstream::new(upstream.clone())?));
                self.0.push((backend.kind.clone(), upstream));
            }
        }
        Ok(())
    }
}

async fn start_engine(model: &ModelSettings) -> anyhow::Result<Engine> {
    let worker =
        WorkerCommand::this_program(["worker"]).context("cannot find this program's own file")?;
    let (path, name) = match model.source.clone() {
        ModelSource::Path(path) => (path, None),
        ModelSource::Hub(name) => {
            let wanted = name.clone();
            let path = tokio::task::spawn_blocking(move || hub::fetch(&wanted)).await??;
            (path, Some(name))
        }
    };
    info!(path = %path.display(), "loading the model");
    let settings = EngineSettings {
        name,
        context_length: model.context_length,
        start_timeout: model.start_timeout,
        max_waiting: model.max_waiting,
        limits: model.limits.clone(),
        ..EngineSettings::new(&path, worker)
    };
    let engine = Engine::start(settings).await;
    if let Err(error @ EngineError::ModelNotFound { .. }) = engine {
        bail!(
            "{error}; `cargo xtask setup` fetches the default one, `backend.model` names another"
        );
    }
    Ok(engine?)
}
