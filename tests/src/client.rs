//! The HTTP client of the tests.

use reqwest::ClientBuilder;
use rustls::crypto::ring;

/// The start of a client. Built together with the server, reqwest has no cryptography of its own.
pub fn client_builder() -> ClientBuilder {
    // It fails where a test before did it, which is as good.
    let _ = ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// A client that nobody shares.
#[must_use]
pub fn client() -> reqwest::Client {
    client_builder().build().expect("a client can be made")
}
