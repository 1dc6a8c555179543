//! Why a request was not answered, and how the client is told.

use std::time::Duration;

use deja_cache::FlightError;
use deja_wire::{
    Api, BadRequest, errors, messages,
    openai::{self, ErrorKind},
};
use hyper::StatusCode;
use serde_json::Value;

use crate::backend::{FetchError, Refusal};

/// How soon a client is told to come back when all places are taken.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

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
    /// The body's values would take more memory than allowed.
    #[error("the body's values would take more memory than the limit of {limit} bytes")]
    BodyTooDense {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Other requests take all the memory that requests may take.
    #[error("other requests take the memory of {limit} bytes that there is for all")]
    NoMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is compressed in a way that is not known.
    #[error("the body is coded as {0:?}; send it as it is, or as zstd, gzip, br or deflate")]
    UnknownCoding(String),
    /// The request has been here before.
    #[error("a backend leads back to this server")]
    Loop,
    /// The body did not come in time.
    #[error("the body did not arrive within {} s", timeout.as_secs_f32())]
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
    /// No backend answers for this model.
    #[error("no backend answers for the model `{0}`")]
    UnknownModel(String),
    /// The model's backend has no such call.
    #[error("the backend {backend} cannot answer {path}")]
    Unsupported {
        /// Its name.
        backend: String,
        /// What was called.
        path: &'static str,
    },
    /// The backend would offer what is called, and has a key of its own, which is not for that.
    #[error(
        "there is no {method} {path} here, and the backend {backend} has a key of its own: \
         set its `pass_through = true` to pass such requests on to it"
    )]
    NotPassedOn {
        /// The method.
        method: hyper::Method,
        /// What was called.
        path: String,
        /// The backend's name.
        backend: String,
    },
    /// As many requests as allowed are being answered.
    #[error("all {limit} places are taken")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// As many of a caller's requests as one may have are being answered.
    #[error("all {limit} places of this caller are taken")]
    ShareTaken {
        /// The limit.
        limit: usize,
    },
    /// The caller wants a held answer or none, and none is held.
    #[error("no answer is held, and the request allows no other")]
    NotCached,
    /// The client would rather speak over a WebSocket.
    #[error("there are no WebSockets here: send the request over HTTP")]
    UpgradeRefused,
    /// Only who is trusted may do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A request continues a response, or asks for one, that its client does not have here.
    #[error("there is no response `{id}`: it was never given to this caller, or is kept no longer")]
    UnknownResponse {
        /// The response's id.
        id: String,
        /// The request's field that names it, if one does.
        field: Option<&'static str>,
    },
    /// There is no such entry.
    #[error("no entry is held under this key")]
    UnknownKey,
    /// A backend gave no answer.
    #[error(transparent)]
    Fetch(FetchError),
    /// Whoever fetched the answer is gone.
    #[error("the answer was given up before it was whole")]
    Abandoned,
}

impl From<FlightError<FetchError>> for Error {
    fn from(error: FlightError<FetchError>) -> Self {
        match error {
            FlightError::Failed(error) => Self::Fetch(error),
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
            | Self::Unsupported { .. }
            | Self::UnreadableBody(_) => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } | Self::BodyTooDense { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownCoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound { .. }
            | Self::NotPassedOn { .. }
            | Self::UnknownModel(_)
            | Self::UnknownResponse { .. }
            | Self::UnknownKey => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy { .. } | Self::NoMemory { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::ShareTaken { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NotCached => StatusCode::GATEWAY_TIMEOUT,
            Self::UpgradeRefused => StatusCode::UPGRADE_REQUIRED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Fetch(error) => error.status(),
            Self::Abandoned => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The reply's body, in the client's API's shape. An upstream's own words are passed on.
    pub(crate) fn body(&self, api: Api) -> Vec<u8> {
        if let Some(refusal) = self.refusal() {
            return refusal.body_for(api);
        }
        match api {
            Api::OpenAi | Api::Responses => self.openai_body(),
            Api::Anthropic => messages::error(self.status().as_u16(), &self.to_string()),
        }
        .into_bytes()
    }

    /// The same in one line, for an event of a stream.
    pub(crate) fn one_line(&self, api: Api) -> String {
        let body = self.body(api);
        let document: Value = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let status = self.status().as_u16();
            match api {
                Api::OpenAi | Api::Responses => errors::error_to_openai(status, &body),
                Api::Anthropic => errors::error_to_anthropic(status, &body),
            }
        });
        document.to_string()
    }

    /// The upstream's own error, if it is one.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Fetch(FetchError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether the request may have been refused before its body was read to the end.
    pub(crate) fn may_leave_body(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. }
                | Self::BodyTimeout { .. }
                | Self::Busy { .. }
                | Self::Forbidden(_)
                | Self::MethodNotAllowed { .. }
                | Self::NoMemory { .. }
                | Self::NotFound { .. }
                | Self::NotPassedOn { .. }
                | Self::ShareTaken { .. }
                | Self::UnknownCoding(_)
                | Self::UnreadableBody(_)
        )
    }

    /// When the same request is worth another try.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { .. } | Self::NoMemory { .. } | Self::ShareTaken { .. } => Some(BUSY_PAUSE),
            Self::Fetch(error) => error.retry_after(),
            _ => None,
        }
    }

    fn openai_body(&self) -> String {
        let kind = if self.status().is_client_error() {
            ErrorKind::InvalidRequest
        } else {
            ErrorKind::Server
        };
        openai::error(kind, &self.to_string(), self.field(), self.code())
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::BadRequest(error) => error.field.as_deref(),
            Self::UnknownModel(_) => Some("model"),
            Self::UnknownResponse { field, .. } => *field,
            Self::Fetch(error) => error.field(),
            _ => None,
        }
    }

    fn code(&self) -> Option<&'static str> {
        match self {
            Self::BadJson(_) | Self::NotAnObject => Some("invalid_json"),
            Self::BadRequest(error) => error.code,
            Self::BodyTooLarge { .. } | Self::BodyTooDense { .. } => Some("body_too_large"),
            Self::UnknownCoding(_) => Some("unsupported_content_encoding"),
            Self::Loop => Some("loop"),
            Self::BodyTimeout { .. } => Some("body_timeout"),
            Self::NotFound { .. } | Self::NotPassedOn { .. } => Some("unknown_url"),
            Self::UnknownModel(_) => Some("model_not_found"),
            Self::Unsupported { .. } => Some("unsupported_endpoint"),
            Self::Busy { .. } | Self::NoMemory { .. } | Self::ShareTaken { .. } => {
                Some("too_many_requests")
            }
            Self::NotCached => Some("not_cached"),
            Self::UnknownResponse { .. } => Some("response_not_found"),
            Self::UnknownKey => Some("unknown_key"),
            Self::Fetch(error) => error.code(),
            Self::UnreadableBody(_)
            | Self::MethodNotAllowed { .. }
            | Self::UpgradeRefused
            | Self::Forbidden(_)
            | Self::Abandoned => None,
        }
    }
}

impl Refusal {
    /// The upstream's words, in the client's API's shape.
    fn body_for(&self, api: Api) -> Vec<u8> {
        let status = self.status.as_u16();
        let translated = match api {
            api if api == self.api => return self.body.to_vec(),
            Api::OpenAi | Api::Responses => errors::error_to_openai(status, &self.body),
            Api::Anthropic => errors::error_to_anthropic(status, &self.body),
        };
        translated.to_string().into_bytes()
    }
}
