//! Pages in browsers may ask, where the settings let them.

use deja_tests::{Answer, Api, Deja, Setup, Upstream, whole};
use reqwest::{Method, Response, header::HeaderMap};

const API: Api = Api::OpenAi;
const LOCAL: &str = "http://localhost:3000";
const FOREIGN: &str = "https://app.example";

async fn deja(server: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = format!("[server]\n{server}\n{}", upstream.backend(API));
    (upstream, Setup::new(&settings).start().await)
}

async fn preflight(deja: &Deja, origin: &str) -> Response {
    let request = deja
        .request(Method::OPTIONS, API.path())
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, content-type, x-api-key",
        );
    request.send().await.expect("the server answers")
}

async fn ask(deja: &Deja, origin: &str) -> Response {
    let request = deja
        .request(Method::POST, API.path())
        .header("origin", origin);
    let reply = request.json(&API.question("May I?")).send().await;
    reply.expect("the server answers")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn allows(reply: &Response, origin: &str) -> bool {
    let allowed = header(reply.headers(), "access-control-allow-origin");
    allowed == origin || allowed == "*"
}

#[tokio::test]
async fn pages_of_this_machine_may_ask_by_default() {
    let (upstream, deja) = deja("").await;
    for origin in [
        LOCAL,
        "http://127.0.0.1:8080",
        "http://[::1]",
        "https://localhost",
    ] {
        let reply = preflight(&deja, origin).await;
        assert!(reply.status().is_success(), "{origin}");
        assert!(allows(&reply, origin), "{origin}: {reply:?}");
        let headers = reply.headers();
        assert!(header(headers, "access-control-allow-methods").contains("POST"));
        let names = header(headers, "access-control-allow-headers").to_lowercase();
        for name in ["authorization", "content-type", "x-api-key"] {
            assert!(names.contains(name) || names == "*", "{names}");
        }
    }
    assert_eq!(upstream.count(), 0);
    let reply = ask(&deja, LOCAL).await;
    assert!(allows(&reply, LOCAL), "{reply:?}");
    let exposed = header(reply.headers(), "access-control-expose-headers").to_lowercase();
    assert!(
        exposed.contains("cache-status") || exposed == "*",
        "{exposed}"
    );
    whole(reply).await;
}

#[tokio::test]
async fn pages_from_elsewhere_may_not() {
    let (_upstream, deja) = deja("").await;
    for origin in [
        FOREIGN,
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "null",
    ] {
        assert!(!allows(&preflight(&deja, origin).await, origin), "{origin}");
        assert!(!allows(&ask(&deja, origin).await, origin), "{origin}");
    }
}

#[tokio::test]
async fn the_settings_name_who_may() {
    let (_upstream, deja) = deja(&format!("cors_origins = [\"{FOREIGN}\"]")).await;
    assert!(allows(&preflight(&deja, FOREIGN).await, FOREIGN));
    let reply = ask(&deja, FOREIGN).await;
    assert!(allows(&reply, FOREIGN));
    assert!(
        header(reply.headers(), "vary")
            .to_lowercase()
            .contains("origin")
    );
    assert!(!allows(&preflight(&deja, LOCAL).await, LOCAL));
    assert!(!allows(
        &ask(&deja, "https://app.example.evil").await,
        "https://app.example.evil"
    ));
}

#[tokio::test]
async fn a_star_lets_all() {
    let (_upstream, deja) = deja("cors_origins = [\"*\"]").await;
    assert!(allows(&preflight(&deja, FOREIGN).await, FOREIGN));
    assert!(allows(&ask(&deja, FOREIGN).await, FOREIGN));
}

#[tokio::test]
async fn errors_can_be_read_by_pages_too() {
    let (_upstream, deja) = deja("max_body_bytes = \"1KiB\"").await;
    let request = deja
        .request(Method::POST, API.path())
        .header("origin", LOCAL);
    let reply = request.json(&API.question(&"x".repeat(2000))).send().await;
    let reply = reply.expect("the server answers");
    assert_eq!(reply.status(), 413);
    assert!(allows(&reply, LOCAL), "{reply:?}");
}

#[tokio::test]
async fn who_is_no_page_sees_nothing_of_it() {
    let (_upstream, deja) = deja("").await;
    let reply = deja.send(API, &API.question("May I?")).await;
    assert_eq!(reply.headers().get("access-control-allow-origin"), None);
}
