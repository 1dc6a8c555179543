//! Which headers pass between client and upstream.

use deja_cache::is_credential;
use deja_chat::Api;
use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT, VIA},
};

use super::upstream::UpstreamSettings;
use crate::via;

/// The version of Anthropic's API that is asked where the client names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Headers of a request that are between the client and us, or that we set ourselves.
const OURS: [&str; 18] = [
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of a reply that are between the upstream and us, or that we set ourselves.
const THEIRS: [&str; 15] = [
    "age",
    "alt-svc",
    "cache-control",
    "cache-status",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
];

/// The client's headers that the upstream gets, and the key. Where the APIs differ, only those
/// pass that mean something to both.
pub(super) fn to_upstream(
    settings: &UpstreamSettings,
    from: &HeaderMap,
    translated: bool,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let of_this_hop = named_by_connection(from);
    for (name, value) in from {
        let passes = if translated {
            name == USER_AGENT
        } else {
            !OURS.contains(&name.as_str()) && !of_this_hop.contains(name)
        };
        if passes {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.append(VIA, via::ours());
    authorise(settings, &mut headers, from, translated);
    if settings.api == Api::Anthropic {
        let version = HeaderValue::from_static(ANTHROPIC_VERSION);
        headers.entry(VERSION).or_insert(version);
    }
    headers
}

fn authorise(
    settings: &UpstreamSettings,
    headers: &mut HeaderMap,
    from: &HeaderMap,
    translated: bool,
) {
    let key = match &settings.api_key {
        Some(key) => Some(key.reveal().to_owned()),
        None if translated => shown_key(from),
        None => return,
    };
    let shown: Vec<_> = headers.keys().cloned().collect();
    for name in shown.iter().filter(|name| is_credential(name.as_str())) {
        headers.remove(name);
    }
    let (name, value) = match (settings.api, key) {
        (_, None) => return,
        (Api::OpenAi, Some(key)) => (AUTHORIZATION, format!("Bearer {key}")),
        (Api::Anthropic, Some(key)) => (X_API_KEY, key),
    };
    if let Ok(mut value) = HeaderValue::try_from(value) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

/// The headers that are between the client and us because it says so (RFC 9110, section 7.6.1).
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// The key that a client of either API shows.
fn shown_key(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    text(X_API_KEY).or(bearer).map(str::to_owned)
}

/// The upstream's headers that the client gets too.
pub(super) fn to_client(headers: &HeaderMap) -> HeaderMap {
    let of_this_hop = named_by_connection(headers);
    let passes = |name: &HeaderName| {
        !THEIRS.contains(&name.as_str())
            && !name.as_str().starts_with("access-control-")
            && !of_this_hop.contains(name)
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::upstream::testing, settings::Secret};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| {
                let value = HeaderValue::from_static(value);
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    fn settings(api: Api, key: Option<&str>) -> UpstreamSettings {
        UpstreamSettings {
            api,
            api_key: key.map(Secret::new),
            ..testing::settings()
        }
    }

    #[test]
    fn the_clients_own_key_passes_unless_one_is_configured() {
        let client = headers(&[
            ("authorization", "Bearer ada"),
            ("x-new", "1"),
            ("host", "me"),
        ]);
        let own = to_upstream(&settings(Api::OpenAi, None), &client, false);
        assert_eq!(own["authorization"], "Bearer ada");
        assert_eq!(own["x-new"], "1");
        assert!(!own.contains_key("host"));
        let configured = to_upstream(&settings(Api::OpenAi, Some("k")), &client, false);
        assert_eq!(configured["authorization"], "Bearer k");
    }

    #[test]
    fn a_key_moves_to_where_the_other_api_has_it() {
        let client = headers(&[("authorization", "Bearer ada"), ("openai-beta", "x")]);
        let there = to_upstream(&settings(Api::Anthropic, None), &client, true);
        assert_eq!(there["x-api-key"], "ada");
        assert_eq!(there["anthropic-version"], ANTHROPIC_VERSION);
        assert!(!there.contains_key("authorization") && !there.contains_key("openai-beta"));
        let client = headers(&[("x-api-key", "bob"), ("anthropic-version", "2023-06-01")]);
        let back = to_upstream(&settings(Api::OpenAi, None), &client, true);
        assert_eq!(back["authorization"], "Bearer bob");
        assert!(!back.contains_key("x-api-key") && !back.contains_key("anthropic-version"));
    }
}
