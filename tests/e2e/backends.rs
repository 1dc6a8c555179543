//! Several backends, each for its models, and all that may go wrong with them.

use deja_tests::{
    Answer, Api, Coding, Deja, Ending, PAIRS, Reply, Setup, Upstream, cache_status, streamed, whole,
};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::net::TcpSocket;

const API: Api = Api::OpenAi;

async fn saying(api: Api, text: &str) -> Upstream {
    let answer = Answer::text(text);
    Upstream::start(move |asked| api.reply(asked, &answer)).await
}

async fn ask_model(deja: &Deja, api: Api, model: &str) -> Response {
    let mut request = api.question("Who are you?");
    request["model"] = model.into();
    deja.send(api, &request).await
}

/// A server whose backend answers so.
async fn broken(upstream: Api, reply: Reply) -> (Upstream, Deja) {
    let server = Upstream::start(move |_| reply.clone()).await;
    let settings = server.backend(upstream) + "idle_timeout = \"300ms\"\n";
    let deja = Setup::new(&settings).start().await;
    (server, deja)
}

/// The error of a reply, in the shape of the client's API.
async fn error(client: Api, reply: Response) -> Value {
    let document: Value = reply.json().await.expect("an error is JSON");
    let error = &document["error"];
    assert!(
        error["message"].is_string() && error["type"].is_string(),
        "{document}"
    );
    if client == Api::Anthropic {
        assert_eq!(document["type"], "error");
    }
    error.clone()
}

async fn nothing_is_stored(deja: &Deja) {
    let health = deja.health().await;
    assert_eq!(health["cache"]["cached_items"], 0, "{}", deja.log());
}

#[tokio::test]
async fn the_first_whose_models_match_answers() {
    let first = saying(API, "the first").await;
    let second = saying(API, "the second").await;
    let settings = [
        first.backend(API),
        "models = [\"small-*\", \"tiny\"]\n".to_owned(),
        second.backend(API),
        "models = [\"*\"]\n".to_owned(),
    ];
    let deja = Setup::new(&settings.concat()).start().await;
    for (model, answer) in [
        ("small-7b", "the first"),
        ("tiny", "the first"),
        ("tiny-er", "the second"),
        ("large", "the second"),
    ] {
        let reply = whole(ask_model(&deja, API, model).await).await;
        assert_eq!(API.text(&reply), answer, "{model}");
    }
}

#[tokio::test]
async fn an_alias_is_another_name_for_the_upstreams_model() {
    for (client, upstream) in PAIRS {
        let server = saying(upstream, "Qwen.").await;
        let settings = server.backend(upstream) + "aliases = { \"claude-*\" = \"qwen3-coder\" }\n";
        let deja = Setup::new(&settings).start().await;
        whole(ask_model(&deja, client, "claude-next").await).await;
        assert_eq!(server.last().json()["model"], "qwen3-coder");
        whole(ask_model(&deja, client, "other").await).await;
        assert_eq!(server.last().json()["model"], "other");
    }
}

#[tokio::test]
async fn a_model_that_nobody_has_is_told_in_the_clients_shape() {
    let server = saying(API, "Hi.").await;
    let settings = server.backend(API) + "models = [\"small-*\"]\n";
    let deja = Setup::new(&settings).start().await;
    for client in [Api::OpenAi, Api::Anthropic] {
        let reply = ask_model(&deja, client, "large").await;
        assert_eq!(reply.status(), 404);
        let error = error(client, reply).await;
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains("large"))
        );
        if client == Api::Anthropic {
            assert_eq!(error["type"], "not_found_error");
        }
    }
    assert_eq!(server.count(), 0);
}

/// Asks with a key as this API's clients show it.
async fn ask_with_key(deja: &Deja, api: Api, key: &str) {
    let request = deja.request(Method::POST, api.path());
    let request = match api {
        Api::OpenAi => request.bearer_auth(key),
        Api::Anthropic => request.header("x-api-key", key),
    };
    let reply = request.json(&api.question("Hi!")).send().await;
    whole(reply.expect("the server answers")).await;
}

#[tokio::test]
async fn the_clients_own_key_passes_to_an_upstream_of_its_api() {
    for (client, upstream) in PAIRS {
        let server = saying(upstream, "Hi.").await;
        let deja = Setup::new(&server.backend(upstream)).start().await;
        ask_with_key(&deja, client, "sk-of-ada").await;
        let asked = server.last();
        let passed = format!("{:?}", asked.headers).contains("sk-of-ada");
        assert_eq!(passed, client == upstream, "{asked:?}");
        let needs_version = client != upstream && upstream == Api::Anthropic;
        assert!(!needs_version || !asked.header("anthropic-version").is_empty());
    }
}

#[tokio::test]
async fn the_clients_own_key_passes_to_either_api_where_that_is_allowed() {
    for (client, upstream) in PAIRS {
        let server = saying(upstream, "Hi.").await;
        let settings = server.backend(upstream) + "client_key = \"any-api\"\n";
        let deja = Setup::new(&settings).start().await;
        ask_with_key(&deja, client, "sk-of-ada").await;
        let asked = server.last();
        match upstream {
            Api::OpenAi => assert_eq!(asked.header("authorization"), "Bearer sk-of-ada"),
            Api::Anthropic => assert_eq!(asked.header("x-api-key"), "sk-of-ada"),
        }
    }
}

#[tokio::test]
async fn the_configured_key_takes_the_place_of_the_clients() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let server = saying(api, "Hi.").await;
        let settings = server.backend(api) + "api_key_env = \"UPSTREAM_KEY\"\n";
        let setup = Setup::new(&settings).env("UPSTREAM_KEY", "sk-of-the-house");
        let deja = setup.start().await;
        let request = deja
            .request(Method::POST, api.path())
            .header("x-api-key", "sk-of-ada")
            .header("ocp-apim-subscription-key", "sk-of-ada")
            .header("x-goog-iap-jwt-assertion", "sk-of-ada")
            .bearer_auth("sk-of-ada");
        let reply = request.json(&api.question("Hi!")).send().await;
        whole(reply.expect("the server answers")).await;
        let asked = server.last();
        let expected = match api {
            Api::OpenAi => asked.header("authorization") == "Bearer sk-of-the-house",
            Api::Anthropic => asked.header("x-api-key") == "sk-of-the-house",
        };
        assert!(expected, "{asked:?}");
        let headers = format!("{:?}", asked.headers);
        assert!(!headers.contains("sk-of-ada"), "{headers}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_set_stops_the_start() {
    let settings = API.backend("http://127.0.0.1:9") + "api_key_env = \"DEJA_TEST_NO_SUCH_KEY\"\n";
    let output = Setup::new(&settings).run_to_end().await;
    assert!(!output.status.success());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("DEJA_TEST_NO_SUCH_KEY"), "{log}");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    // Bound, so that nobody else gets the port, and deaf.
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    let any = "127.0.0.1:0".parse().expect("it is an address");
    socket.bind(any).expect("a port is free");
    let address = socket.local_addr().expect("it has an address");
    for (client, upstream) in PAIRS {
        let settings = upstream.backend(&format!("http://{address}"));
        let deja = Setup::new(&settings).start().await;
        for stream in [false, true] {
            let mut request = client.question("Anybody?");
            request["stream"] = stream.into();
            let reply = deja.send(client, &request).await;
            assert_eq!(reply.status(), 502);
            error(client, reply).await;
        }
        nothing_is_stored(&deja).await;
    }
}

#[tokio::test]
async fn an_upstream_that_never_answers_runs_out_of_time() {
    for (client, upstream) in PAIRS {
        let (_server, deja) = broken(upstream, Reply::silence()).await;
        let reply = deja.send(client, &client.question("Anybody?")).await;
        assert_eq!(reply.status(), 504);
        error(client, reply).await;
        nothing_is_stored(&deja).await;
    }
}

#[tokio::test]
async fn a_document_that_does_not_come_whole_is_a_bad_gateway() {
    for (client, upstream) in PAIRS {
        let document = upstream.document(&Answer::text("Half of"));
        for reply in [
            Reply::reset(),
            Reply::json(&document).promising_more(9),
            Reply::json(&document)
                .promising_more(9)
                .ending(Ending::Reset),
        ] {
            let (_server, deja) = broken(upstream, reply).await;
            let reply = deja.send(client, &client.question("Go on.")).await;
            assert_eq!(reply.status(), 502, "{}", deja.log());
            error(client, reply).await;
            nothing_is_stored(&deja).await;
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_is_never_stored() {
    for (client, upstream) in PAIRS {
        for reply in [
            Reply::body("application/json", "{\"choices\":"),
            Reply::body("application/json", &b"\xff\xfe"[..]),
            Reply::body("application/json", ""),
            Reply::body("application/json", "[]"),
            Reply::body("text/html", "<h1>Welcome</h1>"),
        ] {
            let (server, deja) = broken(upstream, reply).await;
            for _ in 0..2 {
                let reply = deja.send(client, &client.question("Go on.")).await;
                if client != upstream {
                    assert_eq!(reply.status(), 502, "{}", deja.log());
                    error(client, reply).await;
                }
            }
            assert_eq!(server.count(), 2);
            nothing_is_stored(&deja).await;
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_told_and_never_stored() {
    for (client, upstream) in PAIRS {
        let frames = upstream.frames(&Answer::text("one two three"), false);
        let begun = || Reply::frames(frames[..3].to_vec());
        for reply in [
            begun().ending(Ending::Reset),
            begun().ending(Ending::Close),
            begun().ending(Ending::HalfChunk),
            begun().ending(Ending::Stall),
            begun(),
            begun().then(&b"data: {\"choices\": \"\xff\"}\n\n"[..]),
            begun().then("data: {\"choices\": [\n\n"),
            begun().then(upstream.error_frame("overloaded")),
        ] {
            let (server, deja) = broken(upstream, reply).await;
            let request = client.streamed_question("Count.");
            let stream = streamed(deja.send(client, &request).await).await;
            assert!(stream.has_failed(), "{stream:?}\n{}", deja.log());
            assert!(stream.text().starts_with("one "), "{stream:?}");
            nothing_is_stored(&deja).await;
            let again = deja.send(client, &request).await;
            assert!(cache_status(&again).contains("miss"));
            streamed(again).await;
            assert_eq!(server.count(), 2);
        }
    }
}

#[tokio::test]
async fn an_upstreams_refusal_is_passed_on_and_never_stored() {
    for (client, upstream) in PAIRS {
        for (status, retry_after) in [(429, "7"), (503, "3"), (500, "1")] {
            let reply = upstream
                .error(status, "not now")
                .header("retry-after", retry_after);
            let (server, deja) = broken(upstream, reply).await;
            for stream in [false, true] {
                let mut request = client.question("Now?");
                request["stream"] = stream.into();
                let reply = deja.send(client, &request).await;
                assert_eq!(reply.status(), status);
                assert_eq!(reply.headers()["retry-after"], retry_after);
                let error = error(client, reply).await;
                assert_eq!(error["message"], "not now");
            }
            assert_eq!(server.count(), 2);
            nothing_is_stored(&deja).await;
        }
    }
}

#[tokio::test]
async fn compressed_answers_are_read() {
    for (client, upstream) in PAIRS {
        for coding in Coding::ALL {
            let document = upstream.document(&Answer::text("Small."));
            let reply = Reply::compressed(&document, coding).await;
            let (_server, deja) = broken(upstream, reply).await;
            let reply = deja.send(client, &client.question("How large?")).await;
            let headers = reply.headers();
            assert_eq!(headers.get("content-encoding"), None, "nobody asked for it");
            assert_eq!(client.text(&whole(reply).await), "Small.");
            let (status, text) = deja.answer(client, "How large?").await;
            assert!(status.contains("hit"), "{coding:?}: {status}");
            assert_eq!(text, "Small.");
        }
    }
}

#[tokio::test]
async fn a_health_check_asks_no_upstream() {
    let (server, deja) = broken(API, Reply::silence()).await;
    assert_eq!(deja.get("/health").await.status(), 200);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked_for_this_machine() {
    let (proxy, upstream) = (saying(API, "the proxy").await, saying(API, "itself").await);
    let setup = Setup::new(&upstream.backend(API)).env("HTTP_PROXY", proxy.url());
    let deja = setup.start().await;
    assert_eq!(deja.answer(API, "Who are you?").await.1, "itself");
    assert!(proxy.asked().is_empty());
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_for_others_but_those_excepted() {
    let proxy = saying(API, "the proxy").await;
    let settings = API.backend("http://upstream.invalid");
    let through = Setup::new(&settings).env("HTTP_PROXY", proxy.url());
    let deja = through.start().await;
    assert_eq!(deja.answer(API, "Who are you?").await.1, "the proxy");
    let asked = proxy.asked().len();
    let past = Setup::new(&settings)
        .env("HTTP_PROXY", proxy.url())
        .env("NO_PROXY", "upstream.invalid");
    let deja = past.start().await;
    let reply = deja.send(API, &API.question("Who are you?")).await;
    assert!(reply.status().is_server_error(), "{}", reply.status());
    assert_eq!(proxy.asked().len(), asked);
}
