//! The `Cache-Status` header (RFC 9211): what the cache did with a request.

use std::{fmt, time::Duration};

use deja_cache::{BypassReason, Key};

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
        }
    }
}

fn held(stored: bool) -> &'static str {
    if stored { "; stored" } else { "" }
}

/// A string of RFC 8941, which holds printable ASCII only.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
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
}
