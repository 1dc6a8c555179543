//! Passes on what upstreams offer beyond the cached endpoints: images, transcriptions, files,
//! batches. Both ways the bytes stream through, and nothing is held in memory.

mod body;
mod model;

use std::{sync::Arc, time::Instant};

use deja_wire::Api;
use hyper::{Request, body::Incoming, http::request::Parts};
use percent_encoding::percent_decode_str;
use reqwest::Response;
use tracing::info;

use crate::{
    backend::{Backend, Routed, Upstream},
    cache_status::CacheStatus,
    decode::{CallHeaders, named_by_connection},
    error::Error,
    metrics::Place,
    pipeline::Proxy,
    reply::{self, Reply},
    rules::Rules,
    tenants::TenantPlace,
    via,
};
pub(crate) use body::Upload;
use body::reply_body;

/// A request that is passed on, until its reply has come to its end.
struct Passing {
    proxy: Arc<Proxy>,
    started: Instant,
    backend: String,
    method: hyper::Method,
    path: String,
    status: u16,
    bytes: usize,
    _place: Place,
    _tenant_place: Option<TenantPlace>,
}

impl Drop for Passing {
    fn drop(&mut self) {
        let latency = self.started.elapsed();
        self.proxy.metrics.passed_through(self.status, latency);
        info!(
            method = %self.method,
            path = self.path,
            backend = self.backend,
            status = self.status,
            bytes = self.bytes,
            ?latency,
            "passed through"
        );
    }
}

/// Passes a request of a client of this API on to an upstream that speaks it.
///
/// # Errors
/// No upstream takes it, all places are taken, or the upstream does not answer.
pub(crate) async fn pass_through(
    proxy: &Arc<Proxy>,
    api: Api,
    request: Request<Incoming>,
) -> Result<Reply, Error> {
    let rules = proxy.rules.load_full();
    let (mut head, body) = request.into_parts();
    let candidates = candidates(&rules, api, &head)?;
    if via::is_ours(&head.headers) {
        return Err(Error::Loop);
    }
    for name in named_by_connection(&head.headers) {
        head.headers.remove(name);
    }
    let mut passing = admit(proxy, &rules, &head)?;
    let mut upload = Upload::new(body, rules.settings.body_timeout);
    let to = match candidates.as_slice() {
        [only] => only.clone(),
        several => chosen(several, &rules, &head, &mut upload).await?,
    };
    passing.backend.clone_from(&to.name);
    let response = upstream(&to).pass(&head, upload).await;
    let response = response.map_err(Error::Fetch)?;
    passing.status = response.status().as_u16();
    Ok(answered(response, passing))
}

/// Returns the backends that a request may be passed on to, at least one.
fn candidates(rules: &Rules, api: Api, head: &Parts) -> Result<Vec<Arc<Routed>>, Error> {
    let path = head.uri.path();
    let speaking = rules
        .backends
        .iter()
        .filter(|routed| match &routed.backend {
            Backend::Upstream(upstream) => upstream.may_speak(api),
            Backend::Engine(_) => false,
        });
    let (open, closed): (Vec<_>, Vec<_>) =
        speaking.partition(|routed| upstream(routed).settings().pass_through);
    if !open.is_empty() && stays_below_the_base(path) {
        return Ok(open.into_iter().cloned().collect());
    }
    let (method, path) = (head.method.clone(), path.to_owned());
    match closed.first() {
        Some(routed) if open.is_empty() => Err(Error::NotPassedOn {
            method,
            path,
            backend: routed.name.clone(),
        }),
        _ => Err(Error::NotFound { method, path }),
    }
}

/// Returns whether a path, appended to an upstream's base URL, stays below it.
fn stays_below_the_base(path: &str) -> bool {
    path.split(['/', '\\']).all(|segment| {
        let segment = percent_decode_str(segment).decode_utf8_lossy();
        segment != "." && segment != ".." && !segment.contains(['/', '\\'])
    })
}

/// Returns the upstream that a backend is.
fn upstream(routed: &Routed) -> &Upstream {
    match &routed.backend {
        Backend::Upstream(upstream) => upstream,
        Backend::Engine(_) => unreachable!("only upstreams are candidates"),
    }
}

fn admit(proxy: &Arc<Proxy>, rules: &Rules, head: &Parts) -> Result<Passing, Error> {
    let settings = &rules.settings;
    let limit = settings.max_requests;
    let place = proxy.metrics.admit(limit).ok_or(Error::Busy { limit })?;
    let headers = CallHeaders::new(
        head.headers.clone(),
        settings.headers.clone(),
        settings.partition.clone(),
    );
    Ok(Passing {
        proxy: proxy.clone(),
        started: Instant::now(),
        backend: String::new(),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        status: 502,
        bytes: 0,
        _place: place,
        _tenant_place: proxy.tenant_place(settings, headers.tenant())?,
    })
}

/// Returns the backend that answers for the model that the body names, or else the first.
async fn chosen(
    several: &[Arc<Routed>],
    rules: &Rules,
    head: &Parts,
    upload: &mut Upload,
) -> Result<Arc<Routed>, Error> {
    let start = upload.peek().await?;
    let route = model::named(&head.headers, &start).and_then(|name| rules.backends.route(&name));
    let named = route.and_then(|route| several.iter().find(|to| Arc::ptr_eq(to, &route.to)));
    Ok(named.unwrap_or(&several[0]).clone())
}

fn answered(response: Response, passing: Passing) -> Reply {
    let status = response.status();
    let headers = Upstream::passed_headers(response.headers());
    let mut reply = Reply::new(reply_body(response, passing));
    *reply.status_mut() = status;
    reply::add(&mut reply, &headers);
    reply::with_status(reply, &CacheStatus::PassedThrough, deja_cache::Floor::Held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_base() {
        for path in ["/v1/files", "/v1/files/a.b/content", "/v1/x/...", "/v1/%2a"] {
            assert!(stays_below_the_base(path), "{path}");
        }
        for path in [
            "/v1/../admin",
            "/v1/%2e%2E/admin",
            "/v1/.%2e/admin",
            "/v1/..\\admin",
            "/v1/a%2f..%2fadmin",
            "/v1/./files",
        ] {
            assert!(!stays_below_the_base(path), "{path}");
        }
    }
}
