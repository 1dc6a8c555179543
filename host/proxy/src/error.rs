//! Why a request was not answered, and how the client is told.

use std::time::Duration;

use deja_cache::FlightError;
use deja_chat::{
    BadRequest,
    openai::{self, ErrorKind},
};
use deja_engine::EngineError;
use hyper::StatusCode;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The body is not JSON.
    #[error("the body is not valid JSON: {0}")]
    BadJson(serde_json::Error),
    /// The body is JSON of the wrong kind.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field is missing or wrong.
    #[error(transparent)]
    BadRequest(BadRequest),
    /// The body is larger than allowed.
    #[error("the body is larger than the limit of {limit} bytes")]
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not come in time.
    #[error("the body did not arrive within {} s", timeout.as_secs())]
    BodyTimeout {
        /// The limit.
        timeout: Duration,
    },
    /// The connection broke, or the client broke the protocol.
    #[error("the body could not be read: {0}")]
    UnreadableBody(String),
    /// There is nothing at this path.
    #[error("there is nothing at {method} {path}")]
    NotFound {
        /// The request's method.
        method: hyper::Method,
        /// The request's path.
        path: String,
    },
    /// The path takes another method.
    #[error("{path} takes {allowed}")]
    MethodNotAllowed {
        /// The request's path.
        path: String,
        /// The method it takes.
        allowed: &'static str,
    },
    /// The engine gave no answer.
    #[error(transparent)]
    Engine(EngineError),
    /// Whoever fetched the answer is gone.
    #[error("the answer was given up before it was whole")]
    Abandoned,
}

impl From<FlightError<EngineError>> for Error {
    fn from(error: FlightError<EngineError>) -> Self {
        match error {
            FlightError::Failed(error) => Self::Engine(error),
            FlightError::Abandoned => Self::Abandoned,
        }
    }
}

impl Error {
    /// The reply's status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadJson(_)
            | Self::NotAnObject
            | Self::BadRequest(_)
            | Self::UnreadableBody(_)
            | Self::Engine(EngineError::ContextExceeded { .. } | EngineError::Template { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Engine(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Engine(_) | Self::Abandoned => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reply's body, in `OpenAI`'s shape.
    pub(crate) fn body(&self) -> String {
        let kind = if self.status().is_client_error() {
            ErrorKind::InvalidRequest
        } else {
            ErrorKind::Server
        };
        openai::error(kind, &self.to_string(), self.field(), self.code())
    }

    /// When the same request is worth another try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Engine(EngineError::WorkerUnavailable { retry_after }) => Some(*retry_after),
            Self::Engine(error) if error.is_retryable() => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(error) => error.field.as_deref(),
            Self::Engine(EngineError::ContextExceeded { .. } | EngineError::Template { .. }) => {
                Some("messages")
            }
            _ => None,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::BadJson(_) | Self::NotAnObject => Some("invalid_json"),
            Self::BadRequest(error) => error.code,
            Self::BodyTooLarge { .. } => Some("body_too_large"),
            Self::BodyTimeout { .. } => Some("body_timeout"),
            Self::NotFound { .. } => Some("unknown_url"),
            Self::Engine(EngineError::ContextExceeded { .. }) => Some("context_length_exceeded"),
            Self::Engine(EngineError::WorkerLost { .. }) => Some("worker_lost"),
            Self::Engine(EngineError::WorkerUnavailable { .. }) => Some("worker_unavailable"),
            _ => None,
        }
    }
}
