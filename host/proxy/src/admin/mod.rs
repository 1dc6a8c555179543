//! `/admin`: what is held, what is to be forgotten, and why a request would hit or not.
//!
//! Whoever may look in here sees other people's questions. So it is open to this machine only, as
//! long as the server listens to nobody else, and otherwise to those who show the token. A web page
//! that runs on this machine is not this machine: a request with an `Origin`, under a foreign `Host`
//! (DNS rebinding) or through another proxy needs the token as well.

mod entries;
mod explain;

pub(crate) use entries::parameter;

use std::sync::Arc;

use deja_wire::Api;
use hyper::{
    HeaderMap, Method, Request,
    body::Incoming,
    header::{AUTHORIZATION, HOST, ORIGIN},
};
use tracing::info;

use crate::{
    bearer,
    error::Error,
    hosts::{self, Ends},
    pipeline::Proxy,
    reply::{self, Reply},
    settings::Secret,
};

/// Headers by which a proxy between us and the caller shows itself.
const FORWARDED: [&str; 8] = [
    "forwarded",
    "sec-fetch-site",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-real-ip",
];

/// Answers a request to `/admin` on a connection between these two.
pub(crate) async fn answer(proxy: &Arc<Proxy>, request: Request<Incoming>, ends: Ends) -> Reply {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = match permit(proxy, request.headers(), ends) {
        Ok(()) => dispatch(proxy, without_token(proxy, request)).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| {
        info!(%method, path, status = error.status().as_u16(), error = error.to_string(), "refused");
        reply::error(&error, Api::OpenAi)
    })
}

async fn dispatch(proxy: &Arc<Proxy>, request: Request<Incoming>) -> Result<Reply, Error> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let document = match (request.method(), path.as_str()) {
        (&Method::GET, "/admin/cache") => entries::list(proxy, &query)?,
        (&Method::DELETE, "/admin/cache") => entries::purge(proxy, &query)?,
        (&Method::POST, "/admin/explain") => explain::explain(proxy, request, &query).await?,
        (_, "/admin/cache") => return Err(not_allowed(path, "GET, DELETE")),
        (_, "/admin/explain") => return Err(not_allowed(path, "POST")),
        (method, _) => match (path.strip_prefix("/admin/cache/"), method) {
            (Some(key), &Method::DELETE) => entries::purge_one(proxy, key)?,
            (Some(_), _) => return Err(not_allowed(path, "DELETE")),
            (None, method) => {
                let method = method.clone();
                return Err(Error::NotFound { method, path });
            }
        },
    };
    Ok(reply::json(document.to_string().into()))
}

fn not_allowed(path: String, allowed: &'static str) -> Error {
    Error::MethodNotAllowed { path, allowed }
}

fn permit(proxy: &Proxy, headers: &HeaderMap, ends: Ends) -> Result<(), Error> {
    let rules = proxy.rules.load();
    let token = rules.settings.admin_token.as_ref();
    let needs_token = rules.settings.admin_needs_token || !ends.is_local();
    if shows(token, headers) || !needs_token && is_from_here(headers, ends) {
        return Ok(());
    }
    Err(Error::Forbidden(if token.is_some() {
        "/admin wants its token: Authorization: Bearer …"
    } else {
        "/admin is open to programs on this machine only, where the server listens on a loopback \
         address, or with a token (`admin.token_env`)"
    }))
}

/// The request without the token: what is explained has credentials of its own.
fn without_token(proxy: &Proxy, mut request: Request<Incoming>) -> Request<Incoming> {
    let rules = proxy.rules.load();
    if shows(rules.settings.admin_token.as_ref(), request.headers()) {
        request.headers_mut().remove(AUTHORIZATION);
    }
    request
}

/// Compares in a time that tells nothing of the token.
fn shows(token: Option<&Secret>, headers: &HeaderMap) -> bool {
    match (token, bearer::token(headers)) {
        (Some(token), Some(shown)) => {
            let digest = |text: &str| deja_cache::Scope::of([text.as_bytes()]);
            digest(token.reveal()) == digest(shown)
        }
        _ => false,
    }
}

fn is_from_here(headers: &HeaderMap, ends: Ends) -> bool {
    let names_us = headers.get_all(HOST).iter().all(hosts::names_loopback);
    ends.peer.to_canonical().is_loopback()
        && names_us
        && !headers.contains_key(ORIGIN)
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            let name = hyper::header::HeaderName::from_static(name);
            (name, value.parse().expect("it is text"))
        };
        pairs.iter().map(pair).collect()
    }

    fn from(headers: &HeaderMap, peer: impl Into<IpAddr>) -> bool {
        let (peer, listen) = (peer.into(), Ipv4Addr::LOCALHOST.into());
        is_from_here(headers, Ends { peer, listen })
    }

    #[test]
    fn only_programs_on_this_machine_are_from_here() {
        let here = Ipv4Addr::LOCALHOST;
        for host in [
            "localhost:8081",
            "127.0.0.1:8081",
            "[::1]:8081",
            "127.0.0.1",
        ] {
            assert!(from(&headers(&[("host", host)]), here), "{host}");
        }
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert!(from(&headers(&[]), mapped));
        assert!(from(&headers(&[]), Ipv6Addr::LOCALHOST));
        for strange in [
            ("host", "evil.example"),
            ("host", "localhost.evil.example"),
            ("origin", "http://localhost:3000"),
            ("x-forwarded-for", "1.2.3.4"),
        ] {
            assert!(!from(&headers(&[strange]), here), "{strange:?}");
        }
        assert!(!from(&headers(&[]), Ipv4Addr::new(10, 0, 0, 1)));
    }

    #[test]
    fn a_token_is_shown_whole_or_not_at_all() {
        let token = Secret::new("t0ken");
        let shown = |value| shows(Some(&token), &headers(&[("authorization", value)]));
        assert!(shown("Bearer t0ken"));
        assert!(!shown("Bearer t0ke") && !shown("t0ken") && !shown("Bearer "));
        assert!(!shows(None, &headers(&[("authorization", "Bearer ")])));
    }
}
