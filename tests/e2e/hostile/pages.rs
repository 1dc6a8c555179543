//! Web pages that a browser on this machine shows.

use deja_tests::{Answer, Api, Deja, Setup, Upstream};
use reqwest::{Method, Response};
use serde_json::Value;

const API: Api = Api::OpenAi;
const TOKEN: &str = "let-me-in";

/// A page's own name, which resolves to this machine now.
const FOREIGN: &str = "evil.example:8081";

/// What a page could read.
const READABLE: [&str; 7] = [
    "/",
    "/health",
    "/metrics",
    "/models",
    "/v1/models",
    "/v1/models/m",
    "/nothing",
];

async fn deja(settings: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let setup = Setup::new(&(settings.to_owned() + &upstream.backend(API)));
    let deja = setup.env("DEJA_ADMIN_TOKEN", TOKEN).start().await;
    (upstream, deja)
}

async fn get(deja: &Deja, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = deja.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("the server answers")
}

async fn document(reply: Response) -> Value {
    reply.json().await.expect("it is JSON")
}

#[tokio::test]
async fn a_page_that_bends_its_name_to_this_machine_reads_nothing() {
    let (_upstream, deja) = deja("").await;
    for path in READABLE.into_iter().chain(["/admin", "/admin/cache"]) {
        let reply = get(&deja, path, &[("host", FOREIGN)]).await;
        assert_eq!(reply.status(), 403, "{path}");
    }
    let error = document(get(&deja, "/health", &[("host", FOREIGN)]).await).await;
    let message = error["error"]["message"].as_str();
    assert!(
        message.is_some_and(|message| message.contains("server.hosts")),
        "{error}"
    );
    let anthropic = [("host", FOREIGN), ("anthropic-version", "2023-06-01")];
    let error = document(get(&deja, "/v1/models", &anthropic).await).await;
    assert_eq!(error["type"], "error", "{error}");
}

#[tokio::test]
async fn a_page_that_bends_its_name_to_this_machine_asks_nothing() {
    let (upstream, deja) = deja("").await;
    for api in [Api::OpenAi, Api::Anthropic] {
        let request = deja
            .request(Method::POST, api.path())
            .header("host", FOREIGN)
            .json(&api.question("May I?"));
        let reply = request.send().await.expect("the server answers");
        assert_eq!(reply.status(), 403);
        let error = document(reply).await;
        assert_eq!(error["type"] == "error", api == Api::Anthropic, "{error}");
    }
    assert!(upstream.asked().is_empty());
}

#[tokio::test]
async fn this_machines_names_and_those_set_are_ours() {
    let (_upstream, deja) = deja("[server]\nhosts = [\"ai.example\"]\n").await;
    for host in ["localhost:1", "127.0.0.1", "[::1]:8081", "AI.example:443"] {
        let reply = get(&deja, "/health", &[("host", host)]).await;
        assert_eq!(reply.status(), 200, "{host}");
    }
    let reply = get(&deja, "/health", &[("host", "api.ai.example")]).await;
    assert_eq!(reply.status(), 403);
}

#[tokio::test]
async fn a_server_for_others_has_their_names_and_no_pages() {
    let (_upstream, deja) = deja("[server]\nlisten = \"0.0.0.0:0\"\n").await;
    for (host, status) in [
        ("10.1.2.3:8081", 200),
        ("deja:8081", 200),
        ("host.docker.internal", 200),
        (FOREIGN, 403),
    ] {
        let reply = get(&deja, "/health", &[("host", host)]).await;
        assert_eq!(reply.status(), status, "{host}");
    }
}

#[tokio::test]
async fn the_administrators_token_is_wanted_where_others_can_connect() {
    let bearer = format!("Bearer {TOKEN}");
    for settings in [
        "[server]\nlisten = \"0.0.0.0:0\"\n",
        "[admin]\nrequire_token = true\n",
    ] {
        let (_upstream, deja) = deja(settings).await;
        let here = ("host", "localhost");
        assert_eq!(get(&deja, "/admin/cache", &[here]).await.status(), 403);
        let shown = [here, ("authorization", bearer.as_str())];
        assert_eq!(get(&deja, "/admin/cache", &shown).await.status(), 200);
    }
    let (_upstream, deja) = deja("").await;
    assert_eq!(get(&deja, "/admin/cache", &[]).await.status(), 200);
}
