//! A recorded request as a server shows it to its keyers.

use std::{collections::HashMap, sync::Arc};

use deja_cache::{Headers, KeyRequest};
use deja_trace::{Digest, Record};
use serde_json::Value;

/// What keyers are asked about a record; `body` is the record's, parsed.
#[must_use]
pub fn key_request(record: &Record, body: Arc<Value>) -> KeyRequest {
    KeyRequest {
        endpoint: record.endpoint,
        headers: Arc::new(Recorded::new(&record.headers)),
        body,
        text: None,
    }
}

/// What separates the callers of a trace.
pub(crate) fn scope(record: &Record) -> Digest {
    record.scope.unwrap_or_else(|| {
        let query = record.query.as_deref().unwrap_or_default();
        Digest::of_parts([record.endpoint.name().as_bytes(), query.as_bytes()])
    })
}

/// Headers of a record: none of them is a credential.
struct Recorded(HashMap<String, String>);

impl Recorded {
    fn new(headers: &[(String, String)]) -> Self {
        // The first of a name counts.
        Self(headers.iter().rev().cloned().collect())
    }
}

impl Headers for Recorded {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use deja_cache::Endpoint;

    use super::*;

    #[test]
    fn headers_have_no_case_and_the_first_counts() {
        let mut record = Record::new(Endpoint::Messages, b"{}");
        record.headers = [("x-team", "blue"), ("x-team", "red")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let request = key_request(&record, Arc::default());
        assert_eq!(request.headers.get("X-Team"), Some("blue"));
        assert_eq!(request.headers.get("x-other"), None);
    }
}
