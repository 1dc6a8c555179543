//! Which headers of a request are part of its key, and which may be shown.
//!
//! Every header is in the key, but for those known to change no answer. So a header that nobody
//! thought of, a new vendor's credentials among them, keeps callers apart. The same lists decide
//! what plugins and traces may see: a header on none of them may be a secret.

use std::{fmt, sync::Arc};

/// What a request's header can do to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRole {
    /// Changes no answer: left out of the key, and shown.
    Neutral,
    /// Can change an answer and holds no secret: part of the key, and shown.
    Public,
    /// May identify or authorise the client: part of the key, shown to no plugin and in no trace.
    /// Every header that is on no list.
    Private,
}

/// Headers that change no answer: of the connection, of browsers, of tracing, of proxies on the
/// way, and the sessions and retries of agents and SDKs. Sorted.
const NEUTRAL: [&str; 66] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "anthropic-dangerous-direct-browser-access",
    "b3",
    "baggage",
    "cache-control",
    "cdn-loop",
    "cf-connecting-ip",
    "cf-ray",
    "cf-visitor",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "conversation_id",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "http-referer",
    "idempotency-key",
    "keep-alive",
    "newrelic",
    "origin",
    "originator",
    "pragma",
    "priority",
    "proxy-connection",
    "referer",
    "request-id",
    "sec-gpc",
    "sentry-trace",
    "session-id",
    "session_id",
    "te",
    "thread-id",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "uber-trace-id",
    "upgrade",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-app",
    "x-claude-code-session-id",
    "x-client-request-id",
    "x-cloud-trace-context",
    "x-codex-beta-features",
    "x-codex-turn-metadata",
    "x-codex-window-id",
    "x-correlation-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-idempotency-key",
    "x-real-ip",
    "x-request-id",
    "x-session-affinity",
    "x-session-id",
    "x-title",
];

/// How other names of headers begin that change no answer.
const NEUTRAL_PREFIXES: [&str; 5] = [
    "sec-ch-",
    "sec-fetch-",
    "x-b3-",
    "x-datadog-",
    "x-stainless-",
];

/// Headers that can change an answer and hold no secret.
const PUBLIC: [&str; 4] = [
    "accept-language",
    "azureml-model-deployment",
    "extra-parameters",
    "x-portkey-provider",
];

/// How other names of such headers begin.
const PUBLIC_PREFIXES: [&str; 2] = ["anthropic-", "openai-"];

/// Words between hyphens that show that a header identifies or authorises the client.
const CREDENTIAL_WORDS: [&str; 14] = [
    "assertion",
    "cookie",
    "credential",
    "credentials",
    "email",
    "identity",
    "jwt",
    "login",
    "oidc",
    "password",
    "principal",
    "secret",
    "signature",
    "user",
];

/// How such words begin or end.
const CREDENTIAL_ENDS: [&str; 3] = ["auth", "key", "token"];

/// Whether a header, by its lower-case name, identifies or authorises the client. Where callers
/// share answers, these are left out of the key; nothing is shown or passed on because of it.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    name.split(['-', '_']).any(|word| {
        CREDENTIAL_WORDS.contains(&word)
            || word.starts_with("auth")
            || CREDENTIAL_ENDS.iter().any(|end| word.ends_with(end))
    })
}

/// A header's name, or with `*` at its end how names begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPattern {
    text: Box<str>,
    is_prefix: bool,
}

/// A text that is neither a header's name nor the beginning of one and `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a header's name is expected, in which `*` can stand at the end")]
pub struct NotAHeader;

impl HeaderPattern {
    /// Reads a pattern, in any case.
    ///
    /// # Errors
    /// It is empty, or holds what a name cannot (RFC 9110, section 5.6.2).
    pub fn new(text: &str) -> Result<Self, NotAHeader> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(NotAHeader);
        }
        Ok(Self {
            text: name.to_ascii_lowercase().into(),
            is_prefix: name.len() < text.len(),
        })
    }

    /// Whether it is this name, in lower case, or how that begins.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.is_prefix {
            name.starts_with(&*self.text)
        } else {
            name == &*self.text
        }
    }
}

impl fmt::Display for HeaderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str(if self.is_prefix { "*" } else { "" })
    }
}

/// The built-in lists, and the headers that the configuration adds to the neutral ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderRules {
    ignored: Arc<[HeaderPattern]>,
}

impl HeaderRules {
    /// Rules that ignore these headers too.
    #[must_use]
    pub fn ignoring(ignored: Vec<HeaderPattern>) -> Self {
        Self {
            ignored: ignored.into(),
        }
    }

    /// Returns what a header, by its lower-case name, can do to an answer.
    #[must_use]
    pub fn role(&self, name: &str) -> HeaderRole {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if NEUTRAL.binary_search(&name).is_ok()
            || begins(&NEUTRAL_PREFIXES)
            || self.ignored.iter().any(|ignored| ignored.matches(name))
        {
            HeaderRole::Neutral
        } else if (PUBLIC.contains(&name) || begins(&PUBLIC_PREFIXES)) && !is_credential(name) {
            HeaderRole::Public
        } else {
            HeaderRole::Private
        }
    }

    /// Whether plugins and traces may see a header, by its lower-case name.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        self.role(name) != HeaderRole::Private
    }

    /// Whether a header, by its lower-case name, is part of the key.
    #[must_use]
    pub fn is_keyed(&self, name: &str) -> bool {
        self.role(name) != HeaderRole::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str) -> HeaderRole {
        HeaderRules::default().role(name)
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(NEUTRAL.is_sorted());
    }

    #[test]
    fn what_is_on_no_list_is_private() {
        for name in [
            "authorization",
            "x-api-key",
            "cookie",
            "ocp-apim-subscription-key",
            "apikey",
            "x-functions-key",
            "cf-access-jwt-assertion",
            "x-goog-iap-jwt-assertion",
            "x-amzn-oidc-data",
            "x-ms-client-principal",
            "x-forwarded-user",
            "remote-user",
            "x-portkey-config",
            "x-of-a-vendor-that-nobody-knows",
            "anthropic-api-key",
            "openai-auth",
        ] {
            assert_eq!(role(name), HeaderRole::Private, "{name}");
        }
    }

    #[test]
    fn what_agents_and_proxies_add_changes_nothing() {
        for name in [
            "user-agent",
            "x-stainless-retry-count",
            "x-claude-code-session-id",
            "x-codex-window-id",
            "x-session-affinity",
            "traceparent",
            "cache-control",
            "sec-ch-ua-platform",
        ] {
            assert_eq!(role(name), HeaderRole::Neutral, "{name}");
        }
        for name in ["anthropic-beta", "openai-beta", "azureml-model-deployment"] {
            assert_eq!(role(name), HeaderRole::Public, "{name}");
        }
    }

    #[test]
    fn headers_can_be_ignored_by_name_and_by_prefix() {
        let patterns =
            ["X-Run", "x-eval-*"].map(|text| HeaderPattern::new(text).expect("a pattern"));
        let rules = HeaderRules::ignoring(patterns.into());
        for (name, is_keyed) in [("x-run", false), ("x-runs", true), ("x-eval-id", false)] {
            assert_eq!(rules.is_keyed(name), is_keyed, "{name}");
        }
        for text in ["", "*", "a b", "x*y", "é"] {
            assert_eq!(HeaderPattern::new(text), Err(NotAHeader), "{text}");
        }
    }

    #[test]
    fn credentials_are_known_by_the_words_of_their_names() {
        for name in [
            "authorization",
            "x-apikey",
            "x-goog-api-key",
            "x-authtoken",
            "x-amz-security-token",
            "remote-user",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["x-max-tokens", "anthropic-beta", "x-team", "x-monkeys"] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
