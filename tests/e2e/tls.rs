//! An upstream behind TLS: it has to show that it is who it says, and may speak HTTP/2.

use std::{convert::Infallible, fs, sync::Arc};

use bytes::Bytes;
use deja_tests::{Answer, Api, Deja, Setup, cache_status};
use http_body_util::Full;
use hyper::{Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

const API: Api = Api::OpenAi;

/// The upstream's address, and its certificate as PEM.
struct Upstream {
    url: String,
    certificate: String,
}

/// Answers each request with the version of HTTP that it came by.
async fn upstream(protocols: &[&str]) -> Upstream {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("they belong together");
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().into())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream));
        }
    });
    Upstream {
        url: format!("https://localhost:{port}"),
        certificate: cert.pem(),
    }
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    // Who does not trust us hangs up.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let answer = service_fn(|request: Request<Incoming>| async move {
        let version = match request.version() {
            Version::HTTP_2 => "HTTP/2",
            _ => "HTTP/1.1",
        };
        let document = API.document(&Answer::text(version)).to_string();
        let body = Full::new(Bytes::from(document));
        let reply = Response::builder().header("content-type", "application/json");
        Ok::<_, Infallible>(reply.body(body).expect("it is a reply"))
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    // A client may leave as it likes.
    let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
}

/// A server that trusts this certificate, and no other.
async fn deja(upstream: &Upstream, trusted: &str) -> Deja {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("trusted.pem");
    fs::write(&file, trusted).expect("the file can be written");
    let file = file.to_str().expect("the path is text");
    let setup = Setup::new(&API.backend(&upstream.url)).env("SSL_CERT_FILE", file);
    setup.start().await
}

#[tokio::test]
async fn an_upstream_speaks_the_newest_version_that_both_know() {
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2"),
        (&["http/1.1"], "HTTP/1.1"),
    ] {
        let upstream = upstream(protocols).await;
        let deja = deja(&upstream, &upstream.certificate).await;
        let (status, text) = deja.answer(API, "Which version?").await;
        assert!(status.contains("fwd=miss; stored"), "{status}");
        assert_eq!(text, version);
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_prove_who_it_is_is_not_asked() {
    let (impostor, other) = (upstream(&["h2"]).await, upstream(&["h2"]).await);
    let deja = deja(&impostor, &other.certificate).await;
    let reply = deja.send(API, &API.question("Who are you?")).await;
    assert_eq!(reply.status(), 502);
    assert_eq!(cache_status(&reply), "");
    let error: Value = reply.json().await.expect("an error is JSON");
    assert_eq!(error["error"]["code"], "backend_unreachable");
    let message = error["error"]["message"].as_str();
    assert!(
        message.is_some_and(|text| text.contains("certificate")),
        "{error}"
    );
}
