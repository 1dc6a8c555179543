//! Why a backend gave no answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use deja_engine::EngineError;
use deja_wire::Api;
use hyper::{HeaderMap, StatusCode};

/// Why a backend gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The engine failed.
    #[error(transparent)]
    Engine(EngineError),
    /// The upstream answered with an error.
    #[error("the backend {} answered {}", .0.backend, .0.status.as_u16())]
    Refused(Arc<Refusal>),
    /// The upstream could not be reached.
    #[error("the backend {backend} cannot be reached: {reason}")]
    Unreachable {
        /// Its name.
        backend: String,
        /// What the system says.
        reason: String,
    },
    /// The upstream was silent for too long.
    #[error("the backend {backend} was silent for {} s", timeout.as_secs_f32())]
    Silent {
        /// Its name.
        backend: String,
        /// How long it may be silent.
        timeout: Duration,
    },
    /// The upstream's answer broke off, or is none.
    #[error("the answer of the backend {backend} broke off: {reason}")]
    BrokenOff {
        /// Its name.
        backend: String,
        /// What went wrong.
        reason: String,
    },
    /// The upstream took too long for the whole answer.
    #[error("the answer of the backend {backend} was not whole after {} s", timeout.as_secs_f32())]
    Overdue {
        /// Its name.
        backend: String,
        /// How long an answer may take.
        timeout: Duration,
    },
    /// The answer is larger than allowed.
    #[error("the answer is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer's values would take more memory than allowed.
    #[error("the answer's values would take more memory than the limit of {limit} bytes")]
    TooDense {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Other answers take all the memory that answers may take.
    #[error("other answers take the memory of {limit} bytes that there is for all")]
    NoMemory {
        /// The limit, in bytes.
        limit: usize,
    },
}

/// An upstream's own error.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The upstream's name.
    pub(crate) backend: String,
    /// The API that it speaks.
    pub(crate) api: Api,
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers that the client gets too.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

impl From<EngineError> for FetchError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl FetchError {
    /// The status of the reply that tells it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Engine(
                EngineError::ContextExceeded { .. }
                | EngineError::InputTooLong { .. }
                | EngineError::Input { .. }
                | EngineError::Dimensions { .. }
                | EngineError::Format { .. }
                | EngineError::OutOfMemory { .. }
                | EngineError::Template { .. }
                | EngineError::ToolSchema { .. },
            ) => StatusCode::BAD_REQUEST,
            Self::Engine(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Engine(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Refused(refusal) => refusal.status,
            Self::Unreachable { .. }
            | Self::BrokenOff { .. }
            | Self::TooLarge { .. }
            | Self::TooDense { .. } => StatusCode::BAD_GATEWAY,
            Self::Silent { .. } | Self::Overdue { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::NoMemory { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When the same request is worth another try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Engine(
                EngineError::WorkerUnavailable { retry_after }
                | EngineError::ModelOnItsWay { retry_after }
                | EngineError::ModelsInUse { retry_after }
                | EngineError::Busy { retry_after },
            ) => Some(*retry_after),
            Self::Engine(error) if error.is_retryable() => Some(Duration::from_secs(1)),
            Self::NoMemory { .. } => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The request's field at fault.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            Self::Engine(
                EngineError::ContextExceeded { .. }
                | EngineError::OutOfMemory { .. }
                | EngineError::Template { .. },
            ) => Some("messages"),
            Self::Engine(EngineError::InputTooLong { .. } | EngineError::Input { .. }) => {
                Some("input")
            }
            Self::Engine(EngineError::Dimensions { .. }) => Some("dimensions"),
            Self::Engine(EngineError::Format { .. }) => Some("response_format"),
            Self::Engine(EngineError::ToolSchema { .. }) => Some("tools"),
            _ => None,
        }
    }

    /// A short name for programs.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Engine(
                EngineError::ContextExceeded { .. } | EngineError::InputTooLong { .. },
            ) => Some("context_length_exceeded"),
            Self::Engine(EngineError::OutOfMemory { .. }) => Some("out_of_memory"),
            Self::Engine(EngineError::WorkerLost { .. }) => Some("worker_lost"),
            Self::Engine(EngineError::WorkerUnavailable { .. }) => Some("worker_unavailable"),
            Self::Engine(EngineError::Busy { .. }) => Some("engine_busy"),
            Self::Engine(EngineError::ModelOnItsWay { .. }) => Some("model_on_its_way"),
            Self::Engine(EngineError::ModelNotFetched { .. }) => Some("model_not_fetched"),
            Self::Engine(EngineError::ModelsInUse { .. }) => Some("models_in_use"),
            Self::Engine(EngineError::ModelTooLarge { .. }) => Some("model_too_large"),
            Self::Engine(_) | Self::Refused(_) => None,
            Self::Unreachable { .. } => Some("backend_unreachable"),
            Self::Silent { .. } => Some("backend_silent"),
            Self::BrokenOff { .. } => Some("answer_broke_off"),
            Self::Overdue { .. } => Some("backend_overdue"),
            Self::TooLarge { .. } | Self::TooDense { .. } => Some("answer_too_large"),
            Self::NoMemory { .. } => Some("too_many_requests"),
        }
    }
}
