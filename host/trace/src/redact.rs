//! What of a request is never written: its credentials.

mod body;

use deja_cache::{HeaderRules, is_credential};
use deja_wire::Endpoint;

use crate::Digest;

pub(crate) use body::redacted_body;

/// What stands in the place of a credential.
const REDACTED: &str = "redacted";

/// A query string in which credentials are replaced.
#[must_use]
pub fn redacted_query(query: &str) -> String {
    let field = |field: &str| match field.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
        _ => field.to_owned(),
    };
    let fields: Vec<_> = query.split('&').map(field).collect();
    fields.join("&")
}

/// A query string without the fields that hold credentials.
#[must_use]
pub fn query_without_credentials(query: &str) -> String {
    let is_public = |field: &&str| !is_secret(field.split('=').next().unwrap_or_default());
    let fields: Vec<_> = query.split('&').filter(is_public).collect();
    fields.join("&")
}

/// Names of query fields that hold credentials, besides those that headers have.
const SECRET_FIELDS: [&str; 8] = [
    "bearer", "code", "otp", "pass", "passwd", "pw", "pwd", "session",
];

/// Whether a query field holds a credential, by its name. More names count than of headers: a
/// browser or a log may have kept the URL.
fn is_secret(name: &str) -> bool {
    let (name, _) = form_urlencoded::parse(name.as_bytes())
        .next()
        .unwrap_or_default();
    let name = name.to_ascii_lowercase().replace('_', "-");
    is_credential(&name)
        || name.contains("key")
        || name.contains("sig")
        || SECRET_FIELDS.contains(&&*name)
}

/// The headers that may be written, by lower-case name.
pub(crate) fn redacted_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(String, String)> {
    let named = |(name, value): (&str, &str)| (name.to_ascii_lowercase(), value.to_owned());
    let headers = headers.into_iter().map(named);
    let rules = HeaderRules::default();
    headers.filter(|(name, _)| rules.shows(name)).collect()
}

/// The scope of a request that did not come through Deja: who shares answers where callers are told
/// apart by their credentials.
pub(crate) fn scope(endpoint: Endpoint, query: &str, headers: &[(String, String)]) -> Digest {
    let rules = HeaderRules::default();
    let mut separating: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .filter(|(name, _)| rules.is_keyed(name))
        .collect();
    separating.sort_unstable();
    let headers = separating
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    Digest::of_parts(
        [endpoint.name().as_bytes(), query.as_bytes()]
            .into_iter()
            .chain(headers),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_left_in_a_query() {
        for (full, redacted) in [
            ("beta=true", "beta=true"),
            ("key=AIza&alt=sse", "key=redacted&alt=sse"),
            ("a&API_KEY=x=y&&b=", "a&API_KEY=redacted&&b="),
            ("access%5Ftoken=x", "access%5Ftoken=redacted"),
            (
                "password=x&jwt=x&bearer=x&pw=x",
                "password=redacted&jwt=redacted&bearer=redacted&pw=redacted",
            ),
            ("", ""),
        ] {
            assert_eq!(redacted_query(full), redacted);
        }
    }

    #[test]
    fn credentials_can_be_taken_out_of_a_query() {
        assert_eq!(
            query_without_credentials("api-version=1&key=x&b"),
            "api-version=1&b"
        );
    }

    #[test]
    fn no_credential_is_left_in_the_headers() {
        let kept = redacted_headers([("X-Api-Key", "secret"), ("Anthropic-Version", "1")]);
        assert_eq!(kept, [("anthropic-version".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn callers_with_other_credentials_have_other_scopes() {
        let scope = |name: &str, value: &str| {
            scope(
                Endpoint::Messages,
                "",
                &[(name.to_owned(), value.to_owned())],
            )
        };
        assert_ne!(scope("X-Api-Key", "ada"), scope("x-api-key", "bob"));
        assert_eq!(scope("User-Agent", "a"), scope("user-agent", "b"));
        assert_ne!(scope("anthropic-beta", "a"), scope("anthropic-beta", "b"));
    }
}
