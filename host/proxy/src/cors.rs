//! Which web pages may call (the Fetch standard's CORS protocol).

use hyper::{
    HeaderMap, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        HeaderValue, ORIGIN, VARY,
    },
};

use crate::{
    reply::{self, Reply},
    settings::Origins,
};

impl Origins {
    /// Whether a page of this origin may call.
    fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Named { loopback, origins } => {
                origins.iter().any(|named| named == origin) || *loopback && is_loopback(origin)
            }
        }
    }
}

/// Whether a page of this origin may call. One that may not is not only denied the answer, which
/// browsers see to: it must not spend a model's time either.
pub(crate) fn allows(origins: &Origins, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| origins.allow(origin))
}

/// Whether a page came from this machine: browsers hold such origins for trustworthy.
fn is_loopback(origin: &str) -> bool {
    let Ok(origin) = origin.parse::<hyper::Uri>() else {
        return false;
    };
    match origin.host() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

/// The answer to a browser that asks before it calls.
pub(crate) fn preflight(request: &HeaderMap) -> Reply {
    let mut reply = reply::empty();
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let headers = reply.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    reply
}

/// Tells the browser that its page may read the reply, if it may.
pub(crate) fn allow(reply: &mut Reply, origin: Option<&HeaderValue>, origins: &Origins) {
    let Some(origin) = origin.filter(|origin| allows(origins, origin)) else {
        return;
    };
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from(ORIGIN));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_and_those_named_may_call() {
        let origins = Origins::Named {
            loopback: true,
            origins: vec!["https://app.example".to_owned()],
        };
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1",
            "https://[::1]:8080",
            "https://app.example",
        ] {
            assert!(origins.allow(origin), "{origin}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "null",
            "https://app.example:8443",
        ] {
            assert!(!origins.allow(origin), "{origin}");
            assert!(Origins::Any.allow(origin));
        }
    }
}
