//! The token of an `Authorization` header (RFC 6750).

use hyper::{HeaderMap, header::AUTHORIZATION};

/// Returns the token that these headers show. The scheme's name is read in any case (RFC 9110,
/// section 11.1).
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = shown.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_scheme_is_read_in_any_case() {
        let shown = |value| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            token(&headers).map(str::to_owned)
        };
        for value in ["Bearer t0ken", "bearer t0ken", "BEARER  t0ken"] {
            assert_eq!(shown(value).as_deref(), Some("t0ken"), "{value}");
        }
        for value in ["t0ken", "Basic t0ken", "Bearert0ken", ""] {
            assert_eq!(shown(value), None, "{value}");
        }
    }
}
