//! HTTP clients.

use std::net::IpAddr;

use reqwest::Url;

/// Starts an HTTP client for this server that can speak TLS. It goes by the proxies that the
/// environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`), but for the servers in `NO_PROXY`
/// and those on this machine.
pub fn client_builder(server: &Url) -> reqwest::ClientBuilder {
    // It fails where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder();
    if is_on_this_machine(server) {
        builder.no_proxy()
    } else {
        builder
    }
}

fn is_on_this_machine(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names_and_addresses() {
        let is_here = |url: &str| is_on_this_machine(&url.parse().expect("it is a URL"));
        for url in [
            "http://localhost:1",
            "http://LOCALHOST",
            "http://api.localhost",
            "http://127.0.0.1:8081",
            "http://127.9.9.9",
            "https://[::1]:1",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_here(url), "{url}");
        }
        for url in [
            "http://localhost.example",
            "http://10.0.0.1",
            "https://api.example",
            "http://0.0.0.0",
        ] {
            assert!(!is_here(url), "{url}");
        }
    }
}
