//! What a request's `Cache-Control` asks (RFC 9111, section 5.2.1).

use std::time::Duration;

use hyper::{HeaderMap, header::CACHE_CONTROL};

/// What a request asks of the cache. Directives that are not known ask nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// `no-cache`: the answer must be a new one.
    pub(crate) no_cache: bool,
    /// `no-store`: a new answer is not stored.
    pub(crate) no_store: bool,
    /// `only-if-cached`: no backend is asked.
    pub(crate) only_if_cached: bool,
    /// `max-age`: an answer must not be older.
    pub(crate) max_age: Option<Duration>,
}

impl Directives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let values = headers.get_all(CACHE_CONTROL).iter();
        for value in values.filter_map(|value| value.to_str().ok()) {
            value
                .split(',')
                .for_each(|directive| directives.add(directive.trim()));
        }
        directives
    }

    /// Whether it wants something that those who ask at the same time may not want.
    pub(crate) fn is_special(&self) -> bool {
        self.no_cache || self.no_store || self.max_age.is_some()
    }

    fn add(&mut self, directive: &str) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            "max-age" => {
                let seconds = argument.trim_matches('"').parse().ok();
                self.max_age = seconds.map(Duration::from_secs);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directives(values: &[&'static str]) -> Directives {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CACHE_CONTROL, value.parse().expect("it is text"));
        }
        Directives::of(&headers)
    }

    #[test]
    fn every_directive_is_read_wherever_it_stands() {
        assert_eq!(directives(&[]), Directives::default());
        assert_eq!(directives(&["max-stale, private"]), Directives::default());
        let all = directives(&["No-Cache,no-store", " max-age=7 ,only-if-cached"]);
        assert_eq!(
            all,
            Directives {
                no_cache: true,
                no_store: true,
                only_if_cached: true,
                max_age: Some(Duration::from_secs(7)),
            }
        );
        assert_eq!(directives(&["max-age=soon"]).max_age, None);
    }
}
