//! What an upstream offers beyond the cached endpoints passes through.

use deja_tests::{Api, Deja, Gate, Reply, Setup, Upstream, cache_status};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n";

async fn picturing() -> Upstream {
    Upstream::start(|_| Reply::body("image/png", PICTURE).header("x-cost", "3")).await
}

async fn in_front_of(upstream: &Upstream, api: Api, settings: &str) -> Deja {
    let settings = format!("{}{settings}", upstream.backend(api));
    Setup::new(&settings)
        .env("UPSTREAM_KEY", "own")
        .start()
        .await
}

async fn draw(deja: &Deja, path: &str, body: &'static str) -> Response {
    let request = deja
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header("authorization", "Bearer caller");
    request.body(body).send().await.expect("the server answers")
}

async fn error(reply: Response) -> Value {
    let mut document: Value = reply.json().await.expect("an error is JSON");
    document["error"].take()
}

#[tokio::test]
async fn it_passes_byte_for_byte_and_is_never_held() {
    let upstream = picturing().await;
    let deja = in_front_of(&upstream, Api::OpenAi, "").await;
    let body = r#"{ "prompt":"a cat",  "size":1.0e+2 }"#;
    for asked in 1..=2 {
        let reply = draw(&deja, "/v1/images/generations?draft=1", body).await;
        assert_eq!(reply.status(), 200);
        let status = cache_status(&reply);
        assert_eq!(
            status,
            "deja; fwd=bypass; detail=\"no such endpoint is cached\""
        );
        assert_eq!(reply.headers()["content-type"], "image/png");
        assert_eq!(reply.headers()["x-cost"], "3");
        assert_eq!(reply.bytes().await.expect("it comes"), PICTURE);
        let passed = upstream.last();
        assert_eq!(passed.target, "/v1/images/generations?draft=1");
        assert_eq!(String::from_utf8_lossy(&passed.body), body);
        assert_eq!(passed.header("authorization"), "Bearer caller");
        assert_eq!(upstream.count(), asked);
    }
    let passed = "deja_requests_total{endpoint=\"other\",outcome=\"bypass\",status=\"200\"}";
    assert!((deja.sample(passed).await - 2.0).abs() < 0.5);
}

#[tokio::test]
async fn any_method_passes_to_the_upstream_of_the_clients_api() {
    let upstream = picturing().await;
    let deja = in_front_of(&upstream, Api::Anthropic, "").await;
    for (method, path) in [
        (Method::GET, "/v1/messages/batches?limit=2"),
        (Method::DELETE, "/v1/messages/batches/b1"),
        (Method::PATCH, "/v1/messages/files/f1"),
    ] {
        let reply = deja.request(method.clone(), path).send().await;
        assert_eq!(reply.expect("the server answers").status(), 200);
        let passed = upstream.last();
        assert_eq!(
            (passed.method.as_str(), passed.target.as_str()),
            (method.as_str(), path)
        );
    }
    let reply = draw(&deja, "/v1/images/generations", "{}").await;
    assert_eq!(reply.status(), 404, "nobody speaks OpenAI's API");
}

#[tokio::test]
async fn errors_and_their_status_pass() {
    let body = json!({"error": {"message": "too fast"}});
    let refusal = Reply::json(&body).status(429).header("retry-after", "7");
    let upstream = Upstream::start(move |_| refusal.clone()).await;
    let deja = in_front_of(&upstream, Api::OpenAi, "").await;
    let reply = draw(&deja, "/v1/rerank", "{}").await;
    assert_eq!(reply.status(), 429);
    assert_eq!(reply.headers()["retry-after"], "7");
    assert_eq!(reply.json::<Value>().await.expect("it is JSON"), body);
}

#[tokio::test]
async fn a_reply_streams_and_its_end_is_seen() {
    let gate = Gate::closed();
    let stream = Reply::stream()
        .then("data: 1\n\n")
        .wait(&gate)
        .then("data: 2\n\n");
    let upstream = Upstream::start(move |_| stream.clone()).await;
    let deja = in_front_of(&upstream, Api::OpenAi, "").await;
    let mut reply = draw(&deja, "/v1/speech", "{}").await;
    let first = reply.chunk().await.expect("it comes");
    assert_eq!(first.as_deref(), Some(&b"data: 1\n\n"[..]));
    gate.open();
    assert_eq!(reply.text().await.expect("it ends well"), "data: 2\n\n");

    let cut = Reply::body("audio/mpeg", "half").promising_more(4);
    let upstream = Upstream::start(move |_| cut.clone()).await;
    let deja = in_front_of(&upstream, Api::OpenAi, "").await;
    let reply = draw(&deja, "/v1/speech", "{}").await;
    assert!(
        reply.bytes().await.is_err(),
        "half a reply does not look whole"
    );
}

#[tokio::test]
async fn the_model_that_a_body_names_chooses_the_upstream() {
    let (one, other) = (picturing().await, picturing().await);
    let settings = [
        one.backend(Api::OpenAi),
        "models = [\"gpt-*\"]\n".to_owned(),
        other.backend(Api::OpenAi),
        "models = [\"flux-*\"]\n".to_owned(),
    ];
    let deja = Setup::new(&settings.concat()).start().await;
    draw(
        &deja,
        "/v1/images/edits",
        r#"{"model": "flux-1", "prompt": "a cat"}"#,
    )
    .await;
    assert_eq!((one.count(), other.count()), (0, 1));
    let form = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nflux-1\r\n--x--\r\n";
    let request = deja
        .request(Method::POST, "/v1/images/edits")
        .header("content-type", "multipart/form-data; boundary=x");
    request.body(form).send().await.expect("the server answers");
    assert_eq!((one.count(), other.count()), (0, 2));
    assert_eq!(String::from_utf8_lossy(&other.last().body), form);
    draw(&deja, "/v1/images/edits", r#"{"prompt": "a cat"}"#).await;
    assert_eq!(
        (one.count(), other.count()),
        (1, 2),
        "the first is asked otherwise"
    );
}

#[tokio::test]
async fn a_key_of_the_servers_own_is_for_more_only_if_the_settings_say_so() {
    let upstream = picturing().await;
    let own_key = "api_key_env = \"UPSTREAM_KEY\"\n";
    let deja = in_front_of(&upstream, Api::OpenAi, own_key).await;
    let reply = draw(&deja, "/v1/files", "{}").await;
    assert_eq!(reply.status(), 404);
    let error = error(reply).await;
    assert!(
        error["message"].to_string().contains("pass_through"),
        "{error}"
    );
    assert_eq!(upstream.count(), 0);

    let settings = format!("{own_key}pass_through = true\n");
    let deja = in_front_of(&upstream, Api::OpenAi, &settings).await;
    assert_eq!(
        draw(&deja, "/v1/files?key=caller", "{}").await.status(),
        200
    );
    let passed = upstream.last();
    assert_eq!(passed.header("authorization"), "Bearer own");
    assert_eq!(passed.target, "/v1/files");
}

#[tokio::test]
async fn no_path_leads_out_of_the_upstreams_base() {
    let upstream = picturing().await;
    let deja = in_front_of(&upstream, Api::OpenAi, "").await;
    for path in ["/v1/%2e%2e/admin", "/v1/a%2f..%2fadmin"] {
        let reply = draw(&deja, path, "{}").await;
        assert_eq!(reply.status(), 404, "{path}");
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn without_an_upstream_there_is_nothing() {
    let deja = Deja::start().await;
    let reply = draw(&deja, "/v1/images/generations", "{}").await;
    assert_eq!(reply.status(), 404);
    assert_eq!(error(reply).await["code"], "unknown_url");
}
