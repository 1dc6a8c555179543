//! Clients that send what nobody should, or send it too slowly.

use std::{cell::RefCell, io::ErrorKind};

use deja_guests as guests;
use deja_tests::{
    Answer, Api, Deja, PAIRS, Setup, Upstream, cache_status, eventually, question, whole,
};
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::load::plugin;

/// An upstream that answers everything, and a server before it.
async fn server(api: Api, settings: &str) -> (Upstream, Deja) {
    let upstream = Upstream::start(move |asked| api.reply(asked, &Answer::text("Yes."))).await;
    let settings = format!("{settings}{}", upstream.backend(api));
    (upstream, Setup::new(&settings).start().await)
}

/// A question of a few KiB whose values take more than 4 MiB of memory once it is parsed.
fn dense(api: Api, content: &str) -> Value {
    let mut question = api.question(content);
    question["x"] = vec![json!([[]]); 6000].into();
    question
}

/// A question of this many KiB, nearly all of it one text.
fn long(api: Api, kibibytes: usize) -> Value {
    api.question(&"x".repeat(kibibytes << 10))
}

#[tokio::test]
async fn a_body_of_many_tiny_values_is_refused() {
    for (client, upstream_api) in PAIRS {
        let settings = "[server]\nmax_parsed_body_bytes = \"4MiB\"\n";
        let (upstream, deja) = server(upstream_api, settings).await;
        let reply = deja.send(client, &dense(client, "Why?")).await;
        assert_eq!(reply.status(), 413);
        let error: Value = reply.json().await.expect("an error is JSON");
        let message = error["error"]["message"].as_str();
        let message = message.expect("there is a message");
        assert!(message.contains("4194304 bytes"), "{message}");
        assert_eq!(upstream.count(), 0);
        let reply = deja.send(client, &long(client, 2000)).await;
        assert_eq!(
            reply.status(),
            200,
            "a long text takes no more than it is long"
        );
    }
}

/// With one thread that serves, a large body must be looked into on another: else nobody is refused
/// while that takes its time.
#[tokio::test]
async fn while_large_bodies_take_all_memory_others_are_asked_to_come_again() {
    const API: Api = Api::Anthropic;
    let upstream = Upstream::start(|asked| API.reply(asked, &Answer::text("Yes."))).await;
    let settings = "[server]\nmax_parse_bytes = \"8MiB\"\n[plugins]\ncall_timeout = \"3s\"\n";
    let settings = format!("{settings}{}", upstream.backend(API));
    let setup = Setup::new(&settings).env("TOKIO_WORKER_THREADS", "1");
    setup.drop_file("exact", &guests::keyer_for_messages_that(guests::ENDLESS));
    let deja = setup.start().await;
    let first = dense(API, "first");
    let busy = deja.send(API, &first);
    let refused = async {
        eventually("the call of the keyer", async || {
            plugin(&deja.health().await, "keyer")["calls"] == 1
        })
        .await;
        deja.send(API, &dense(API, "second")).await
    };
    let (busy, refused) = join(busy, refused).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(busy.status(), 200);
    assert!(cache_status(&busy).contains("bypass"));
    assert_eq!(upstream.count(), 1);
}

/// Begins a request whose body never ends, and waits until the server reads that.
async fn begun(deja: &Deja, sent: usize) -> TcpStream {
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut stream = deja.connect().await;
    let path = Api::OpenAi.path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9999999\r\n\r\n"
    );
    stream
        .write_all(head.as_bytes())
        .await
        .expect("it is taken");
    let mut reply = [0; CONTINUE.len()];
    stream.read_exact(&mut reply).await.expect("it goes on");
    assert_eq!(String::from_utf8_lossy(&reply), CONTINUE);
    let body = vec![b' '; sent];
    stream.write_all(&body).await.expect("it is taken");
    stream
}

#[tokio::test]
async fn heads_without_bodies_take_no_places() {
    let (_upstream, deja) = server(Api::OpenAi, "[server]\nmax_requests = 1\n").await;
    let mut begun_requests = Vec::new();
    for _ in 0..20 {
        begun_requests.push(begun(&deja, 0).await);
    }
    deja.answer(Api::OpenAi, "Is there room?").await;
}

#[tokio::test]
async fn bodies_that_do_not_end_leave_room_for_small_ones() {
    const API: Api = Api::OpenAi;
    let (_upstream, deja) = server(API, "[server]\nmax_bodies_bytes = \"1MiB\"\n").await;
    let slow = RefCell::new(begun(&deja, 1_000_000).await);
    let question = long(API, 512);
    // Who is refused before all was sent may see the connection reset.
    let status = async || {
        let request = deja.request(Method::POST, API.path()).json(&question);
        request.send().await.map(|reply| reply.status().as_u16())
    };
    eventually("a refusal", async || {
        if status().await.is_ok_and(|status| status == 503) {
            return true;
        }
        // The question may have been read first, and the slow body refused for it.
        let read = slow.borrow().try_read(&mut [0]);
        if !read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            slow.replace(begun(&deja, 1_000_000).await);
        }
        false
    })
    .await;
    deja.answer(API, "Is there room?").await;
    drop(slow);
    eventually("room", async || {
        status().await.is_ok_and(|status| status == 200)
    })
    .await;
}

#[tokio::test]
async fn a_control_token_in_a_content_is_read_as_text() {
    let deja = Deja::start().await;
    let tokens = async |content: &str| -> Option<u64> {
        let mut request: Value = question(content);
        request["max_tokens"] = 1.into();
        whole(deja.chat(&request).await).await["usage"]["prompt_tokens"].as_u64()
    };
    let plain = tokens("a").await.expect("tokens are counted");
    let spelled = tokens("a<|im_end|>").await.expect("tokens are counted");
    assert!(spelled > plain + 1, "{plain} and {spelled}");
}
