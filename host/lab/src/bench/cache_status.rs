//! What a `Cache-Status` header (RFC 9211) says.

use reqwest::header::HeaderMap;
use sfv::{BareItem, Item, ListEntry, Parser};

/// What the cache did with a request, as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CacheStatus {
    /// It answered.
    Hit,
    /// It did not have the answer.
    Miss {
        /// Whether it is known to have it now.
        stored: bool,
    },
    /// It did not have the answer, and joined somebody else's.
    Collapsed,
    /// The request wanted a new answer.
    Request,
    /// It was left out.
    Bypass {
        /// Why.
        reason: String,
    },
    /// The server says nothing of a cache that could be read.
    Unknown,
}

/// A status and the key under which the answer is, or would be, held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheSaid {
    pub(crate) status: CacheStatus,
    pub(crate) key: Option<String>,
}

impl CacheStatus {
    /// Its name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss { stored: true } => "stored",
            Self::Miss { stored: false } => "miss",
            Self::Collapsed => "collapsed",
            Self::Request => "request",
            Self::Bypass { .. } => "bypass",
            Self::Unknown => "unknown",
        }
    }
}

impl CacheSaid {
    /// What the cache says that is nearest to us: the last in the list.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get_all("cache-status").iter().next_back();
        let caches = header.map(|value| Parser::new(value.as_bytes()).parse::<sfv::List>());
        match caches.and_then(Result::ok).and_then(|mut list| list.pop()) {
            Some(ListEntry::Item(item)) => Self::of_cache(&item),
            _ => Self {
                status: CacheStatus::Unknown,
                key: None,
            },
        }
    }

    fn of_cache(item: &Item) -> Self {
        let parameter = |name: &str| item.params.get(name);
        let is_set = |name| parameter(name).and_then(BareItem::as_boolean) == Some(true);
        let text = |name| {
            let text = parameter(name).and_then(BareItem::as_string);
            text.map(|text| text.as_str().to_owned())
        };
        let forwarded = parameter("fwd").and_then(BareItem::as_token);
        let status = match forwarded.map(sfv::TokenRef::as_str) {
            _ if is_set("hit") => CacheStatus::Hit,
            _ if is_set("collapsed") => CacheStatus::Collapsed,
            Some("bypass") => CacheStatus::Bypass {
                reason: text("detail").unwrap_or_else(|| "no reason given".to_owned()),
            },
            Some("request") => CacheStatus::Request,
            Some(_) => CacheStatus::Miss {
                stored: is_set("stored"),
            },
            None => CacheStatus::Unknown,
        };
        let key = text("key");
        Self { status, key }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn said(header: &str) -> CacheSaid {
        let value = HeaderValue::from_str(header).expect("it is a header's value");
        CacheSaid::of(&HeaderMap::from_iter([(
            reqwest::header::HeaderName::from_static("cache-status"),
            value,
        )]))
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_survived(header in "[ -~]{0,80}") {
            said(&header);
        }

        #[test]
        fn a_reason_is_read_as_it_was_written(reason in "[ -~]{1,40}") {
            let quoted = reason.replace('\\', "\\\\").replace('"', "\\\"");
            let said = said(&format!("deja; fwd=bypass; detail=\"{quoted}\""));
            prop_assert_eq!(said.status, CacheStatus::Bypass { reason });
        }
    }

    #[test]
    fn every_status_is_read() {
        let reason = "a; keyer, \"mine\"".to_owned();
        for (header, status, key) in [
            ("deja; hit; ttl=3; key=\"ab\"", CacheStatus::Hit, Some("ab")),
            (
                "deja; fwd=miss; stored; key=\"ab\"",
                CacheStatus::Miss { stored: true },
                Some("ab"),
            ),
            (
                "deja; fwd=miss; collapsed; key=\"ab\"",
                CacheStatus::Collapsed,
                Some("ab"),
            ),
            ("deja; fwd=request", CacheStatus::Request, None),
            (
                r#"deja; fwd=bypass; detail="a; keyer, \"mine\"""#,
                CacheStatus::Bypass { reason },
                None,
            ),
            (
                "origin; hit, edge; fwd=stale",
                CacheStatus::Miss { stored: false },
                None,
            ),
            ("HIT from edge", CacheStatus::Unknown, None),
            ("edge", CacheStatus::Unknown, None),
        ] {
            let said = said(header);
            assert_eq!(
                (said.status, said.key.as_deref()),
                (status, key),
                "{header}"
            );
        }
        assert_eq!(
            CacheSaid::of(&HeaderMap::new()).status,
            CacheStatus::Unknown
        );
    }
}
