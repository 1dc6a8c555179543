//! Which headers pass between client and upstream.

use deja_cache::{HeaderPattern, HeaderRules};
use deja_wire::Api;
use hyper::{
    HeaderMap,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue,
        USER_AGENT, VIA,
    },
};

use super::upstream::{ClientKey, UpstreamSettings};
use crate::{bearer, decode::named_by_connection, via};

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

/// Headers that describe a body, for an upstream that gets it as it came.
const OF_BODIES: [HeaderName; 3] = [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH];

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

/// The client's headers that the upstream gets, and a key. Where the APIs differ, only those pass
/// that mean something to both.
pub(super) fn to_upstream(
    settings: &UpstreamSettings,
    from: &HeaderMap,
    translated: bool,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in from {
        let passes = if translated {
            name == USER_AGENT
        } else {
            !OURS.contains(&name.as_str()) && may_pass(settings, name)
        };
        if passes {
            headers.append(name.clone(), value.clone());
        }
    }
    let own = || translated && settings.client_key == ClientKey::AnyApi;
    let shown = own().then(|| shown_key(from)).flatten();
    finished(settings, headers, shown)
}

/// Returns the headers of a request that is passed on with its body as it came.
pub(super) fn passed_on(settings: &UpstreamSettings, from: &HeaderMap) -> HeaderMap {
    let mut headers = to_upstream(settings, from, false);
    headers.remove(CONTENT_TYPE);
    copy(from, &OF_BODIES, &mut headers);
    headers
}

/// Returns the headers of a reply whose body is passed back as it came.
pub(super) fn passed_back(from: &HeaderMap) -> HeaderMap {
    let mut headers = to_client(from);
    copy(from, &[CONTENT_TYPE], &mut headers);
    headers
}

fn copy(from: &HeaderMap, names: &[HeaderName], into: &mut HeaderMap) {
    for name in names {
        if let Some(value) = from.get(name) {
            into.insert(name, value.clone());
        }
    }
}

/// The headers of a request for the upstream's models. The client's key is not among them, unless
/// the settings allow it: who lists models has chosen no upstream.
pub(super) fn for_models(settings: &UpstreamSettings, from: &HeaderMap) -> HeaderMap {
    let speaks = if from.contains_key(VERSION) {
        Api::Anthropic
    } else {
        Api::OpenAi
    };
    let is_allowed = settings.list_models_with_client_key
        && match settings.client_key {
            ClientKey::SameApi => speaks == settings.api,
            ClientKey::AnyApi => true,
            ClientKey::Never => false,
        };
    let agent = from.get_all(USER_AGENT).iter().cloned();
    let headers = agent.map(|agent| (USER_AGENT, agent)).collect();
    let shown = is_allowed.then(|| shown_key(from)).flatten();
    finished(settings, headers, shown)
}

/// Whether a client's header passes to an upstream of the client's API. One that may hold
/// credentials does only where the client's own are wanted, or the settings name it.
fn may_pass(settings: &UpstreamSettings, name: &HeaderName) -> bool {
    let named = |pattern: &HeaderPattern| pattern.matches(name.as_str());
    settings.passes_own_key()
        || HeaderRules::default().shows(name.as_str())
        || settings.forward_headers.iter().any(named)
}

/// Adds what every request to the upstream has: its key, or else the one that the client shows.
fn finished(
    settings: &UpstreamSettings,
    mut headers: HeaderMap,
    shown: Option<String>,
) -> HeaderMap {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.append(VIA, via::ours());
    let configured = settings.api_key.as_ref().map(|key| key.reveal().to_owned());
    if let Some(key) = configured.or(shown) {
        headers.remove(AUTHORIZATION);
        headers.remove(X_API_KEY);
        let (name, value) = match settings.api {
            Api::OpenAi | Api::Responses => (AUTHORIZATION, format!("Bearer {key}")),
            Api::Anthropic => (X_API_KEY, key),
        };
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    if settings.api == Api::Anthropic {
        let version = HeaderValue::from_static(ANTHROPIC_VERSION);
        headers.entry(VERSION).or_insert(version);
    }
    headers
}

/// Returns the key that a client shows, in the header of any API.
fn shown_key(headers: &HeaderMap) -> Option<String> {
    let key = headers.get(X_API_KEY).and_then(|value| value.to_str().ok());
    key.or_else(|| bearer::token(headers)).map(str::to_owned)
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
    fn no_other_credential_passes_beside_a_configured_key() {
        let client = headers(&[
            ("x-api-key", "ada"),
            ("ocp-apim-subscription-key", "ada"),
            ("x-portkey-config", "ada"),
            ("anthropic-beta", "x"),
            ("x-mode", "fast"),
        ]);
        let never = UpstreamSettings {
            client_key: ClientKey::Never,
            ..settings(Api::Anthropic, None)
        };
        for settings in [settings(Api::Anthropic, Some("k")), never] {
            let there = to_upstream(&settings, &client, false);
            assert!(!format!("{there:?}").contains("ada"), "{there:?}");
            assert_eq!(there["anthropic-beta"], "x");
            assert!(!there.contains_key("x-mode"));
            let pattern = HeaderPattern::new("x-mode").expect("it is a name");
            let naming = UpstreamSettings {
                forward_headers: vec![pattern],
                ..settings
            };
            assert_eq!(to_upstream(&naming, &client, false)["x-mode"], "fast");
        }
    }

    #[test]
    fn a_key_goes_to_the_other_api_only_if_that_is_allowed() {
        let client = headers(&[("authorization", "bearer ada"), ("openai-beta", "x")]);
        let strict = to_upstream(&settings(Api::Anthropic, None), &client, true);
        assert!(!format!("{strict:?}").contains("ada"), "{strict:?}");
        let any = |api| UpstreamSettings {
            client_key: ClientKey::AnyApi,
            ..settings(api, None)
        };
        let there = to_upstream(&any(Api::Anthropic), &client, true);
        assert_eq!(there["x-api-key"], "ada");
        assert_eq!(there["anthropic-version"], ANTHROPIC_VERSION);
        assert!(!there.contains_key("authorization") && !there.contains_key("openai-beta"));
        let client = headers(&[("x-api-key", "bob"), ("anthropic-version", "2023-06-01")]);
        let back = to_upstream(&any(Api::OpenAi), &client, true);
        assert_eq!(back["authorization"], "Bearer bob");
        assert!(!back.contains_key("x-api-key") && !back.contains_key("anthropic-version"));
    }

    #[test]
    fn who_lists_models_shows_a_key_only_where_that_is_allowed() {
        let client = headers(&[("authorization", "Bearer ada")]);
        let shows = |api, allowed| {
            let settings = UpstreamSettings {
                list_models_with_client_key: allowed,
                ..settings(api, None)
            };
            let headers = for_models(&settings, &client);
            headers.contains_key(AUTHORIZATION) || headers.contains_key(X_API_KEY)
        };
        assert!(shows(Api::OpenAi, true));
        assert!(!shows(Api::OpenAi, false) && !shows(Api::Anthropic, true));
    }
}
