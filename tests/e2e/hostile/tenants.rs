//! Callers who try to see, or to displace, what belongs to others.

use deja_tests::{Answer, Api, Asked, Deja, Reply, Setup, Upstream, cache_status};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

const API: Api = Api::OpenAi;

/// Headers by which vendors, gateways and proxies recognise a client, and one that nobody knows.
const CREDENTIALS: [&str; 16] = [
    "api-key",
    "apikey",
    "cf-access-jwt-assertion",
    "ocp-apim-subscription-key",
    "remote-user",
    "x-amz-security-token",
    "x-amzn-oidc-data",
    "x-apikey",
    "x-forwarded-user",
    "x-functions-key",
    "x-goog-api-key",
    "x-goog-iap-jwt-assertion",
    "x-litellm-api-key",
    "x-ms-client-principal",
    "x-of-a-vendor-that-nobody-knows",
    "x-portkey-config",
];

/// Headers that choose which deployment or model answers.
const CHOOSING: [&str; 4] = [
    "azureml-model-deployment",
    "extra-parameters",
    "x-litellm-tags",
    "x-portkey-provider",
];

/// Headers that change with every run of an agent, and never the answer.
const SESSIONS: [&str; 9] = [
    "session-id",
    "thread-id",
    "traceparent",
    "x-claude-code-session-id",
    "x-client-request-id",
    "x-codex-turn-metadata",
    "x-codex-window-id",
    "x-session-affinity",
    "x-stainless-retry-count",
];

async fn server(settings: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Hi."))).await;
    let deja = Setup::new(&(upstream.backend(API) + settings))
        .start()
        .await;
    (upstream, deja)
}

fn question(deja: &Deja) -> RequestBuilder {
    let request = deja.request(Method::POST, API.path());
    request.json(&API.question("Hi!"))
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.expect("the server answers")
}

async fn hits(request: RequestBuilder) -> bool {
    cache_status(&sent(request).await).contains("hit")
}

#[tokio::test]
async fn whatever_header_identifies_them_callers_do_not_share_answers() {
    let (_upstream, deja) = server("").await;
    for name in CREDENTIALS.into_iter().chain(CHOOSING) {
        let as_client = |value| question(&deja).header(name, value);
        assert!(!hits(as_client("ada")).await, "{name}");
        assert!(!hits(as_client("bob")).await, "{name}");
        assert!(hits(as_client("ada")).await, "{name}");
    }
}

#[tokio::test]
async fn a_client_that_the_upstream_refuses_gets_nobodys_answer() {
    let refuse_eve = |asked: &Asked| match asked.header("x-functions-key") {
        "eve" => API.error(401, "who are you?"),
        _ => API.reply(asked, &Answer::text("Hi.")),
    };
    let upstream = Upstream::start(refuse_eve).await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    let as_client = |value| question(&deja).header("x-functions-key", value);
    assert_eq!(sent(as_client("ada")).await.status(), 200);
    assert_eq!(sent(as_client("eve")).await.status(), 401);
}

#[tokio::test]
async fn sessions_and_retries_of_agents_still_hit() {
    let (upstream, deja) = server("").await;
    let run = |number: &'static str| {
        let names = SESSIONS.into_iter();
        names.fold(question(&deja), |request, name| {
            request.header(name, number)
        })
    };
    assert!(!hits(run("1")).await);
    assert!(hits(run("2")).await);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn the_configuration_can_ignore_more_headers() {
    let (upstream, deja) = server("[cache]\nignore_headers = [\"X-Run-Id\", \"x-eval-*\"]\n").await;
    for number in ["1", "2"] {
        let request = question(&deja).header("x-run-id", number);
        sent(request.header("x-eval-case", number)).await;
    }
    assert_eq!(upstream.count(), 1);
    assert!(!hits(question(&deja).header("x-other", "1")).await);
}

#[tokio::test]
async fn a_header_that_connection_names_is_neither_keyed_nor_forwarded() {
    let (upstream, deja) = server("").await;
    for value in ["1", "2"] {
        let request = question(&deja).header("connection", "x-functions-key");
        sent(request.header("x-functions-key", value)).await;
    }
    assert_eq!(upstream.count(), 1);
    assert_eq!(upstream.last().header("x-functions-key"), "");
}

#[tokio::test]
async fn what_keeps_two_requests_apart_is_explained() {
    let (_upstream, deja) = server("").await;
    sent(question(&deja).header("x-mode", "fast")).await;
    let explain = deja.request(Method::POST, "/admin/explain");
    let explain = explain.header("x-mode", "slow").json(&API.question("Hi!"));
    let explained: Value = sent(explain).await.json().await.expect("it is JSON");
    assert_eq!(explained["outcome"], "miss");
    assert_eq!(explained["nearest"]["kept_apart_by"][0], "header x-mode");
    assert!(!explained.to_string().contains("slow"), "{explained}");
}

/// The reply to a request for the models, with what it was asked with.
async fn listed(settings: &str, api: Api) -> (Asked, Value) {
    let list = Reply::json(&serde_json::json!({"data": [{"id": "m"}]}));
    let upstream = Upstream::start(move |_| list.clone()).await;
    let deja = Setup::new(&(upstream.backend(api) + settings))
        .start()
        .await;
    let request = deja.request(Method::GET, "/v1/models");
    let reply = sent(request.bearer_auth("sk-of-ada")).await;
    (upstream.last(), reply.json().await.expect("it is JSON"))
}

#[tokio::test]
async fn listing_models_shows_no_upstream_the_clients_key() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let (asked, models) = listed("", api).await;
        assert!(
            !format!("{:?}", asked.headers).contains("sk-of-ada"),
            "{asked:?}"
        );
        assert_eq!(models["data"][0]["id"], "m");
    }
    let allowed = "list_models_with_client_key = true\n";
    let shows = async |api| format!("{:?}", listed(allowed, api).await.0.headers);
    assert!(shows(Api::OpenAi).await.contains("sk-of-ada"));
    assert!(!shows(Api::Anthropic).await.contains("sk-of-ada"));
}

#[tokio::test]
async fn an_upstream_that_is_silent_does_not_hold_up_the_models_of_others() {
    let silent = Upstream::start(|_| Reply::silence()).await;
    let list = Reply::json(&serde_json::json!({"data": [{"id": "m"}]}));
    let other = Upstream::start(move |_| list.clone()).await;
    let settings = format!(
        "{}{}[models]\nlist_timeout = \"200ms\"\n",
        silent.backend(API),
        other.backend(API)
    );
    let deja = Setup::new(&settings).start().await;
    let reply = sent(deja.request(Method::GET, "/v1/models")).await;
    let models: Value = reply.json().await.expect("it is JSON");
    assert_eq!(models["data"][0]["id"], "m");
}
