//! Requests that cannot be answered get an error in the client's wire format.

use deja_tests::{Deja, QUESTION, Setup, question};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

async fn post(deja: &Deja, body: impl Into<reqwest::Body>) -> Response {
    let request = deja
        .request(Method::POST, "/v1/chat/completions")
        .body(body);
    request.send().await.expect("the server answers")
}

async fn error(reply: Response) -> Value {
    let mut document: Value = reply.json().await.expect("an error is JSON");
    let error = document["error"].take();
    assert!(
        error["message"].is_string() && error["type"].is_string(),
        "{error}"
    );
    error
}

fn with(field: &str, value: Value) -> Value {
    let mut body = question(QUESTION);
    body[field] = value;
    body
}

#[tokio::test]
async fn each_names_the_field_at_fault() {
    let deja = Deja::start().await;
    let cases = [
        (json!({}), "messages"),
        (json!({"messages": []}), "messages"),
        (with("messages", json!("hi")), "messages"),
        (
            with("messages", json!([{"role": "wizard", "content": "hi"}])),
            "messages[0].role",
        ),
        (
            with("messages", json!([{"role": "user", "content": 7}])),
            "messages[0].content",
        ),
        (with("temperature", json!("hot")), "temperature"),
        (with("temperature", json!(3)), "temperature"),
        (with("max_tokens", json!(-1)), "max_tokens"),
        (with("stream", json!("yes")), "stream"),
        (
            with("tools", json!([{"type": "function"}])),
            "tools[0].function",
        ),
        (with("prediction", json!({})), "prediction"),
    ];
    for (body, field) in cases {
        let reply = deja.chat(&body).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST, "{body}");
        let error = error(reply).await;
        assert_eq!(error["param"], field, "{body}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains(field)),
            "{error}"
        );
    }
    let report = &deja.health().await["cache"];
    assert_eq!(
        (&report["total_requests"], &report["cached_items"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let deja = Deja::start().await;
    let deep = b"[".repeat(100_000);
    for body in [
        &b""[..],
        b"{",
        b"\xff\xfe",
        b"{\"messages\": [}",
        b"{\"messages\": [], \"messages\": []}",
        &deep,
    ] {
        let reply = post(&deja, body.to_vec()).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        assert_eq!(error(reply).await["code"], "invalid_json");
    }
    let reply = post(&deja, "[1]").await;
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn anthropics_clients_are_told_in_their_own_shape() {
    let deja = Deja::start().await;
    let cases = [
        ("/v1/messages", "{", 400, "invalid_request_error"),
        ("/v1/messages", "[1]", 400, "invalid_request_error"),
        ("/v1/messages", "{}", 400, "invalid_request_error"),
        (
            "/v1/messages?beta=true",
            "{\"messages\": 1}",
            400,
            "invalid_request_error",
        ),
        (
            "/v1/messages/count_tokens",
            "{",
            400,
            "invalid_request_error",
        ),
        ("/v1/messages/batches", "{}", 404, "not_found_error"),
    ];
    for (path, body, status, kind) in cases {
        let request = deja.request(Method::POST, path).body(body);
        let reply = request.send().await.expect("the server answers");
        assert_eq!(reply.status(), status, "{path} {body}");
        let document: Value = reply.json().await.expect("an error is JSON");
        assert_eq!(document["type"], "error", "{document}");
        assert_eq!(document["error"]["type"], kind, "{document}");
        assert!(document["error"]["message"].is_string(), "{document}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let settings = "[server]\nlisten = \"127.0.0.1:0\"\nmax_body_bytes = \"2KiB\"\n";
    let deja = Setup::new(settings).start().await;
    let reply = deja.chat(&question(&"x".repeat(3000))).await;
    assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let message = error(reply).await["message"].to_string();
    assert!(message.contains("2048 bytes"), "{message}");
}

#[tokio::test]
async fn a_prompt_over_the_context_is_refused() {
    let settings = "[[backend]]\nkind = \"mlx\"\ncontext_length = 64\n";
    let deja = Setup::new(settings).start().await;
    let mut request = question(&"word ".repeat(100));
    for stream in [false, true] {
        request["stream"] = stream.into();
        let reply = deja.chat(&request).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
        let error = error(reply).await;
        assert_eq!(error["code"], "context_length_exceeded", "{error}");
        assert_eq!(error["param"], "messages");
    }
    assert_eq!(deja.health().await["cache"]["cached_items"], 0);
    deja.ask(&question("Hi!")).await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_so() {
    let deja = Deja::start().await;
    let send = async |method, path| {
        deja.request(method, path)
            .send()
            .await
            .expect("the server answers")
    };
    assert_eq!(
        send(Method::GET, "/v1/nothing").await.status(),
        StatusCode::NOT_FOUND
    );
    let reply = send(Method::GET, "/v1/chat/completions").await;
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.headers()["allow"], "POST");
}
