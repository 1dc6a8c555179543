//! The `Cache-Status` header (RFC 9211): what the cache did with a request.

use std::{fmt, time::Duration};

use deja_cache::{BypassReason, Key};

/// Characters of a reason that a client is shown: plugins write them, and a header has to stay short.
const LONGEST_REASON: usize = 200;

/// What the cache did with a request.
#[derive(Debug)]
pub(crate) enum CacheStatus {
    /// It answered.
    Hit {
        key: Key,
        /// How long the answer stays good, if not for ever.
        time_left: Option<Duration>,
    },
    /// The model was asked.
    Miss {
        key: Key,
        /// Whether the answer is known to be held now; while it streams nobody knows.
        stored: bool,
    },
    /// The model had been asked by somebody else already.
    Collapsed { key: Key },
    /// The model was asked because the request wanted a new answer, or none stored.
    Request {
        key: Key,
        /// Whether the answer is known to be held now.
        stored: bool,
    },
    /// The model was asked, the cache left out.
    Bypass { reason: BypassReason },
    /// The request was passed on, as no endpoint of ours is called.
    PassedThrough,
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deja; ")?;
        match self {
            Self::Hit {
                key,
                time_left: Some(left),
            } => {
                write!(f, "hit; ttl={}; key=\"{key}\"", left.as_secs())
            }
            Self::Hit {
                key,
                time_left: None,
            } => write!(f, "hit; key=\"{key}\""),
            Self::Miss { key, stored } => write!(f, "fwd=miss{}; key=\"{key}\"", held(*stored)),
            Self::Request { key, stored } => {
                write!(f, "fwd=request{}; key=\"{key}\"", held(*stored))
            }
            Self::Collapsed { key } => write!(f, "fwd=miss; collapsed; key=\"{key}\""),
            Self::Bypass { reason } => {
                write!(f, "fwd=bypass; detail={}", quoted(&reason.to_string()))
            }
            Self::PassedThrough => f.write_str("fwd=bypass; detail=\"no such endpoint is cached\""),
        }
    }
}

fn held(stored: bool) -> &'static str {
    if stored { "; stored" } else { "" }
}

/// The start of a text as a string of RFC 8941, which holds printable ASCII only.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars().take(LONGEST_REASON) {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_always_a_valid_header() {
        let reason = BypassReason::Asked("say \"é\"\n\\".to_owned());
        let status = CacheStatus::Bypass { reason }.to_string();
        assert_eq!(status, r#"deja; fwd=bypass; detail="say \"?\"?\\""#);
        assert!(hyper::header::HeaderValue::from_str(&status).is_ok());
    }

    #[test]
    fn a_long_reason_is_cut() {
        let reason = BypassReason::Asked("é\"".repeat(1 << 20));
        let status = CacheStatus::Bypass { reason }.to_string();
        let shown = "?\\\"".repeat(LONGEST_REASON / 2);
        assert_eq!(status, format!("deja; fwd=bypass; detail=\"{shown}\""));
    }
}
