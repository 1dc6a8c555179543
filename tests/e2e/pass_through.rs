//! Where client and upstream speak the same API, what Deja does not know passes unchanged.

use deja_tests::{Answer, Api, Deja, PAIRS, Reply, Setup, Upstream, cache_status, streamed, whole};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const ANSWER: &str = "All of it came.";

async fn post(deja: &Deja, path: &str, body: &str) -> Response {
    let request = deja
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header("x-custom", "kept")
        .header("anthropic-beta", "new-things-2026-01-01");
    let reply = request.body(body.to_owned()).send().await;
    reply.expect("the server answers")
}

async fn answering(api: Api) -> Upstream {
    Upstream::start(move |asked| api.reply(asked, &Answer::text(ANSWER))).await
}

#[tokio::test]
async fn a_request_reaches_the_upstream_byte_for_byte() {
    let body = r#"{ "model":"m",  "max_tokens":9, "temperature":0.10, "x_big":123456789012345678901234567890,
        "x_float":1.0e+2, "x_\u0065scape":"\u00e9\/", "x_null":null, "messages":[{"role":"user","content":"hi","x_new":[]}]}"#;
    for api in [Api::OpenAi, Api::Anthropic] {
        let upstream = answering(api).await;
        let deja = Setup::new(&upstream.backend(api)).start().await;
        let target = format!("{}?beta=true&x=%20y", api.path());
        whole(post(&deja, &target, body).await).await;
        let asked = upstream.last();
        assert_eq!(String::from_utf8_lossy(&asked.body), body);
        assert_eq!((asked.method.as_str(), &asked.target), ("POST", &target));
    }
}

#[tokio::test]
async fn numbers_that_only_the_upstream_can_hold_are_told_apart() {
    let upstream = answering(Api::OpenAi).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let ask = async |seed: &str| {
        let body = format!(r#"{{"seed":{seed},"messages":[{{"role":"user","content":"hi"}}]}}"#);
        let reply = post(&deja, Api::OpenAi.path(), &body).await;
        let status = cache_status(&reply);
        whole(reply).await;
        status
    };
    assert!(ask("100000000000000000000000").await.contains("miss"));
    assert!(ask("100000000000000000000001").await.contains("miss"));
    assert!(ask("100000000000000000000000").await.contains("hit"));
}

#[tokio::test]
async fn headers_reach_the_upstream_but_for_those_of_the_connection() {
    let upstream = answering(Api::Anthropic).await;
    let deja = Setup::new(&upstream.backend(Api::Anthropic)).start().await;
    let request = deja
        .request(Method::POST, "/v1/messages")
        .header("x-custom", "kept")
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "new-things-2026-01-01")
        .header("x-of-this-hop", "1")
        .header("connection", "x-of-this-hop");
    let body = Api::Anthropic.question("Which headers came?");
    let reply = request.json(&body).send().await;
    whole(reply.expect("the server answers")).await;
    let asked = upstream.last();
    assert_eq!(asked.header("x-custom"), "kept");
    assert_eq!(asked.header("anthropic-version"), "2023-06-01");
    assert_eq!(asked.header("anthropic-beta"), "new-things-2026-01-01");
    assert_eq!(asked.header("x-of-this-hop"), "");
    assert_eq!(format!("http://{}", asked.header("host")), upstream.url());
}

#[tokio::test]
async fn paths_count_without_their_version_too() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let upstream = answering(api).await;
        let deja = Setup::new(&upstream.backend(api)).start().await;
        let short = api.path().trim_start_matches("/v1");
        whole(deja.post(short, &api.question("Hi!")).await).await;
        assert_eq!(upstream.last().target, api.path());
        let (status, _) = deja.answer(api, "Hi!").await;
        assert!(status.contains("hit"), "both are one endpoint: {status}");
    }
}

#[tokio::test]
async fn streams_are_asked_for_their_token_counts_and_for_nothing_else() {
    let upstream = answering(Api::OpenAi).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let mut request = Api::OpenAi.streamed_question("How many tokens?");
    request["x_new"] = json!({"kept": true});
    let stream = streamed(deja.chat(&request).await).await;
    assert_eq!(stream.last("/usage"), Value::Null, "nobody asked for it");
    request["stream_options"] = json!({"include_usage": true});
    assert_eq!(upstream.last().json(), request);
}

#[tokio::test]
async fn a_stream_request_is_unchanged_where_no_counts_are_asked() {
    let upstream = answering(Api::OpenAi).await;
    let settings = upstream.backend(Api::OpenAi) + "stream_usage = false\n";
    let deja = Setup::new(&settings).start().await;
    let body = r#"{"stream" : true, "model":"m","temperature":0.10,"messages":[{"role":"user","content":"hi"}]}"#;
    let stream = streamed(post(&deja, "/v1/chat/completions", body).await).await;
    assert!(stream.is_whole);
    assert_eq!(upstream.last().body, body);
}

#[tokio::test]
async fn a_document_reaches_the_client_byte_for_byte() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut document = api.document(&Answer::text(ANSWER));
        document["x_new"] = json!({"kept": [1, null]});
        document["usage"]["x_price"] = json!(0.5);
        let text = format!(" {document:#}\n").replace("0.5", "0.50");
        let sent = text.clone();
        let script = move |_: &_| {
            Reply::body("application/json", sent.clone())
                .header("x-request-id", "req_7")
                .header("x-ratelimit-remaining-tokens", "41")
        };
        let upstream = Upstream::start(script).await;
        let deja = Setup::new(&upstream.backend(api)).start().await;
        let reply = deja.send(api, &api.question("Hi!")).await;
        assert!(cache_status(&reply).contains("fwd=miss; stored"));
        assert_eq!(reply.headers()["x-request-id"], "req_7");
        assert_eq!(reply.headers()["x-ratelimit-remaining-tokens"], "41");
        assert_eq!(reply.text().await.expect("the answer comes"), text);

        let reply = deja.send(api, &api.question("Hi!")).await;
        assert!(cache_status(&reply).contains("hit"));
        let limits = reply.headers().get("x-ratelimit-remaining-tokens");
        assert_eq!(limits, None, "that was true then only");
        let mut again = whole(reply).await;
        assert_ne!(again["id"], document["id"], "an id is given once");
        for volatile in ["id", "created"] {
            let then = document.get(volatile).cloned();
            if let Some(now) = again.get_mut(volatile) {
                *now = then.expect("it stood there");
            }
        }
        assert_eq!(again, document);
    }
}

#[tokio::test]
async fn a_stream_reaches_the_client_frame_by_frame() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let mut frames = api.frames(&Answer::text(ANSWER), false);
        frames[1] = frames[1].replacen('{', "{\"x_new\" : 0.10, ", 1);
        let sent = frames.clone();
        let upstream = Upstream::start(move |_| Reply::frames(sent.clone())).await;
        let settings = upstream.backend(api) + "stream_usage = false\n";
        let deja = Setup::new(&settings).start().await;
        let request = api.streamed_question("Hi!");
        let first = deja.send(api, &request).await.text().await;
        assert_eq!(first.expect("the stream comes"), frames.concat());

        let reply = deja.send(api, &request).await;
        assert!(cache_status(&reply).contains("hit"));
        let again = reply.text().await.expect("the stream comes");
        assert!(again.contains("\"x_new\" : 0.10, "), "{again}");
        let count = |text: &str| text.split_terminator("\n\n").count();
        assert_eq!(count(&again), frames.len(), "the pieces stay as they came");
    }
}

#[tokio::test]
async fn an_error_reaches_the_client_as_it_came() {
    for api in [Api::OpenAi, Api::Anthropic] {
        let body = r#"{"type":"error", "error":{"type":"x_new_error","message":"no","x_new":1.0}}"#;
        let script = move |_: &_| {
            Reply::body("application/json", body)
                .status(418)
                .header("x-request-id", "req_8")
                .header("x-should-retry", "false")
        };
        let upstream = Upstream::start(script).await;
        let deja = Setup::new(&upstream.backend(api)).start().await;
        let reply = deja.send(api, &api.question("Hi!")).await;
        assert_eq!(reply.status(), 418);
        assert_eq!(reply.headers()["x-request-id"], "req_8");
        assert_eq!(reply.headers()["x-should-retry"], "false");
        assert_eq!(reply.text().await.expect("the error comes"), body);
    }
}

#[tokio::test]
async fn embeddings_and_old_completions_pass_and_are_remembered() {
    let embeddings = json!({
        "object": "list", "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2},
        "data": [{"object": "embedding", "index": 0, "embedding": [0.125, -2.5]}],
    });
    let completion = json!({
        "id": "cmpl-scripted", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "text": " Paris", "logprobs": null, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
    });
    let (first, second) = (embeddings.clone(), completion.clone());
    let script = move |asked: &deja_tests::Asked| match asked.target.as_str() {
        "/v1/embeddings" => Reply::json(&first),
        "/v1/completions" => Reply::json(&second),
        other => panic!("nobody asked for {other}"),
    };
    let upstream = Upstream::start(script).await;
    let deja = Setup::new(&upstream.backend(Api::OpenAi)).start().await;
    let cases = [
        (
            "/v1/embeddings",
            json!({"model": "m", "input": "France"}),
            embeddings,
        ),
        (
            "/v1/completions",
            json!({"model": "m", "prompt": "France:"}),
            completion,
        ),
    ];
    for (path, request, answer) in cases {
        assert_eq!(whole(deja.post(path, &request).await).await, answer);
        let reply = deja.post(path, &request).await;
        assert!(cache_status(&reply).contains("hit"), "{path}");
        let again = whole(reply).await;
        for field in ["data", "choices", "usage", "model"] {
            assert_eq!(again[field], answer[field], "{path}");
        }
    }
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn tokens_are_counted_by_an_upstream_that_can() {
    let script = |asked: &deja_tests::Asked| {
        assert_eq!(asked.target, "/v1/messages/count_tokens?beta=true");
        Reply::json(&json!({"input_tokens": 42}))
    };
    let upstream = Upstream::start(script).await;
    let deja = Setup::new(&upstream.backend(Api::Anthropic)).start().await;
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "Hi!"}]});
    for _ in 0..2 {
        let reply = deja
            .post("/v1/messages/count_tokens?beta=true", &request)
            .await;
        assert_eq!(whole(reply).await, json!({"input_tokens": 42}));
    }
    assert_eq!(upstream.count(), 1, "the count is remembered");
}

#[tokio::test]
async fn a_stream_serves_a_document_and_a_document_a_stream() {
    for (client, upstream_api) in PAIRS {
        for stream_first in [false, true] {
            let upstream = answering(upstream_api).await;
            let deja = Setup::new(&upstream.backend(upstream_api)).start().await;
            let (mut texts, mut statuses) = (Vec::new(), Vec::new());
            for stream in [stream_first, !stream_first] {
                let mut request = client.question("Hi!");
                request["stream"] = stream.into();
                let reply = deja.send(client, &request).await;
                statuses.push(cache_status(&reply));
                texts.push(if stream {
                    streamed(reply).await.text()
                } else {
                    client.text(&whole(reply).await).to_owned()
                });
            }
            assert_eq!(texts, [ANSWER, ANSWER], "{client:?} {upstream_api:?}");
            assert!(statuses[0].contains("miss") && statuses[1].contains("hit"));
        }
    }
}
