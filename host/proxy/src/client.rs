//! HTTP clients.

/// The start of an HTTP client that can speak TLS.
pub fn client_builder() -> reqwest::ClientBuilder {
    // It fails where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
