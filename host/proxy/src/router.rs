//! Which request goes where.

use std::sync::Arc;

use deja_cache::Endpoint;
use hyper::{Method, Request, body::Incoming};
use tracing::{info, warn};

use crate::{
    error::Error,
    health,
    pipeline::Proxy,
    reply::{self, Reply},
};

/// Answers any request; errors become replies here, and are logged here only.
pub(crate) async fn route(proxy: &Arc<Proxy>, request: Request<Incoming>) -> Reply {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    dispatch(proxy, request).await.unwrap_or_else(|error| {
        let status = error.status().as_u16();
        if error.status().is_server_error() {
            warn!(%method, path, status, %error, "not answered");
        } else {
            info!(%method, path, status, %error, "refused");
        }
        reply::error(&error)
    })
}

async fn dispatch(proxy: &Arc<Proxy>, request: Request<Incoming>) -> Result<Reply, Error> {
    let method = request.method().clone();
    let path = request.uri().path();
    match (&method, path) {
        (&Method::POST, "/v1/chat/completions") => {
            proxy.answer(Endpoint::ChatCompletions, request).await
        }
        (&Method::GET, "/v1/models") => Ok(reply::json(proxy.backend.models())),
        (&Method::GET, "/health") => Ok(reply::json(health::health(proxy).to_string())),
        (&Method::HEAD, "/") => Ok(reply::empty()),
        (_, "/v1/chat/completions") => Err(not_allowed(path, "POST")),
        (_, "/v1/models" | "/health") => Err(not_allowed(path, "GET")),
        _ => Err(Error::NotFound {
            path: path.to_owned(),
            method,
        }),
    }
}

fn not_allowed(path: &str, allowed: &'static str) -> Error {
    Error::MethodNotAllowed {
        path: path.to_owned(),
        allowed,
    }
}
