//! Who answers when the cache does not.

use deja_chat::{BadRequest, ChatRequest, openai};
use deja_engine::{Engine, Generation, WorkerStatus};
use serde_json::{Value, json};

use crate::decode::Call;

/// Who answers when the cache does not.
pub enum Backend {
    /// MLX, in a worker process of ours.
    Engine(Engine),
}

impl Backend {
    /// Reads what the model is asked, and refuses what it could not honour.
    pub(crate) fn prepare(&self, call: &Call) -> Result<ChatRequest, BadRequest> {
        match self {
            Self::Engine(_) => openai::chat_request(&call.body),
        }
    }

    pub(crate) fn generate(&self, request: ChatRequest) -> Generation {
        match self {
            Self::Engine(engine) => engine.generate(request),
        }
    }

    /// The name of the model that answers.
    pub(crate) fn model(&self) -> &str {
        match self {
            Self::Engine(engine) => &engine.model().id,
        }
    }

    /// The body of `GET /v1/models`.
    pub(crate) fn models(&self) -> String {
        match self {
            Self::Engine(engine) => {
                let model = engine.model();
                openai::models([(model.id.as_str(), model.created)])
            }
        }
    }

    /// How it is doing, for `/health`.
    pub(crate) fn health(&self) -> Value {
        match self {
            Self::Engine(engine) => {
                let model = engine.model();
                json!({
                    "kind": "mlx",
                    "model": model.id,
                    "context_length": model.context_length,
                    "worker": engine.state(),
                })
            }
        }
    }

    /// Whether it can answer now.
    pub(crate) fn is_well(&self) -> bool {
        match self {
            Self::Engine(engine) => matches!(engine.state().status, WorkerStatus::Running { .. }),
        }
    }

    /// Ends what it runs.
    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Engine(engine) => engine.shutdown().await,
        }
    }
}
