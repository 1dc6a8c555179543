//! Who answers when the cache does not.

mod engine;
mod fault;
mod frames;
mod headers;
mod limits;
mod models;
mod order;
mod routes;
mod splice;
mod upstream;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use deja_engine::Engine;
use deja_wire::Incomplete;
use hyper::HeaderMap;
use serde_json::{Value, json};

pub(crate) use fault::{FetchError, Refusal};
pub(crate) use frames::Frames;
pub(crate) use limits::AnswerLimits;
pub(crate) use models::models;
pub(crate) use order::Order;
pub(crate) use routes::Route;
pub use routes::{Backends, Pattern, PatternError, Routed};
pub use upstream::{ClientKey, Upstream, UpstreamError, UpstreamSettings};

/// Who answers when the cache does not. Clones share one engine, and one pool of connections.
#[derive(Clone)]
pub enum Backend {
    /// MLX, in a worker process of ours.
    Engine(Arc<Engine>),
    /// A server that speaks one of the APIs.
    Upstream(Arc<Upstream>),
}

/// What a backend answers with, once it begins to.
pub(crate) struct Source {
    /// The headers that the client gets too.
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// An answer in the client's wire format.
pub(crate) enum Content {
    /// It is all there.
    Document(Bytes),
    /// It is all there, and is not to be stored.
    Unstorable { document: Bytes, reason: Incomplete },
    /// It comes piece by piece.
    Stream(Box<Frames>),
}

impl Backend {
    /// Asks for an answer; waits until it begins.
    pub(crate) async fn fetch(
        &self,
        order: Order,
        limits: &AnswerLimits,
    ) -> Result<Source, FetchError> {
        match (self, order) {
            (Self::Engine(engine), Order::Generate(generate)) => {
                Ok(engine::generate(engine, generate, limits))
            }
            (Self::Engine(engine), Order::Embed(embed)) => {
                engine::embed(engine, embed, limits).await
            }
            (Self::Engine(engine), Order::Count(request)) => engine::count(engine, request).await,
            (Self::Upstream(upstream), Order::Forward(forward)) => {
                upstream.fetch(forward, limits).await
            }
            (_, Order::Known(document)) => Ok(Source::document(document)),
            (Self::Engine(_), Order::Forward(_))
            | (Self::Upstream(_), Order::Generate(_) | Order::Embed(_) | Order::Count(_)) => {
                unreachable!("an order is made for its backend")
            }
        }
    }

    /// How long an answer may take to its end, where a backend of ours does not see to that.
    pub(crate) fn answer_timeout(&self) -> Option<Duration> {
        match self {
            Self::Engine(_) => None,
            Self::Upstream(upstream) => Some(upstream.settings().answer_timeout),
        }
    }

    /// What it is, besides its name: answers of another one are another's.
    pub(crate) fn identity(&self) -> String {
        match self {
            Self::Engine(engine) => format!("mlx {}", engine.identity()),
            Self::Upstream(upstream) => upstream.identity(),
        }
    }

    /// How it is doing, for `/health`.
    pub(crate) fn health(&self) -> Value {
        match self {
            Self::Engine(engine) => {
                let info = engine.info();
                json!({
                    "kind": "mlx",
                    "model": engine.name(),
                    "context_length": info.map(|info| info.context_length),
                    "file_bytes": info.map(|info| info.file_bytes),
                    "worker": engine.state(),
                })
            }
            Self::Upstream(upstream) => upstream.health(),
        }
    }

    /// Returns whether it keeps responses itself, if that is known.
    pub(crate) fn keeps_responses(&self) -> Option<bool> {
        match self {
            Self::Engine(_) => Some(false),
            Self::Upstream(upstream) => upstream.has_responses(),
        }
    }

    /// The one model that it runs, if it runs one itself.
    pub(crate) fn own_model(&self) -> Option<&str> {
        match self {
            Self::Engine(engine) => Some(engine.name()),
            Self::Upstream(_) => None,
        }
    }

    /// Whether it can answer now, as far as that is known without asking it.
    pub(crate) fn is_well(&self) -> bool {
        match self {
            Self::Engine(engine) => engine.state().status.is_well(),
            Self::Upstream(_) => true,
        }
    }

    /// Ends what it runs.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Engine(engine) => engine.shutdown().await,
            Self::Upstream(_) => {}
        }
    }
}

impl Source {
    /// An answer that is all there.
    pub(crate) fn document(document: impl Into<Bytes>) -> Self {
        Self {
            headers: HeaderMap::new(),
            content: Content::Document(document.into()),
        }
    }
}
