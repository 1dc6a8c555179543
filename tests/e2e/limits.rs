//! What one client may cost.

use std::time::Duration;

use deja_tests::{Answer, Api, Deja, Gate, PAIRS, Reply, Setup, Upstream, eventually, whole};
use futures_util::future::join_all;
use reqwest::Response;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const API: Api = Api::OpenAi;

async fn deja(server: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = format!("[server]\n{server}\n{}", upstream.backend(API));
    (upstream, Setup::new(&settings).start().await)
}

/// The error of a reply, in the shape of the client's API.
async fn error(client: Api, reply: Response) -> Value {
    let document: Value = reply.json().await.expect("an error is JSON");
    if client == Api::Anthropic {
        assert_eq!(document["type"], "error");
    }
    document["error"].clone()
}

/// What comes on a bare connection, until the server closes it.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(Duration::from_mins(1), stream.read_to_end(&mut bytes)).await;
    // A connection may be reset once the server has said what it had to say.
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_the_clients_shape() {
    let (upstream, deja) = deja("max_body_bytes = \"2KiB\"").await;
    for (client, _) in PAIRS {
        let reply = deja.send(client, &client.question(&"x".repeat(3000))).await;
        assert_eq!(reply.status(), 413);
        let error = error(client, reply).await;
        let message = error["message"].as_str().expect("there is a message");
        assert!(message.contains("2048 bytes"), "{message}");
        if client == Api::Anthropic {
            assert_eq!(error["type"], "request_too_large");
        }
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_has_come() {
    let (_upstream, deja) = deja("max_body_bytes = \"2KiB\"").await;
    for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut stream = deja.connect().await;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n",
            API.path()
        );
        let body = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        stream
            .write_all(head.as_bytes())
            .await
            .expect("it is taken");
        if framing.ends_with("chunked") {
            stream
                .write_all(body.as_bytes())
                .await
                .expect("it is taken");
        }
        let reply = read_to_end(stream).await;
        assert!(reply.starts_with("HTTP/1.1 413 "), "{framing}: {reply}");
        assert!(
            reply.contains("\r\nconnection: close\r\n"),
            "{framing}: {reply}"
        );
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let (_upstream, deja) = deja("max_header_bytes = \"8KiB\"").await;
    let mut stream = deja.connect().await;
    let head = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx-large: {}\r\n\r\n",
        "x".repeat(12_000)
    );
    // The server may have answered before it has taken all.
    let _ = stream.write_all(head.as_bytes()).await;
    let reply = read_to_end(stream).await;
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
    assert_eq!(deja.get("/health").await.status(), 200);
}

#[tokio::test]
async fn who_comes_when_all_are_busy_is_asked_to_come_again() {
    for (client, upstream_api) in PAIRS {
        let gate = Gate::closed();
        let held = gate.clone();
        let script = move |asked: &_| {
            upstream_api
                .reply(asked, &Answer::text("Yes."))
                .after(&held)
        };
        let upstream = Upstream::start(script).await;
        let settings = format!(
            "[server]\nmax_requests = 2\n{}",
            upstream.backend(upstream_api)
        );
        let deja = Setup::new(&settings).start().await;
        let questions = [client.question("A?"), client.question("B?")];
        let busy = join_all(questions.iter().map(|question| deja.send(client, question)));
        let refused = async {
            upstream.wait_for(2).await;
            let refused = deja.send(client, &client.question("C?")).await;
            gate.open();
            refused
        };
        let (busy, refused) = futures_util::future::join(busy, refused).await;
        assert_eq!(refused.status(), 503);
        let retry_after = refused.headers()["retry-after"].to_str();
        assert!(retry_after.is_ok_and(|seconds| seconds.parse::<u32>().is_ok()));
        let error = error(client, refused).await;
        assert!(error["message"].is_string(), "{error}");
        for answer in busy {
            whole(answer).await;
        }
        let (status, _) = deja.answer(client, "C?").await;
        assert!(status.contains("miss"), "there is room again: {status}");
    }
}

#[tokio::test]
async fn headers_that_drip_are_not_waited_for() {
    let (_upstream, deja) = deja("header_timeout = \"200ms\"").await;
    let mut stream = deja.connect().await;
    let begun = stream.write_all(b"GET /health HTTP/1.1\r\nhost: de").await;
    begun.expect("it is taken");
    let reply = read_to_end(stream).await;
    assert!(
        reply.is_empty() || reply.starts_with("HTTP/1.1 408 "),
        "{reply}"
    );
}

#[tokio::test]
async fn a_body_that_drips_is_not_waited_for() {
    let (upstream, deja) = deja("body_timeout = \"200ms\"").await;
    let mut stream = deja.connect().await;
    let path = API.path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 99\r\n\r\n{{"
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is taken");
    let reply = read_to_end(stream).await;
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn who_takes_nothing_is_cut_off_and_the_answer_is_stored() {
    let large = "x".repeat(1 << 18);
    let mut frames = API.frames(&Answer::text("begun "), false);
    let last = frames.split_off(frames.len() - 2);
    let piece = frames[1].replace("begun ", &large);
    let reply = Reply::frames(frames)
        .then_all(vec![piece; 128])
        .then_all(last);
    let upstream = Upstream::start(move |_| reply.clone()).await;
    let settings = format!(
        "[server]\nwrite_timeout = \"300ms\"\n{}",
        upstream.backend(API)
    );
    let deja = Setup::new(&settings).start().await;
    let idle = deja.sample("deja_requests_in_flight").await;

    let body = API.streamed_question("Tell me everything.").to_string();
    let mut stream = deja.connect().await;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        API.path(),
        body.len(),
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is taken");
    deja.wait_for("the entry", |health| health["cache"]["cached_items"] == 1)
        .await;
    eventually("the end of the slow client", async || {
        deja.sample("deja_requests_in_flight").await <= idle
    })
    .await;
    let reply = read_to_end(stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 "));
    assert!(!reply.contains("[DONE]"), "it was cut off before the end");
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let large = ("x".repeat(1000) + " ").repeat(1000);
    let script = move |asked: &_| API.reply(asked, &Answer::text(&large));
    let upstream = Upstream::start(script).await;
    let deja = Setup::new(&upstream.backend(API)).start().await;
    let slow = deja.send(API, &API.streamed_question("Tell me.")).await;
    for number in 0..10 {
        deja.answer(API, &format!("Number {number}?")).await;
    }
    assert!(deja_tests::streamed(slow).await.is_whole);
}

#[tokio::test]
async fn connections_without_requests_cost_no_request() {
    let (_upstream, deja) = deja("max_requests = 1").await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(deja.connect().await);
    }
    deja.answer(API, "Is there room?").await;
    drop(idle);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[tokio::test]
async fn the_server_has_no_more_heaps_than_cores() {
    let (_upstream, deja) = deja("max_requests = 1").await;
    let process = deja.process().as_raw_nonzero();
    let environment = std::fs::read(format!("/proc/{process}/environ")).expect("it runs");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(
        environment.contains("glibc.malloc.arena_max="),
        "{environment}"
    );
}
