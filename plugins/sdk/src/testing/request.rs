//! A request that a test makes.

use serde_json::Value;

use super::texts;
use crate::keyer::{Endpoint, Role, Text};

/// A request, in the place of one that the host shows.
#[derive(Clone, Debug)]
pub struct Request {
    endpoint: Endpoint,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Request {
    /// A request with this body, and without headers.
    #[must_use]
    pub fn new(endpoint: Endpoint, body: Value) -> Self {
        Self {
            endpoint,
            headers: Vec::new(),
            body,
        }
    }

    /// The same request with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the client called.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The first value of the header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    /// The JSON text at an RFC 6901 pointer.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<String> {
        self.body.pointer(pointer).map(ToString::to_string)
    }

    /// The texts of one role, in order.
    #[must_use]
    pub fn texts(&self, role: Role) -> Vec<Text> {
        let mut texts = texts::of(self.endpoint, &self.body);
        texts.retain(|text| text.role == role);
        texts
    }

    /// The whole body as JSON text.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.body.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_read_as_the_host_shows_it() {
        let request =
            Request::new(Endpoint::Messages, json!({"seed": 7})).with_header("X-Team", "blue");
        assert_eq!(request.header("x-team").as_deref(), Some("blue"));
        assert_eq!(request.header("x-other"), None);
        assert_eq!(request.get("/seed").as_deref(), Some("7"));
        assert_eq!(request.get("/seeds"), None);
        assert_eq!(request.body(), br#"{"seed":7}"#);
    }
}
